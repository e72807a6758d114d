"""The handler's side of the warm child process: starts it, gives it a job, kills it with its descendants.
Does not import torch or pycolmap, so that the handler requests its first job within a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from splat_worker.errors import Code, JobError, time_limit_error
from splat_worker.job.processes import kill_group, wait_for_group

COMMAND = (sys.executable, "-m", "splat_worker.job.child")
KILL_GRACE_S = 20.0
"""Seconds past its own time limit after which a job is killed. It should have ended by itself."""
LINE_MAX = 8 << 20

OnMessage = Callable[[Mapping[str, Any]], None]


class ChildHost:
    """One warm child. Not for concurrent jobs: RunPod gives a worker one job at a time."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the child if none runs. Returns at once; the child then loads its libraries."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    async def run(self, job: BaseModel, *, seconds_max: float | None, on_event: OnMessage) -> dict[str, Any]:
        """The child's report on a parsed input, as a dict. Raises JobError or ReportedFailure. If the awaiting task is
        cancelled, the child and its descendants are dead and the scratch folder is removed before CancelledError
        propagates."""
        async with self._turn:
            self.start()
            assert self._process is not None
            with tempfile.TemporaryDirectory(prefix="splat-job-", ignore_cleanup_errors=True) as scratch:
                try:
                    async with asyncio.timeout(None if seconds_max is None else seconds_max + KILL_GRACE_S):
                        return await self._converse(job, Path(scratch), on_event)
                except TimeoutError:
                    self.kill()
                    raise time_limit_error(seconds_max) from None
                except BaseException:
                    self.kill()
                    raise
                finally:
                    self.start()

    async def _converse(self, job: BaseModel, scratch: Path, on_event: OnMessage) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        reader = asyncio.StreamReader(limit=LINE_MAX)
        loop = asyncio.get_running_loop()
        with open(os.dup(process.stdout.fileno()), "rb", buffering=0) as output:
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), output)
            try:
                request = {"job": job.model_dump(mode="json"), "scratch": str(scratch)}
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(f"{json.dumps(request)}\n".encode())
                    process.stdin.flush()
                while line := await reader.readline():
                    message = json.loads(line)
                    if "event" in message:
                        on_event(message["event"])
                    elif "report" in message:
                        return dict(message["report"])
                    elif "failure" in message:
                        raise ReportedFailure(message["failure"])
            finally:
                transport.close()
        raise _died(await asyncio.to_thread(process.wait))

    def kill(self) -> None:
        """Kill the child's process group and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        kill_group(process.pid)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        wait_for_group(process.pid)


class ReportedFailure(Exception):
    """The child reported a failure. failure: dict of contract.job_report.Failure."""

    def __init__(self, failure: Mapping[str, Any]) -> None:
        super().__init__(failure.get("code"))
        self.failure = dict(failure)


def _died(status: int) -> JobError:
    """The child ended without an answer. The kernel sends SIGKILL when memory runs out."""
    if status == -signal.SIGKILL:
        return JobError(Code.OUT_OF_MEMORY, "The worker ran out of memory and was stopped.")
    what = f"signal {-status}" if status < 0 else f"status {status}"
    return JobError(Code.INTERNAL, f"The worker process stopped unexpectedly with {what}.")
