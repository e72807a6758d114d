"""The job's states: every transition is allowed or refused, and a final one stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from local_cloud.runpod.jobs.board import Board
from local_cloud.runpod.jobs.model import FINAL, MISSING, Job, Policy, Status


def job(number: int = 0, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": f"job-{number}",
        "endpoint_id": "e",
        "request": {"input": {"n": number}},
        "policy": Policy(),
        "sync": False,
        "kept_s": 1800.0,
        "submitted_s": 100.0,
    }
    return Job(**(fields | changes))


@pytest.mark.parametrize("final", sorted(FINAL))
def test_a_final_state_is_never_left_but_by_retry(final: Status) -> None:
    one = job()
    one.start("w", now_s=101, wall_s=1)
    one.progress({"half": True})
    one.finish(final, now_s=102)
    assert one.output is MISSING
    for again in (
        lambda: one.finish(Status.COMPLETED, now_s=103),
        lambda: one.progress("late"),
        lambda: one.start("v", now_s=103, wall_s=1),
        one.put_back,
    ):
        with pytest.raises(ValueError, match=one.id):
            again()
    assert one.status is final


def test_a_lost_worker_leaves_no_trace_of_half_done_work() -> None:
    one = job()
    one.start("w", now_s=101, wall_s=1)
    one.progress("half")
    one.chunks.append("part")
    one.put_back()
    assert (one.status, one.worker_id, one.output, one.chunks) == (Status.IN_QUEUE, None, MISSING, [])
    assert one.redispatches == 1


def test_the_ttl_counts_from_submission_and_retention_from_the_end() -> None:
    one = job(policy=Policy(ttl_ms=10_000))
    assert one.expires_s() == 110.0
    kept = job(kept_s=60.0)
    kept.start("w", now_s=101, wall_s=1)
    kept.finish(Status.COMPLETED, now_s=200)
    assert kept.expires_s() == 260.0


class BoardMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order: no job is lost, none is in two places, counts add up."""

    def __init__(self) -> None:
        super().__init__()
        self.board = Board()
        self.made: list[Job] = []
        self.dropped: set[str] = set()

    @rule()
    def submit(self) -> None:
        one = job(len(self.made))
        self.made.append(one)
        self.board.add(one)

    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        expected = list(self.board.waiting)[:count]
        taken = self.board.take(count)
        assert taken == expected
        for one in taken:
            one.start("w", now_s=1, wall_s=1)

    @precondition(lambda self: self.board.in_progress)
    @rule(data=st.data(), final=st.sampled_from(sorted(FINAL)))
    def finish(self, data: st.DataObject, final: Status) -> None:
        one = data.draw(st.sampled_from(sorted(self.board.running, key=lambda each: each.id)))
        one.finish(final, now_s=2)
        self.board.settled(one)

    @precondition(lambda self: self.board.in_queue)
    @rule(data=st.data())
    def cancel_waiting(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.board.waiting)))
        one.finish(Status.CANCELLED, now_s=2)
        self.board.settled(one)

    @precondition(lambda self: self.board.in_progress)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.board.running, key=lambda each: each.id)))
        self.board.put_back(one)
        assert next(iter(self.board.waiting)) is one

    @precondition(lambda self: any(one.status is Status.FAILED for one in self.board))
    @rule()
    def retry(self) -> None:
        self.board.retry(next(one for one in self.board if one.status is Status.FAILED), now_s=3)

    @precondition(lambda self: len(list(self.board)))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.board)))
        self.board.drop(one)
        self.dropped.add(one.id)

    @invariant()
    def every_job_is_in_exactly_one_place(self) -> None:
        waiting, running = set(self.board.waiting), set(self.board.running)
        assert waiting.isdisjoint(running)
        for one in self.made:
            if one.id in self.dropped:
                assert one not in waiting | running
                assert self.board.get(one.id) is None
            else:
                assert self.board.get(one.id) is one
                assert (one in waiting) == (one.status is Status.IN_QUEUE)
                assert (one in running) == (one.status is Status.IN_PROGRESS)


TestBoard = BoardMachine.TestCase
