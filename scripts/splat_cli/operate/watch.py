"""Reads what the monitor shows: the app's jobs and metrics, and RunPod's workers where its key is at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.runpod.client import RunPodClient
from infra.runpod.errors import RunPodError
from scripts.splat_cli.edge_client import EdgeClient, Rate
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.figures import STAGES_MAX_AGE, Snapshot, Worker, read_workers, snapshot
from scripts.splat_cli.operate.job_list import Filter, select
from scripts.splat_cli.stack_access import open_edge, open_stack


@dataclass(kw_only=True)
class Watch:
    """One deployment that is read again and again. runpod: None where only the app can be reached."""

    edge: EdgeClient
    rate: Rate
    runpod: RunPodClient | None = None
    endpoint_id: str = ""
    gpu_names: Mapping[str, str] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack)

    @classmethod
    def open(cls, root: Path, stack: str) -> Self:
        """With SPLAT_URL and SPLAT_TOKEN, or without a RunPod key, workers are counted and not listed. Raises
        CommandError."""
        if os.environ.get("SPLAT_URL"):
            edge = open_edge(root, stack)
            return cls(edge=edge, rate=edge.rate())
        access = open_stack(root, stack)
        edge = access.edge()
        try:
            runpod = access.runpod()
            names = {str(one["id"]): str(one.get("name") or one["id"]) for one in runpod.list_gpus()}
        except (CommandError, RunPodError):
            return cls(edge=edge, rate=edge.rate())
        return cls(edge=edge, rate=edge.rate(), runpod=runpod, endpoint_id=access.endpoint_id, gpu_names=names)

    def __enter__(self) -> Self:
        self._open.enter_context(self.edge)
        if self.runpod is not None:
            self._open.callback(self.runpod.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def take(self) -> Snapshot:
        """The deployment as it is now. Raises ServiceError when the app does not answer."""
        now = datetime.now(UTC)
        jobs = list(select(self.edge.jobs(), Filter(since=now - STAGES_MAX_AGE)))
        running = {one.project_id for one in jobs if one.state == "running"}
        projects = {name: self.edge.project(name) for name in running}
        return snapshot(jobs, projects, self.edge.metrics(), self._workers(), rate=self.rate, now=now)

    def _workers(self) -> tuple[Worker, ...] | None:
        if self.runpod is None:
            return None
        try:
            return read_workers(self.runpod.list_workers(self.endpoint_id), self.gpu_names)
        except RunPodError:
            return None  # the app's own counts are shown instead
