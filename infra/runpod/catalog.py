"""GPUs by their usual names: to serverless pools and excluded types, with today's price.
Pure: the catalogue comes in as read from the API. Only cards that serverless does not have are named here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from infra.runpod.job_memory import card_room

Props = dict[str, Any]
# Inputs of `resolve`.
ASKED = ("gpuNames", "gpuCount", "minCudaVersion")
# What `resolve` gives.
RESOLVED = ("gpu", "price", "card")
PRICE_SOURCE = "RunPod catalogue, price.serverless"
# Cards that serverless does not have; memory in GB, to suggest another card.
_NOT_SERVERLESS: Mapping[str, int] = {"t4": 16, "tesla t4": 16, "a100 40gb": 40, "v100": 32}


class NotOffered(Exception):
    """A GPU name that cannot be used. `str()` gives the reason and another card."""


@dataclass(frozen=True, kw_only=True)
class GpuType:
    """One card of the catalogue. `usd_per_h` is the serverless list price of one card."""

    id: str
    name: str
    pool: str | None
    memory_gb: int
    usd_per_h: float | None

    @property
    def offered(self) -> bool:
        return self.pool is not None and self.usd_per_h is not None


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What names mean: pools in order of preference, the types in them that were not asked for, the price of the first
    preference for `count` cards, and the card with the least memory that a worker may get."""

    pools: tuple[str, ...]
    excluded_types: tuple[str, ...]
    first_choice: str
    usd_per_h: float
    smallest: GpuType

    @property
    def usd_per_s(self) -> float:
        return round(self.usd_per_h / 3600, 8)


def read_catalog(gpus: Iterable[Mapping[str, Any]]) -> tuple[GpuType, ...]:
    """The catalogue's answer as types; foreign fields are ignored."""
    return tuple(
        GpuType(
            id=str(gpu["id"]),
            name=str(gpu.get("name") or gpu["id"]),
            pool=gpu.get("pool") or None,
            memory_gb=int(_number(gpu.get("memory")) or 0),
            usd_per_h=_number(price.get("serverless")) if isinstance(price := gpu.get("price"), Mapping) else None,
        )
        for gpu in gpus
        if gpu.get("id")
    )


def select(names: tuple[str, ...], catalog: tuple[GpuType, ...], *, count: int = 1) -> Selection:
    """Pools and exclusions for `names`, in their order. Raises NotOffered."""
    wanted: list[GpuType] = []
    for name in names:
        wanted.extend(gpu for gpu in _match(name, catalog) if gpu not in wanted)
    pools = tuple(dict.fromkeys(gpu.pool for gpu in wanted if gpu.pool))
    excluded = tuple(sorted(gpu.id for gpu in catalog if gpu.pool in pools and gpu not in wanted))
    first = wanted[0]
    assert first.usd_per_h is not None  # _match returns offered cards only
    return Selection(
        pools=pools,
        excluded_types=excluded,
        first_choice=first.name,
        usd_per_h=round(first.usd_per_h * count, 6),
        smallest=min(wanted, key=lambda gpu: (gpu.memory_gb, gpu.name)),
    )


def resolve(olds: Props, news: Props, catalog: tuple[GpuType, ...], *, today: date) -> Props:
    """The inputs that follow from GPU names: `gpu` as the API takes it, `price`, and `card`, the smallest with what it
    holds. Raises NotOffered."""
    count = int(news["gpuCount"])
    chosen = select(tuple(news["gpuNames"]), catalog, count=count)
    gpu: Props = {"pools": list(chosen.pools), "count": count}
    if chosen.excluded_types:
        gpu["excludedTypes"] = list(chosen.excluded_types)
    if news.get("minCudaVersion"):
        gpu["minCudaVersion"] = news["minCudaVersion"]
    price = {
        "gpu": chosen.first_choice,
        "usd_per_s": chosen.usd_per_s,
        "as_of": today.isoformat(),
        "source": PRICE_SOURCE,
    }
    before = olds.get("price")
    if isinstance(before, Mapping) and {**price, "as_of": before.get("as_of")} == dict(before):
        price["as_of"] = before["as_of"]  # the day of the first look, so that an unchanged price is no change
    return {"gpu": gpu, "price": price, "card": card_room(chosen.smallest.name, chosen.smallest.memory_gb)}


def resolved_before(olds: Props, news: Props) -> Props | None:
    """The last answer of `resolve`, when the same is asked again; None when something else is."""
    if not olds.get("price") or any((olds.get(key) or None) != (news.get(key) or None) for key in ASKED):
        return None
    return {key: olds.get(key) for key in RESOLVED}


def _match(name: str, catalog: tuple[GpuType, ...]) -> tuple[GpuType, ...]:
    """All offered types that `name` can mean; they must lie in one pool, else the name is too short."""
    tokens = _tokens(name)
    exact = [gpu for gpu in catalog if tokens in (_tokens(gpu.name), _tokens(gpu.id))]
    loose = [gpu for gpu in catalog if tokens <= _tokens(gpu.name) | _tokens(gpu.id)]
    found = [gpu for gpu in exact if gpu.offered] or [gpu for gpu in loose if gpu.offered]
    if not tokens or not found:
        raise NotOffered(_not_offered(name, exact or loose, catalog))
    pools = {gpu.pool for gpu in found}
    if len(pools) > 1:
        raise NotOffered(f'"{name}" can mean {", ".join(sorted(g.name for g in found))}: use one of these names')
    return tuple(found)


def _not_offered(name: str, known: list[GpuType], catalog: tuple[GpuType, ...]) -> str:
    memory_gb = known[0].memory_gb if known else _NOT_SERVERLESS.get(" ".join(name.lower().split()), 0)
    text = f'RunPod serverless does not offer "{name}"'
    fitting = [gpu for gpu in catalog if gpu.offered and gpu.memory_gb >= memory_gb]
    if memory_gb and fitting:
        best = min(fitting, key=lambda gpu: (gpu.usd_per_h or 0, gpu.name))
        text += f". Use {best.name} instead ({best.memory_gb} GB, {best.usd_per_h:.2f} USD/h)"
    return f"{text}. RunPod offers {_offers(catalog)}"


def _offers(catalog: tuple[GpuType, ...]) -> str:
    rows = sorted({(gpu.usd_per_h or 0.0, gpu.name) for gpu in catalog if gpu.offered})
    return ", ".join(f"{name} ({price:.2f} USD/h)" for price, name in rows) or "none"


def _tokens(name: str) -> frozenset[str]:
    """Words of a card's name without the maker: "NVIDIA A100-SXM4-80 GB" → {a100, sxm4, 80gb}."""
    joined = re.sub(r"(\d+)\s*gb\b", r"\1gb", name.lower())
    words = re.findall(r"[a-z0-9]+", joined)
    return frozenset(words) - {"nvidia", "geforce", "tesla", "generation", "gpu"}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
