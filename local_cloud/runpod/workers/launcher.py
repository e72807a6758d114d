"""Turns a worker's record into a running process and back into nothing: image, variables, scratch, log.
Never decides when; fleet.py does. What it leaves on disk is the log."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from ..images import Images
from ..problems import Problem
from ..settings import Settings
from ..state import LOAD_BALANCER, Account, Endpoint
from .environment import worker_environment
from .leftovers import Leftovers
from .logs import WorkerLog
from .model import Worker
from .processes import WorkerProcess

# What `start` raises when a worker cannot start; ValueError: unbalanced quotes, a NUL byte.
START_ERRORS = (OSError, ValueError, Problem)


class Launcher:
    def __init__(
        self,
        *,
        settings: Settings,
        account: Account,
        images: Images,
        folder: Path,
        base_url: str,
        now: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._account = account
        self._images = images
        self._folder = folder
        self._base_url = base_url
        self._now = now
        self._leftovers = Leftovers(folder / "pids")
        self._leftovers.sweep()

    def log(self, endpoint_id: str, worker_id: str) -> WorkerLog:
        return WorkerLog(self._folder / "logs" / endpoint_id / f"{worker_id}.log", self._now)

    async def start(self, endpoint: Endpoint, worker: Worker) -> WorkerProcess:
        """The process of the worker's release; secrets and the credential are those of this moment.

        Raises START_ERRORS.
        """
        current = self._account.endpoints.get(endpoint.id, endpoint)
        image = self._images.resolve(worker.image, self._account.login(current.spec.registry))
        if endpoint.spec.type == LOAD_BALANCER:
            worker.port = _free_port()
        scratch = self._scratch(worker)
        scratch.mkdir(parents=True, exist_ok=True)
        process = await WorkerProcess.start(
            [*image.command, *shlex.split(endpoint.spec.args)],
            cwd=image.cwd,
            env=worker_environment(
                host=os.environ,
                image_env=image.env,
                endpoint=endpoint,
                worker=worker,
                secrets={one.name: one.value for one in self._account.secrets.values()},
                base_url=self._base_url,
                ping_interval_ms=self._settings.ping_interval_ms,
                home=str(scratch),
            ),
            on_output=worker.log.feed,
        )
        self._leftovers.note(worker.id, process.pid)
        return process

    async def end(self, worker: Worker) -> None:
        """Returns when the whole process group is gone; waits for a start that is under way."""
        if worker.starting is not None:
            with contextlib.suppress(*START_ERRORS):
                worker.process = await worker.starting
        if worker.process is not None:
            await worker.process.end(self._settings.stop_grace_s)
            self._leftovers.forget(worker.id)
        worker.log.close()
        shutil.rmtree(self._scratch(worker), ignore_errors=True)

    def _scratch(self, worker: Worker) -> Path:
        """The container disk: wiped when the worker ends."""
        return self._folder / "scratch" / worker.id


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
