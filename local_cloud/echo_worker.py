"""The worker of every image when the stand-in was given no images file: returns the input of each job.
Runs as a process of its own on the unmodified runpod SDK; imports nothing of the stand-in."""

from __future__ import annotations

from typing import Any

import runpod  # type: ignore[import-untyped]


async def handler(job: dict[str, Any]) -> Any:
    return job["input"]


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
