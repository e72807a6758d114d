"""A worker on the unmodified runpod SDK that passes its self-test and stores a scene at once: the checks are about the
platform around it. The shipped worker has its own tests, and `splat verify-live --rehearse` runs it."""

import httpx
import runpod


async def handler(job):
    given = job["input"]
    if given == {"selftest": True}:
        return {"ok": True, "checks": []}
    async with httpx.AsyncClient(trust_env=False) as http:
        first = await http.get(given["image_urls"][0])
        stored = await http.put(given["upload_url"], content=b"ply\n" + first.content[:64])
    return {"stored": stored.status_code}


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
