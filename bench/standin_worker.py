"""The echo worker of bench/standin.py: records every execution, then returns its input. Unmodified runpod SDK."""

import os

import runpod


async def handler(job):
    with open(os.environ["EXECUTIONS_FILE"], "a") as out:
        out.write(f"{job['id']}\n")
    return job["input"]


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
