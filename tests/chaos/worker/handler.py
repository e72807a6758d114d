"""A worker whose stages take no time: the real handler and child process around the suite's pipeline.
Runs as a process of its own on the unmodified runpod SDK, with the worker's Python.
"""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import runpod

from splat_worker.handler import Handler
from splat_worker.job.child_host import ChildHost
from splat_worker.job.processes import log_to_stderr
from tests.chaos.worker.signs import take_act

CHILD = (sys.executable, "-m", "tests.chaos.worker.child")


class Host(ChildHost):
    """The shipped host, whose answer a row can spoil."""

    async def run(self, job: Any, **given: Any) -> dict[str, Any]:
        report = await super().run(job, **given)
        return SPOILT[take_act(job.project_id, "answer")](report)


SPOILT: dict[str, Any] = {
    "": lambda report: report,
    "object": lambda report: {**report, "warnings": object()},
    "nan": lambda report: {**report, "metrics": {**report["metrics"], "psnr_db": float("nan")}},
    "list": lambda report: [report],
}


if __name__ == "__main__":
    log_to_stderr()
    multiprocessing.set_start_method("fork", force=True)
    host = Host(CHILD)
    host.start()
    runpod.serverless.start({"handler": Handler(host, runpod.serverless.progress_update)})
