"""Background work: only the newest item counts, failures are dropped, and waits are limited."""

from __future__ import annotations

import threading
import time

from splat_worker.background import Latest


def test_only_the_newest_item_waits_and_a_failure_is_survived() -> None:
    done: list[int] = []
    started, go = threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        go.wait(5)
        done.append(1)
        raise RuntimeError("lost")

    latest = Latest("test", lambda work: work())
    latest.offer(first)
    assert started.wait(5)
    assert not latest.idle
    for number in (2, 3, 4):
        latest.offer(lambda number=number: done.append(number))
    go.set()
    latest.close(finish=True)
    assert done == [1, 4]


def test_closing_without_finishing_drops_the_waiting_item() -> None:
    done: list[int] = []
    started = threading.Event()

    def first() -> None:
        started.set()
        time.sleep(0.1)
        done.append(1)

    latest = Latest("test", lambda work: work())
    latest.offer(first)
    assert started.wait(5)
    latest.offer(lambda: done.append(2))
    latest.close(finish=False)
    latest.offer(lambda: done.append(3))
    assert done == [1]


def test_closing_waits_no_longer_than_the_timeout() -> None:
    go = threading.Event()
    latest = Latest("test", lambda work: work())
    latest.offer(lambda: go.wait(30))
    began = time.monotonic()
    latest.close(finish=True, timeout_s=0.2)
    go.set()
    assert time.monotonic() - began < 5
