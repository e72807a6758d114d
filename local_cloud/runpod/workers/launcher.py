"""Turns a worker's record into a running process, and removes it again: image, variables, scratch folder, log.
The fleet decides when. Only the log stays on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from local_cloud import clock_skew
from local_cloud.runpod.account.state import Account, Endpoint
from local_cloud.runpod.core.problems import Problem
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.images.registry import Images
from local_cloud.runpod.workers import disk
from local_cloud.runpod.workers.environment import worker_environment
from local_cloud.runpod.workers.logs import WorkerLog
from local_cloud.runpod.workers.model import Worker
from local_cloud.runpod.workers.orphans import Orphans
from local_cloud.runpod.workers.process import WorkerProcess

# What `start` raises when a worker cannot start; ValueError: unbalanced quotes, a NUL byte.
START_ERRORS = (OSError, ValueError, Problem)


@dataclasses.dataclass(kw_only=True, eq=False)
class Launcher:
    settings: Settings
    account: Account
    images: Images
    folder: Path
    base_url: str
    now: Callable[[], float]

    def __post_init__(self) -> None:
        self._orphans = Orphans(self.folder / "pids")
        self._orphans.kill()

    def log(self, endpoint_id: str, worker_id: str) -> WorkerLog:
        return WorkerLog(self.folder / "logs" / endpoint_id / f"{worker_id}.log", self.now)

    async def start(self, endpoint: Endpoint, worker: Worker) -> WorkerProcess:
        """Start the worker's release with the registry credential that the endpoint has now.

        Raises START_ERRORS.
        """
        current = self.account.endpoints.get(endpoint.id, endpoint)
        image = self.images.resolve(worker.image, self.account.login(current.spec.registry))
        scratch = self._scratch(worker)
        scratch.mkdir(parents=True, exist_ok=True)
        command = [*image.command, *shlex.split(endpoint.spec.args)]
        if self.settings.worker_disk_mb is not None:
            command = disk.limited(command, scratch, self.settings.worker_disk_mb)
        process = await WorkerProcess.start(
            command,
            cwd=image.cwd,
            env=worker_environment(
                host=os.environ,
                image_env=image.env,
                endpoint=endpoint,
                worker=worker,
                base_url=self.base_url,
                ping_interval_ms=self.settings.ping_interval_ms,
                home=str(scratch),
            )
            | clock_skew.environment(self.settings.worker_clock_skew_s, self.folder / "clock"),
            on_output=worker.log.feed,
        )
        self._orphans.record(worker.id, process.pid)
        return process

    async def end(self, worker: Worker) -> None:
        """Returns when the whole process group is gone; a start that is under way finishes first."""
        if worker.starting is not None:
            with contextlib.suppress(*START_ERRORS):
                worker.process = await worker.starting
        if worker.process is not None:
            await worker.process.end(self.settings.stop_grace_s)
            self._orphans.forget(worker.id)
        worker.log.close()
        shutil.rmtree(self._scratch(worker), ignore_errors=True)

    def _scratch(self, worker: Worker) -> Path:
        """The container disk; removed when the worker ends."""
        return self.folder / "scratch" / worker.id
