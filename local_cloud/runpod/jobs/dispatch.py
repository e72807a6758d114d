"""Carries jobs through their life: submit, hand over, result, cancel, time out, dispatch again.
Starts no worker and speaks no HTTP; it calls the webhook sender and signals workers to stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from local_cloud.runpod.account.state import Account
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.clock import Clock
from local_cloud.runpod.core.ids import Ids
from local_cloud.runpod.core.problems import JobApiError
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.jobs.model import MISSING, WEBHOOK_STATES, Job, Status
from local_cloud.runpod.jobs.queue import JobQueue
from local_cloud.runpod.jobs.wire import Submission, split_chunk
from local_cloud.runpod.workers.model import Worker

LOST_ERROR = f"job timed out after {limits.REDISPATCHES_MAX} retries"  # observed text
TIMEOUT_ERROR = "executionTimeout exceeded"  # guess


@dataclasses.dataclass(kw_only=True, eq=False)
class Dispatcher:
    """`find_worker` maps a worker id to its record, or None when it is gone."""

    clock: Clock
    settings: Settings
    account: Account
    ids: Ids
    find_worker: Callable[[str], Worker | None]
    call_webhook: Callable[[Job], None]
    _queues: dict[str, JobQueue] = dataclasses.field(default_factory=dict)

    def queue(self, endpoint_id: str) -> JobQueue:
        return self._queues.setdefault(endpoint_id, JobQueue())

    def submit(self, endpoint_id: str, submission: Submission, *, sync: bool, kept_s: float) -> Job:
        job = Job(
            id=self.ids.job_id(sync=sync),
            endpoint_id=endpoint_id,
            request=submission.request,
            policy=submission.policy,
            sync=sync,
            kept_s=kept_s,
            submitted_s=self.clock.now(),
        )
        self.queue(endpoint_id).add(job)
        return job

    def find(self, endpoint_id: str, job_id: str) -> Job:
        """Raises JobApiError 404; a job past its ttl or retention is unknown."""
        job = self.queue(endpoint_id).get(job_id)
        if job is None or job.expires_s() <= self.clock.now():
            raise JobApiError(404, "job not found")
        return job

    def hand_over(self, worker: Worker, count: int) -> list[Job]:
        """Up to `count` waiting jobs, now running on this worker."""
        jobs = self.queue(worker.endpoint_id).take(count)
        for job in jobs:
            job.start(worker.id, now_s=self.clock.now(), wall_s=self.clock.wall_s())
            worker.jobs.add(job.id)
            worker.idle_since_s = None
        if jobs:
            self.queue(worker.endpoint_id).change.fire()
        return jobs

    def progress(self, worker: Worker, job_id: str, output: Any) -> None:
        """The last progress message. A message after the result, or from another worker, is dropped."""
        job = self._held(worker, job_id)
        if job is not None:
            job.progress(output)
            self.queue(worker.endpoint_id).change.fire()

    def stream(self, worker: Worker, job_id: str, output: Any) -> None:
        job = self._held(worker, job_id)
        if job is not None:
            job.chunks.extend(split_chunk(output))
            self.queue(worker.endpoint_id).change.fire()

    def result(self, worker: Worker, job_id: str, body: dict[str, Any]) -> None:
        """The final post of a worker. Only the worker that holds the job settles it, and only once."""
        job = self._held(worker, job_id)
        self._release(worker, job_id)
        if job is None:
            return
        error = body.get("error", MISSING)
        status = Status.COMPLETED if error in (MISSING, None, "") else Status.FAILED
        self._settle(
            job,
            status,
            output=body.get("output", MISSING),
            error=error if status is Status.FAILED else MISSING,
        )

    def claim(self, worker: Worker, job_ids: set[str]) -> None:
        """A ping names the jobs that its worker runs; a stopped job that it no longer names has ended."""
        wall_s = self.clock.wall_s()
        for job_id in job_ids & worker.jobs:
            job = self.queue(worker.endpoint_id).get(job_id)
            if job is not None:
                job.claimed_wall_s = wall_s
        for job_id in set(worker.stopping) - job_ids:
            self._release(worker, job_id)

    def nothing_in_progress(self, worker: Worker) -> None:
        """A take with job_in_progress=0: the jobs that it had to stop have ended."""
        for job_id in tuple(worker.stopping):
            self._release(worker, job_id)

    def cancel(self, job: Job) -> None:
        """Final at once. A worker that has the job gets a stop signal and posts nothing."""
        if not job.final:
            self._stop(job)
            self._settle(job, Status.CANCELLED)

    def purge(self, endpoint_id: str) -> int:
        """Cancels the waiting jobs; running jobs go on. Returns how many were cancelled."""
        waiting = list(self.queue(endpoint_id).waiting)
        for job in waiting:
            self._settle(job, Status.CANCELLED)
        return len(waiting)

    def lose_worker(self, worker: Worker) -> None:
        """Its jobs go back to the queue, or fail after their last retry."""
        for job_id in tuple(worker.jobs):
            job = self._held(worker, job_id)
            self._release(worker, job_id)
            if job is not None:
                self._dispatch_again(job)
        worker.stopping.clear()

    def forget_endpoint(self, endpoint_id: str) -> None:
        """Cancels every job of a deleted endpoint and drops its queue."""
        queue = self._queues.pop(endpoint_id, JobQueue())
        for job in list(queue):
            if not job.final:
                job.finish(Status.CANCELLED, now_s=self.clock.now())
                queue.settled(job)

    def enforce_times(self) -> None:
        """Drops expired jobs, times out jobs that run too long, and dispatches lost jobs again."""
        now_s = self.clock.now()
        for job in list(self._all_jobs()):
            if job.expires_s() <= now_s:
                if job.status is Status.IN_PROGRESS:
                    self._stop(job)
                self.queue(job.endpoint_id).drop(job)
        for queue in self._queues.values():
            for job in list(queue.running):
                self._enforce_running(job, now_s)

    def _enforce_running(self, job: Job, now_s: float) -> None:
        assert job.started_s is not None
        if now_s - job.started_s > self._execution_timeout_s(job):
            self._stop(job)
            self._settle(job, Status.TIMED_OUT, error=TIMEOUT_ERROR)
        elif self.clock.wall_s() - job.claimed_wall_s > self.settings.lost_after_s:
            worker = self.find_worker(job.worker_id or "")
            if worker is not None:
                self._release(worker, job.id)
                worker.log.system(f"job {job.id} was not acknowledged; dispatched again")
            self._dispatch_again(job)

    def _dispatch_again(self, job: Job) -> None:
        if job.redispatches >= limits.REDISPATCHES_MAX:
            self._settle(job, Status.FAILED, error=LOST_ERROR)
        else:
            self.queue(job.endpoint_id).put_back(job)

    def _execution_timeout_s(self, job: Job) -> float:
        endpoint = self.account.endpoints[job.endpoint_id]
        # What timeout 0 means is not documented; we take the documented default.
        timeout_ms = job.policy.execution_timeout_ms or endpoint.spec.timeout_ms or limits.EXECUTION_TIMEOUT_DEFAULT_MS
        return timeout_ms / 1000

    def _stop(self, job: Job) -> None:
        worker = self.find_worker(job.worker_id or "")
        if worker is None or job.id not in worker.jobs:
            return
        worker.jobs.discard(job.id)
        worker.stopping[job.id] = self.clock.wall_s() + self.settings.stop_grace_s
        worker.stop_signals.append(job.id)
        worker.stop_again_wall_s = self.clock.wall_s() + limits.STOP_REPEAT_S
        worker.change.fire()

    def _settle(self, job: Job, status: Status, *, output: Any = MISSING, error: Any = MISSING) -> None:
        job.finish(status, now_s=self.clock.now(), output=output, error=error)
        self.queue(job.endpoint_id).settled(job)
        if job.webhook is not None and status in WEBHOOK_STATES:
            self.call_webhook(job)

    def _held(self, worker: Worker, job_id: str) -> Job | None:
        job = self.queue(worker.endpoint_id).get(job_id)
        if job is None or job.status is not Status.IN_PROGRESS or job.worker_id != worker.id:
            return None
        return job

    def _release(self, worker: Worker, job_id: str) -> None:
        worker.jobs.discard(job_id)
        worker.stopping.pop(job_id, None)
        if not worker.busy:
            worker.idle_since_s = self.clock.now()
        worker.change.fire()

    def _all_jobs(self) -> Iterator[Job]:
        for queue in self._queues.values():
            yield from queue
