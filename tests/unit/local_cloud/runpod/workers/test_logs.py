"""Lines from chunks of output, with limits."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from local_cloud.runpod.core import limits
from local_cloud.runpod.workers.logs import LINE_MAX_CHARS, WorkerLog


@given(cuts=st.lists(st.integers(1, 7), max_size=30))
def test_lines_do_not_depend_on_the_chunks_of_the_output(tmp_path_factory: object, cuts: list[int]) -> None:
    data = "first\nsecönd\n\nlast".encode()
    log = WorkerLog(Path(tmp_path_factory.mktemp("log")) / "w.log", lambda: 0.0)  # type: ignore[attr-defined]
    for cut in cuts:
        log.feed(data[:cut])
        data = data[cut:]
    log.feed(data)
    log.close()
    assert [one.line for one in log.lines] == ["first", "secönd", "", "last"]
    assert [one.number for one in log.lines] == [1, 2, 3, 4]


def test_memory_is_bounded_in_lines_and_in_one_endless_line(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "w.log", lambda: 0.0)
    log.feed(b"x\n" * (limits.LOG_LINES_KEPT + 10))
    assert len(log.lines) == limits.LOG_LINES_KEPT
    assert log.lines[-1].number == limits.LOG_LINES_KEPT + 10
    for _ in range(5):
        log.feed(b"y" * (LINE_MAX_CHARS // 2 + 1))
    log.close()
    assert max(len(one.line) for one in log.lines) <= LINE_MAX_CHARS
