"""Reads events of a deployment: logs of its workers through REST v2, and the app's books. Once, or until stopped."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from infra.runpod import errors
from infra.runpod.client import RunPodClient
from scripts.splat_cli.edge_client import EdgeClient, Job
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.logs.events import LogEvent, merged, of_job, of_progress, of_worker

STORED_WAIT_S = 1.5  # stored lines come at once
FOLLOW_WAIT_S = 10.0
FOLLOW_POLL_S = 2.0
WORKERS_AT_ONCE = 10
JOBS_MAX = 500


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """job: a project; its worker lines are those of its attempts' time. worker: only this worker's lines."""

    since: datetime
    job: str | None = None
    worker: str | None = None


class Reader:
    """One deployment. runpod and edge belong to the caller."""

    def __init__(self, runpod: RunPodClient, edge: EdgeClient, endpoint_id: str, wanted: Wanted) -> None:
        self._runpod, self._edge, self._endpoint, self._wanted = runpod, edge, endpoint_id, wanted
        self._read_until: dict[str, datetime] = {}  # worker → time of its last entry

    def stored(self) -> list[LogEvent]:
        """What exists now, in order of time. Raises CommandError for a worker or a project that does not exist."""
        wanted = self._wanted
        if wanted.worker is not None:
            self._check_worker(wanted.worker)
            return merged(self._worker(wanted.worker, wanted.since), since=wanted.since)
        until, since, jobs = None, wanted.since, self._jobs()
        if wanted.job is not None:
            self._edge.project(wanted.job)  # its error for an unknown id
            spans = [(job.submitted_at, job.ended_at) for job in jobs]
            # A scene is asked for by its id, so its own time counts, however long ago.
            since = min((start for start, _ in spans), default=wanted.since)
            ends = [end for _, end in spans]
            until = max((end for end in ends if end is not None), default=None) if None not in ends else None
        events = self._books(jobs)
        with ThreadPoolExecutor(WORKERS_AT_ONCE) as pool:
            for found in pool.map(lambda worker: list(self._worker(worker, since)), self.workers()):
                events += found
        return merged(events, since=since, until=until)

    def follow(self, *, pause: Callable[[float], None] = time.sleep) -> Iterator[LogEvent]:
        """What is stored, then what comes, without end. The same event is never returned twice."""
        seen: set[tuple[datetime, str, str, str]] = set()
        coming: queue.SimpleQueue[LogEvent] = queue.SimpleQueue()
        threads: dict[str, threading.Thread] = {}
        while True:
            books = self._books(self._jobs()) if self._wanted.worker is None else []
            fresh = [*books, *_drained(coming)]
            for event in merged(fresh, since=self._wanted.since):
                if event.same not in seen:
                    seen.add(event.same)
                    yield event
            for worker in [self._wanted.worker] if self._wanted.worker else self.workers():
                thread = threads.get(worker)
                if thread is None or not thread.is_alive():
                    threads[worker] = threading.Thread(
                        target=self._listen, args=(worker, coming.put), name=f"log {worker}", daemon=True
                    )
                    threads[worker].start()
            pause(FOLLOW_POLL_S)

    def workers(self) -> list[str]:
        listed = self._runpod.list_workers(self._endpoint).get("workers") or ()
        return [str(one["id"]) for one in listed]

    def _books(self, jobs: Sequence[Job]) -> list[LogEvent]:
        """What the app recorded about these attempts, and the progress of those that run."""
        events = [event for job in jobs for event in of_job(job)]
        for project in dict.fromkeys(job.project_id for job in jobs if job.ended_at is None):
            events += of_progress(self._edge.project(project))
        return events

    def _jobs(self) -> list[Job]:
        """Attempts of the project, or those submitted since, oldest first."""
        if self._wanted.job is not None:
            found = [one for one in self._limited() if one.project_id == self._wanted.job]
        else:
            found = list(takewhile(lambda one: one.submitted_at >= self._wanted.since, self._limited()))
        return found[::-1]

    def _limited(self) -> Iterator[Job]:
        for number, job in enumerate(self._edge.jobs()):
            if number >= JOBS_MAX:
                return
            yield job

    def _worker(self, worker: str, since: datetime, wait_s: float = STORED_WAIT_S) -> Iterator[LogEvent]:
        try:
            for entry in self._runpod.worker_log_entries(self._endpoint, worker, wait_s=wait_s, since=_rfc3339(since)):
                yield of_worker(worker, entry)
        except errors.NotFound:
            return  # the worker ended meanwhile, and its log with it

    def _listen(self, worker: str, put: Callable[[LogEvent], None]) -> None:
        """One stream of a worker's log. The next one begins where this one ended."""
        try:
            for event in self._worker(worker, self._read_until.get(worker, self._wanted.since), FOLLOW_WAIT_S):
                self._read_until[worker] = event.at
                put(event)
        except errors.RunPodError:
            return  # the next round opens it again

    def _check_worker(self, worker: str) -> None:
        known = self.workers()
        if worker not in known:
            raise CommandError(
                f"The endpoint has no worker {worker}. A worker's log ends with the worker.",
                hint=f"choose one of {', '.join(known)}" if known else "no worker is running now",
            )


def _drained(coming: queue.SimpleQueue[LogEvent]) -> Iterator[LogEvent]:
    while True:
        try:
            yield coming.get_nowait()
        except queue.Empty:
            return


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
