"""The catalogue as data: GPU types with pools and rates, data centres (catalog.json).
Answers no request; api/management/catalog.py puts it into the published form."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

_FILE = Path(__file__).with_name("catalog.json")


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Gpu(_Entry):
    id: str
    name: str
    pool: str | None
    memory_gb: int
    serverless_usd_per_s: float | None
    serverless_source: str | None
    pod_secure_usd_per_h: float
    pod_community_usd_per_h: float
    pod_source: str
    availability: str


class DataCenter(_Entry):
    id: str
    name: str


class Catalog(_Entry):
    about: str
    as_of: str
    sources: dict[str, str]
    cuda_versions: tuple[str, ...]
    gpus: tuple[Gpu, ...]
    data_centers: tuple[DataCenter, ...]

    def pools(self) -> tuple[str, ...]:
        return tuple(sorted({gpu.pool for gpu in self.gpus if gpu.pool}))

    def gpu(self, gpu_id: str) -> Gpu | None:
        return next((gpu for gpu in self.gpus if gpu.id == gpu_id), None)

    def selection(self, pools: Iterable[str], excluded: Iterable[str]) -> tuple[Gpu, ...]:
        """GPU types on which a worker can start: the pools in the given order, minus the excluded types."""
        out = set(excluded)
        return tuple(gpu for pool in pools for gpu in self.gpus if gpu.pool == pool and gpu.id not in out)


@functools.cache
def load() -> Catalog:
    return TypeAdapter(Catalog).validate_python(json.loads(_FILE.read_text()))


def cuda_key(version: str) -> tuple[int, int]:
    """`12.11` sorts above `12.2`: CUDA versions compare numerically, part by part."""
    major, minor = version.split(".")
    return int(major), int(minor)
