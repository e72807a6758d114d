"""Work beside the job: the newest counts, failures are lost, nobody waits longer than they said."""

from __future__ import annotations

import threading
import time

from splat_worker.job.background import Latest


def test_background_work_keeps_only_the_newest_and_survives_failures() -> None:
    done: list[int] = []
    started, go = threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        go.wait(5)
        done.append(1)
        raise RuntimeError("lost")

    latest = Latest("test")
    latest.offer(first)
    assert started.wait(5)
    assert not latest.idle
    for number in (2, 3, 4):
        latest.offer(lambda number=number: done.append(number))
    go.set()
    latest.close(finish=True)
    assert done == [1, 4]


def test_closing_without_finishing_drops_what_waits() -> None:
    done: list[int] = []
    started = threading.Event()

    def first() -> None:
        started.set()
        time.sleep(0.1)
        done.append(1)

    latest = Latest("test")
    latest.offer(first)
    assert started.wait(5)
    latest.offer(lambda: done.append(2))
    latest.close(finish=False)
    latest.offer(lambda: done.append(3))
    assert done == [1]


def test_the_end_waits_for_background_work_no_longer_than_it_is_told_to() -> None:
    go = threading.Event()
    latest = Latest("test")
    latest.offer(lambda: go.wait(30))
    began = time.monotonic()
    latest.close(finish=True, timeout_s=0.2)
    go.set()
    assert time.monotonic() - began < 5
