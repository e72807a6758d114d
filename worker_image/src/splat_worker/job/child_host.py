"""The handler's side of the warm child process: start it, give it a job, kill it with all it started.
Never imports torch or pycolmap, so that a handler is at its first job request in a second.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from splat_worker.errors import Code, JobError

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-m", "splat_worker.job.child")
KILL_GRACE_S = 20.0
"""Seconds that a job may pass its own time limit before it is killed; it should have ended itself."""
LINE_MAX = 8 << 20

OnMessage = Callable[[Mapping[str, Any]], None]


class ChildHost:
    """One warm child at a time. Not for concurrent jobs: RunPod hands a worker one job at a time."""

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the child if none lives; returns at once, the child loads its libraries meanwhile."""
        if self._process is not None and self._process.poll() is None:
            return
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    async def run(
        self, job_input: Mapping[str, Any], *, seconds_max: float | None, on_event: OnMessage
    ) -> dict[str, Any]:
        """The child's report as a dict. Raises JobError. If the awaiting task is cancelled, the child and all it
        started are dead, and the scratch folder gone, before CancelledError goes on."""
        async with self._turn:
            self.start()
            assert self._process is not None
            with tempfile.TemporaryDirectory(prefix="splat-job-", ignore_cleanup_errors=True) as scratch:
                try:
                    async with asyncio.timeout(None if seconds_max is None else seconds_max + KILL_GRACE_S):
                        return await self._converse(job_input, Path(scratch), on_event)
                except TimeoutError:
                    self.kill()
                    raise JobError(Code.TIME_LIMIT, f"The job's limit of {seconds_max:.0f} s is over.") from None
                except BaseException:
                    self.kill()
                    raise
                finally:
                    self.start()

    async def _converse(self, job_input: Mapping[str, Any], scratch: Path, on_event: OnMessage) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        reader = asyncio.StreamReader(limit=LINE_MAX)
        loop = asyncio.get_running_loop()
        with open(os.dup(process.stdout.fileno()), "rb", buffering=0) as output:
            transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), output)
            try:
                request = json.dumps({"input": job_input, "scratch": str(scratch)}) + "\n"
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(request.encode())
                    process.stdin.flush()
                while line := await reader.readline():
                    message = json.loads(line)
                    if "event" in message:
                        on_event(message["event"])
                    elif "report" in message:
                        return dict(message["report"])
                    elif "failure" in message:
                        failure = message["failure"]
                        raise ReportedFailure(failure)
            finally:
                transport.close()
        raise _died(await asyncio.to_thread(process.wait))

    def kill(self) -> None:
        """SIGKILL to the child's whole process group, and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        _wait_for_group(process.pid)


class ReportedFailure(Exception):
    """The child ended a job by itself, in good order. failure: dict of contract.job_report.Failure."""

    def __init__(self, failure: Mapping[str, Any]) -> None:
        super().__init__(failure.get("code"))
        self.failure = dict(failure)


def _died(status: int) -> JobError:
    """The child ended without an answer. SIGKILL that we did not send is the kernel's when memory runs out."""
    if status == -signal.SIGKILL:
        return JobError(Code.OUT_OF_MEMORY, "The worker's process was killed, most likely for want of memory.")
    what = f"signal {-status}" if status < 0 else f"status {status}"
    return JobError(Code.INTERNAL, f"The worker's process ended with {what}.")


def _wait_for_group(group: int, timeout_s: float = 1.0) -> None:
    """Until no process of the group is left (grandchildren are reaped by init, moments later)."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.01)
