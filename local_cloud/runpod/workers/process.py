"""The real process of a worker, in a process group of its own, with its output captured.
Knows no job and no scaling; the whole group is gone when `end` returns."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from local_cloud import process_group

READ_BYTES = 64 * 1024
# How long the children of an ended leader have to end by themselves.
CHILDREN_WAIT_S = 1.0
# How long `end` waits for the group to vanish after SIGKILL.
KILL_WAIT_S = 5.0
# How long `end` waits for the last output of a dead group.
OUTPUT_WAIT_S = 1.0


PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def adopt_orphans() -> None:
    """Make children of dead workers ours instead of init's, so that `end` can reap them.

    In a container whose first process reaps nothing they would stay zombies, and killpg finds a group of
    zombies alive. Linux only; elsewhere init reaps them.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class WorkerProcess:
    """One started process group; `pid` is also the group id."""

    def __init__(self, process: asyncio.subprocess.Process, output: int, on_output: Callable[[bytes], None]) -> None:
        self._process = process
        self.pid = process.pid
        self._ended = False
        self._reader = asyncio.create_task(_read(output, on_output))

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        cwd: str | None,
        env: Mapping[str, str],
        on_output: Callable[[bytes], None],
    ) -> WorkerProcess:
        """Raises OSError when the command cannot be started at all."""
        # A pipe of our own: asyncio's would keep `wait` from returning while any child still holds it,
        # and the SDK's ping process outlives a worker that dies.
        output, inlet = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=cwd,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=inlet,
                stderr=inlet,
                start_new_session=True,
            )
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(inlet)
        return cls(process, output, on_output)

    async def wait(self) -> int:
        """Exit status of the leader; negative = signal number."""
        return await self._process.wait()

    def signal_group(self, number: signal.Signals) -> None:
        process_group.send(self.pid, number)

    async def end(self, grace_s: float) -> int:
        """SIGTERM to the group, then SIGKILL after `grace_s` real seconds to what is left of it."""
        if self._ended:  # the group id may be in use again by now
            return await self._process.wait()
        if self._process.returncode is None:
            self.signal_group(signal.SIGTERM)
            self.signal_group(signal.SIGCONT)  # a parked group gets SIGTERM only once it runs again
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_s)
        if self._process.returncode is not None:
            await self._wait_for_group(min(grace_s, CHILDREN_WAIT_S))
        self.signal_group(signal.SIGKILL)
        status = await self._process.wait()
        await self._wait_for_group(KILL_WAIT_S)
        self._ended = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._reader, OUTPUT_WAIT_S)
        return status

    async def _wait_for_group(self, limit_s: float) -> None:
        """Children (the SDK's ping process, a trainer) can outlive the leader by a moment.

        Call it only once the leader has been reaped: reaping it here would take its status from asyncio.
        """
        for _ in range(int(limit_s / 0.02)):
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-self.pid, os.WNOHANG)[0]:
                    pass
            if not process_group.send(self.pid, 0):
                return
            await asyncio.sleep(0.02)


async def _read(output: int, on_output: Callable[[bytes], None]) -> None:
    """Pass on what the group prints until the last holder of the pipe has ended."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(output, "rb", buffering=0)
    )
    try:
        while data := await reader.read(READ_BYTES):
            on_output(data)
    finally:
        transport.close()
