"""Real process groups: they start, their output is read, and they end as a whole."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time

import pytest

from local_cloud.runpod.workers.process import WorkerProcess, adopt_orphans

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture(autouse=True, scope="module")
def subreaper() -> None:
    adopt_orphans()


async def started(code: str, said: list[bytes]) -> WorkerProcess:
    return await WorkerProcess.start([sys.executable, "-uc", code], cwd=None, env=ENV, on_output=said.append)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


async def test_output_of_both_streams_is_read_to_the_last_byte() -> None:
    said: list[bytes] = []
    process = await started("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", said)
    assert await process.wait() == 3
    assert await process.end(1) == 3
    assert b"".join(said) == b"out\nerr\n"


async def test_a_child_that_outlives_its_parent_does_not_delay_the_wait_and_ends_with_the_group() -> None:
    said: list[bytes] = []
    process = await started("import os, time\nif os.fork() == 0:\n    time.sleep(600)\nprint('parent leaves')", said)
    assert await asyncio.wait_for(process.wait(), 5) == 0
    assert alive(process.pid)
    await process.end(0.1)
    assert not alive(process.pid)


async def test_a_group_that_ignores_sigterm_is_killed_after_the_grace() -> None:
    said: list[bytes] = []
    process = await started(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up'); time.sleep(600)", said
    )
    while not said:
        await asyncio.sleep(0.01)
    before = time.monotonic()
    assert await process.end(0.3) == -signal.SIGKILL
    assert 0.3 <= time.monotonic() - before < 3
    assert not alive(process.pid)


async def test_a_stopped_group_is_continued_so_that_it_can_end() -> None:
    said: list[bytes] = []
    process = await started("import time; print('up'); time.sleep(600)", said)
    while not said:
        await asyncio.sleep(0.01)
    process.signal_group(signal.SIGSTOP)
    assert await process.end(5) == -signal.SIGTERM


async def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        await WorkerProcess.start(["/no/such/command"], cwd=None, env=ENV, on_output=lambda _: None)
