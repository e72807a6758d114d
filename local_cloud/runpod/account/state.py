"""The account: endpoints with their releases, registry credentials, and the billing ledger.
One file on disk holds it, so that it survives a restart. No HTTP, no workers."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

FORMAT_VERSION = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class GpuSpec:
    pools: tuple[str, ...]
    excluded_types: tuple[str, ...] = ()
    count: int = 1
    allowed_cuda_versions: tuple[str, ...] = ()
    min_cuda_version: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EndpointSpec:
    name: str
    image: str
    args: str
    disk_gb: int
    ports: tuple[str, ...]
    env: Mapping[str, str]
    registry: str | None
    gpu: GpuSpec
    workers_min: int
    workers_max: int
    idle_timeout_s: int
    queue_delay_s: float
    data_center_ids: tuple[str, ...]
    timeout_ms: int
    flashboot: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldChange:
    field: str
    old: Any
    new: Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class Release:
    id: str
    version: int
    created_at_s: float
    diff: tuple[FieldChange, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Endpoint:
    id: str
    spec: EndpointSpec
    created_at_s: float
    releases: tuple[Release, ...]  # oldest first

    @property
    def version(self) -> int:
        return self.releases[-1].version


@dataclasses.dataclass(frozen=True, kw_only=True)
class Registry:
    """A registry credential; user name and password are write-only."""

    id: str
    name: str
    username: str
    password: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Usage:
    """One billed stretch of one worker, in virtual unix seconds, priced when it ended."""

    endpoint_id: str
    worker_id: str
    start_s: float
    end_s: float
    gpu_usd_per_s: float
    disk_gb: int


@dataclasses.dataclass(kw_only=True)
class Account:
    endpoints: dict[str, Endpoint] = dataclasses.field(default_factory=dict)
    registries: dict[str, Registry] = dataclasses.field(default_factory=dict)
    usage: list[Usage] = dataclasses.field(default_factory=list)

    def login(self, registry_id: str | None) -> tuple[str, str] | None:
        """(User name, password) of a credential; None without a credential or after its deletion."""
        registry = self.registries.get(registry_id or "")
        return None if registry is None else (registry.username, registry.password)

    def clear(self) -> None:
        self.endpoints.clear()
        self.registries.clear()
        self.usage.clear()


class StateUnreadable(Exception):
    """The state file is damaged or has another format; the message names the file and the fix."""


_ACCOUNT = TypeAdapter(Account)


class Store:
    """Replaces `<folder>/account.json` in one step. Mode 0600, because it holds passwords."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "account.json"
        folder.mkdir(parents=True, exist_ok=True)

    def load(self) -> Account:
        if not self._file.exists():
            return Account()
        try:
            document = json.loads(self._file.read_text())
            if document["version"] != FORMAT_VERSION:
                raise ValueError(f"format {document['version']}, expected {FORMAT_VERSION}")
            return _ACCOUNT.validate_python(document["account"])
        except (ValueError, KeyError, TypeError) as error:
            raise StateUnreadable(
                f"{self._file} cannot be read ({error}): restore it or the program that wrote it, "
                "or move it away to start with an empty account"
            ) from error

    def save(self, account: Account) -> None:
        document = {"version": FORMAT_VERSION, "account": _ACCOUNT.dump_python(account, mode="json")}
        fresh = self._file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(document, out)
        os.replace(fresh, self._file)
