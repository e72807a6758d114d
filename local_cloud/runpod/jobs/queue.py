"""The jobs of one endpoint: which wait, which run, how many have ended.
Knows no worker and no time; signals wake tasks that wait for an arrival or a change."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from local_cloud.runpod.core.signal import Signal
from local_cloud.runpod.jobs.model import Job, Status


class JobQueue:
    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: dict[str, Job] = {}
        self.arrival = Signal()
        self.change = Signal()
        self.completed = 0
        self.failed = 0
        self.retried = 0

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    @property
    def waiting(self) -> Iterable[Job]:
        """Oldest first."""
        return self._waiting

    @property
    def running(self) -> Iterable[Job]:
        return self._running.values()

    @property
    def in_queue(self) -> int:
        return len(self._waiting)

    @property
    def in_progress(self) -> int:
        return len(self._running)

    def add(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._waiting.append(job)
        self.arrival.fire()

    def take(self, count: int) -> list[Job]:
        """Up to `count` jobs out of the queue; the caller starts each of them at once."""
        taken = [self._waiting.popleft() for _ in range(min(count, len(self._waiting)))]
        self._running.update((job.id, job) for job in taken)
        return taken

    def put_back(self, job: Job) -> None:
        """A job whose worker was lost moves to the head of the queue."""
        job.put_back()
        del self._running[job.id]
        self._waiting.appendleft(job)
        self.retried += 1
        self.arrival.fire()
        self.change.fire()

    def retry(self, job: Job, *, now_s: float) -> None:
        job.retry(now_s=now_s)
        self._waiting.append(job)
        self.retried += 1
        self.arrival.fire()
        self.change.fire()

    def settled(self, job: Job) -> None:
        """After `job.finish`: counts it and takes it out of queue and running set."""
        if self._running.pop(job.id, None) is None:
            self._waiting.remove(job)
        if job.status is Status.COMPLETED:
            self.completed += 1
        elif job.status in (Status.FAILED, Status.TIMED_OUT):
            self.failed += 1
        self.change.fire()

    def drop(self, job: Job) -> None:
        """Forgets a job in any state: its time is over."""
        del self._jobs[job.id]
        if self._running.pop(job.id, None) is None and not job.final:
            self._waiting.remove(job)
        self.change.fire()
