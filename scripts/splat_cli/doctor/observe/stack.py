"""Reads that several checks share, once each: the endpoint, its workers and queue, the catalogue, the app's figures.
Safe for checks that run side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from infra.cloudflare.api import CloudflareApi
from infra.runpod import errors
from infra.runpod.client import RunPodClient
from scripts.splat_cli.edge_client import EdgeClient, Metrics
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import LOCAL, up_hint
from scripts.splat_cli.stack_access import Recorded, StackAccess

T = TypeVar("T")


class Observed:
    """One stack as it is now. A read happens when a check first asks; its error is raised to all who ask."""

    def __init__(self, access: StackAccess) -> None:
        self.access = access
        # The command that deploys again after a refresh, so that what was changed outside becomes as declared.
        self.redo = "splat doctor --fix" + ("" if access.stack == LOCAL else f" --stack {access.stack}")
        self.is_local = access.stack == LOCAL
        self._lock = threading.Lock()
        self._reads: dict[str, Future[Any]] = {}

    def once(self, key: str, read: Callable[[], T]) -> T:
        with self._lock:
            mine = key not in self._reads
            future = self._reads.setdefault(key, Future())
        if mine:
            try:
                future.set_result(read())
            except Exception as problem:
                future.set_exception(problem)
        return cast(T, future.result())

    def close(self) -> None:
        """Ends the connections of clients that were opened."""
        for key in ("client runpod", "client edge"):
            future = self._reads.get(key)
            if future is not None and future.done() and future.exception() is None:
                client = future.result()
                client.close() if isinstance(client, RunPodClient) else client.__exit__(None, None, None)

    @property
    def runpod(self) -> RunPodClient:
        return self.once("client runpod", self.access.runpod)

    @property
    def cloudflare(self) -> CloudflareApi:
        return self.once("client cloudflare", self.access.cloudflare)

    @property
    def edge(self) -> EdgeClient:
        return self.once("client edge", self.access.edge)

    def recorded(self, type_suffix: str) -> Recorded:
        """The stack's only resource of a type. Raises CommandError for a deployment that was interrupted before it."""
        found = self.access.recorded(type_suffix)
        if not found:
            raise CommandError(
                f"The stack has no {type_suffix.rpartition(':')[2]}: its last deployment did not finish.",
                hint=up_hint(self.access.stack),
            )
        return found[0]

    def live_endpoint(self) -> Mapping[str, Any] | None:
        """The endpoint; None when it does not exist."""

        def read() -> Mapping[str, Any] | None:
            try:
                return self.runpod.get_endpoint(self.access.endpoint_id)
            except errors.NotFound:
                return None

        return self.once("endpoint", read)

    def workers(self) -> Mapping[str, Any]:
        return self.once("workers", lambda: self.runpod.list_workers(self.access.endpoint_id))

    def health(self) -> Mapping[str, Any]:
        """Jobs and workers by state, from the job API."""
        return self.once("health", lambda: self.runpod.health(self.access.endpoint_id))

    def metrics(self) -> Metrics:
        return self.once("metrics", self.edge.metrics)

    def script_bindings(self) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
        """Types of the script's bindings, and values of its texts; None when there is no script."""
        return self.once("bindings", self._read_bindings)

    def _read_bindings(self) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
        from infra.cloudflare.api import NotFound

        script = str(self.recorded(":WorkersScript").outputs["scriptName"])
        try:
            return self.cloudflare.script_bindings(script), self.cloudflare.script_texts(script)
        except NotFound:
            return None
