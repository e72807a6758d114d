"""The echo worker of bench/standin.py: notes every execution in a file, then returns its input.
Runs on the unmodified runpod SDK; knows nothing of the bench."""

import os

import runpod


async def handler(job):
    with open(os.environ["EXECUTIONS_FILE"], "a") as out:
        out.write(f"{job['id']}\n")
    return job["input"]


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
