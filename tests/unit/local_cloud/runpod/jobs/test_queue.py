"""The queue of one endpoint as a state machine."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from local_cloud.runpod.jobs.model import FINAL, Job, Status
from local_cloud.runpod.jobs.queue import JobQueue

from ..samples import job


class QueueMachine(RuleBasedStateMachine):
    """In any order of events no job is lost and none is in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = JobQueue()
        self.made: list[Job] = []
        self.dropped: set[str] = set()

    @rule()
    def submit(self) -> None:
        one = job(len(self.made))
        self.made.append(one)
        self.queue.add(one)

    @rule(count=st.integers(1, 4))
    def take(self, count: int) -> None:
        expected = list(self.queue.waiting)[:count]
        taken = self.queue.take(count)
        assert taken == expected
        for one in taken:
            one.start("w", now_s=1, wall_s=1)

    @precondition(lambda self: self.queue.in_progress)
    @rule(data=st.data(), final=st.sampled_from(sorted(FINAL)))
    def finish(self, data: st.DataObject, final: Status) -> None:
        one = data.draw(st.sampled_from(sorted(self.queue.running, key=lambda each: each.id)))
        one.finish(final, now_s=2)
        self.queue.settled(one)

    @precondition(lambda self: self.queue.in_queue)
    @rule(data=st.data())
    def cancel_waiting(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.queue.waiting)))
        one.finish(Status.CANCELLED, now_s=2)
        self.queue.settled(one)

    @precondition(lambda self: self.queue.in_progress)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(sorted(self.queue.running, key=lambda each: each.id)))
        self.queue.put_back(one)
        assert next(iter(self.queue.waiting)) is one

    @precondition(lambda self: any(one.status is Status.FAILED for one in self.queue))
    @rule()
    def retry(self) -> None:
        self.queue.retry(next(one for one in self.queue if one.status is Status.FAILED), now_s=3)

    @precondition(lambda self: len(list(self.queue)))
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(list(self.queue)))
        self.queue.drop(one)
        self.dropped.add(one.id)

    @invariant()
    def every_job_is_in_exactly_one_place(self) -> None:
        waiting, running = set(self.queue.waiting), set(self.queue.running)
        assert waiting.isdisjoint(running)
        for one in self.made:
            if one.id in self.dropped:
                assert one not in waiting | running
                assert self.queue.get(one.id) is None
            else:
                assert self.queue.get(one.id) is one
                assert (one in waiting) == (one.status is Status.IN_QUEUE)
                assert (one in running) == (one.status is Status.IN_PROGRESS)


TestJobQueue = QueueMachine.TestCase
