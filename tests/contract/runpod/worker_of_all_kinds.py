"""A serverless worker on the unmodified runpod SDK whose handler follows its input.
It is the image `test.local/worker` of the stand-in's images file."""

import asyncio
import os
import sys
import time

import runpod

KIND = sys.argv[1] if len(sys.argv) > 1 else "async"


def sync_handler(job):
    return act(job)


async def async_handler(job):
    given = job["input"]
    if "sleep_s" in given:
        await asyncio.sleep(given["sleep_s"])
    for step in given.get("progress", []):
        runpod.serverless.progress_update(job, step)
        await asyncio.sleep(0.2)
    return act(job)


def act(job):
    given = job["input"]
    if "block_s" in given:
        time.sleep(given["block_s"])
    if "raise" in given:
        raise ValueError(given["raise"])
    if "error" in given:
        return {"error": given["error"], "rest": 1}
    if "nan" in given:
        return {"value": float("nan")}
    if "refresh" in given:
        return {"refresh_worker": True, "pid": os.getpid()}
    if "env" in given:
        return {name: os.environ.get(name) for name in given["env"]}
    if "exit" in given:
        os._exit(given["exit"])
    return {"echo": given, "pid": os.getpid(), "worker": os.environ["RUNPOD_POD_ID"]}


def generator_handler(job):
    for number in range(job["input"]["count"]):
        time.sleep(job["input"].get("pause_s", 0))
        yield {"number": number}
    if "raise" in job["input"]:
        raise ValueError(job["input"]["raise"])


async def async_generator_handler(job):
    for number in range(job["input"]["count"]):
        await asyncio.sleep(job["input"].get("pause_s", 0))
        yield f"part {number}"


HANDLERS = {
    "sync": {"handler": sync_handler},
    "async": {"handler": async_handler},
    "generator": {"handler": generator_handler, "return_aggregate_stream": True},
    "async_generator": {"handler": async_generator_handler},
    "refreshing": {"handler": sync_handler, "refresh_worker": True},
    "concurrent": {"handler": async_handler, "concurrency_modifier": lambda _: 5},
}

if __name__ == "__main__":
    if KIND == "broken":
        sys.exit(3)
    runpod.serverless.start(dict(HANDLERS[KIND]))
