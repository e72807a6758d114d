"""What the endpoint provider decides about props: GPU resolution, refusals, quota, outputs.
Pure functions over Pulumi's props; no network, no Pulumi."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from infra.runpod import catalog, model

Props = dict[str, Any]
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # Pulumi's wire sentinel of a value that is not known yet
PRICE_SOURCE = "RunPod catalogue, price.serverless"

IDLE_TIMEOUT_S = (1, 3600)  # published document, EndpointWorkers
TIMEOUT_MS = (5_000, 604_800_000)  # console: 5 s to 7 days
QUEUE_DELAY_S_MIN = 0.5
# Computed by the service or by check; everything else in props is an input.
_OUTPUT_ONLY = frozenset({"requestUrls", "createdAt"})
_RESOLVED = ("gpu", "price")
_ECHOED = ("gpuNames", "gpuCount", "minCudaVersion", "price")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One input that cannot be used, and why."""

    property: str
    reason: str


def refusals(news: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """What the API would refuse, found before anything is touched. Unknown values are left to the update."""
    workers, scaling = news.get("workers") or {}, news.get("scaling") or {}
    low, high, idle = workers.get("min", 0), workers.get("max", 0), workers.get("idleTimeout")
    found: list[Refusal] = []

    def refuse(path: str, reason: str) -> None:
        found.append(Refusal(property=path, reason=reason))

    if news.get("type") not in {kind.value for kind in model.EndpointType}:
        refuse("type", f"is {news.get('type')!r}, allowed QUEUE or LOAD_BALANCER")
    if not news.get("name"):
        refuse("name", "is empty: every endpoint needs a name")
    if low < 0 or low > high:
        refuse("workers.min", f"is {low:.0f}, allowed 0 to workers.max ({high:.0f})")
    if idle is not None and not IDLE_TIMEOUT_S[0] <= idle <= IDLE_TIMEOUT_S[1]:
        refuse("workers.idleTimeout", f"is {idle:.0f} s, allowed {IDLE_TIMEOUT_S[0]} to {IDLE_TIMEOUT_S[1]}")
    counted = scaling.get("type") == "REQUEST_COUNT"
    if counted and news.get("type") == "QUEUE" and idle is not None:
        refuse("workers.idleTimeout", "does not exist for a queue that scales by request count: leave it out")
    if news.get("type") == "LOAD_BALANCER" and not counted:
        refuse("scaling.type", "is QUEUE_DELAY, but a load balancer scales on REQUEST_COUNT only")
    if scaling.get("type") == "QUEUE_DELAY" and scaling.get("queueDelay", 0) < QUEUE_DELAY_S_MIN:
        refuse("scaling.queueDelay", f"is {scaling.get('queueDelay')} s, allowed from {QUEUE_DELAY_S_MIN}")
    timeout = news.get("timeout", 0)
    if not TIMEOUT_MS[0] <= timeout <= TIMEOUT_MS[1]:
        refuse("timeout", f"is {timeout:.0f} ms, allowed {TIMEOUT_MS[0]} to {TIMEOUT_MS[1]}")
    if news.get("flashboot", "OFF") not in {mode.value for mode in model.FlashBoot}:
        refuse("flashboot", f"is {news.get('flashboot')!r}, allowed {', '.join(model.FlashBoot)}")
    image = news.get("image")
    if image != UNKNOWN and "@sha256:" not in str(image):
        refuse("image", f"is {image!r}, which can move: give repository@sha256:digest")
    return tuple(found)


def with_gpu(olds: Props, news: Props, gpus: tuple[catalog.GpuType, ...], *, today: date) -> Props:
    """The inputs that follow from GPU names: `gpu` as the API takes it, and `price` with the day on
    which this price was first seen, so that a later preview of the same price shows no change."""
    names = tuple(str(name) for name in news.get("gpuNames") or ())
    count = int(news.get("gpuCount") or 1)
    chosen = catalog.select(names, gpus, count=count)
    gpu = model.Gpu(
        pools=chosen.pools,
        excluded_types=chosen.excluded_types,
        count=count,
        min_cuda_version=str(news.get("minCudaVersion") or ""),
    )
    price = {
        "gpu": chosen.first_choice,
        "usd_per_s": chosen.usd_per_s,
        "as_of": today.isoformat(),
        "source": PRICE_SOURCE,
    }
    before = olds.get("price")
    if isinstance(before, Mapping) and {**price, "as_of": before.get("as_of")} == dict(before):
        price["as_of"] = before["as_of"]
    wire = model.to_wire(model.Endpoint(name="-", image="-", gpu=gpu))["gpu"]
    return {"gpu": wire, "price": price}


def kept_gpu(olds: Props, news: Props) -> Props | None:
    """What `with_gpu` said last time, when the same is asked again; None when something else is."""
    asked = ("gpuNames", "gpuCount", "minCudaVersion")
    if not all(olds.get(key) for key in _RESOLVED) or any(olds.get(k) != news.get(k) for k in asked):
        return None
    return {key: olds[key] for key in _RESOLVED}


def echoes_differ(olds: Props, news: Props) -> bool:
    """Whether inputs that are not part of the endpoint object changed; they are kept in state only."""
    return any(olds.get(key) != news.get(key) for key in _ECHOED)


def adopts_another(id_: str, olds: Props, news: Props) -> bool:
    """Whether `adoptId` newly names an endpoint that is not this one."""
    named = news.get("adoptId")
    return bool(named) and named not in (olds.get("adoptId"), id_)


def outputs(inputs: Mapping[str, Any], body: Mapping[str, Any]) -> Props:
    """State of the resource: inputs as given, and what only the service knows."""
    kept = {key: value for key, value in inputs.items() if key not in _OUTPUT_ONLY and key != "__provider"}
    return {**kept, "requestUrls": dict(body.get("requestUrls") or {}), "createdAt": str(body.get("createdAt"))}


def inputs_of(outs: Mapping[str, Any]) -> Props:
    """The managed keys of a state."""
    return {key: value for key, value in outs.items() if key not in _OUTPUT_ONLY and key != "__provider"}


def cleared(known: model.Endpoint, now: model.Endpoint) -> Props:
    """Empty forms of fields that were known and are gone, so that they do not live on in state."""
    gone = model.to_wire(known).keys() - model.to_wire(now).keys()
    return {key: None for key in gone}


def raises_workers(olds: Props, news: Props) -> bool:
    """Whether the endpoint asks for more workers than before; only then can a quota be newly broken."""
    before = (olds.get("workers") or {}).get("max", 0)
    return bool((news.get("workers") or {}).get("max", 0) > before)


def over_quota(
    news: Props, endpoints: Iterable[Mapping[str, Any]], limits: Mapping[str, Any], *, marker_key: str
) -> tuple[Refusal, ...]:
    """A refusal when max workers over all endpoints would pass the account's quota."""
    quota = _quota(limits)
    if quota is None:
        return ()
    marker = (news.get("env") or {}).get(marker_key)
    others = sum(
        int((endpoint.get("workers") or {}).get("max", 0))
        for endpoint in endpoints
        if (endpoint.get("env") or {}).get(marker_key) != marker and endpoint.get("id") != news.get("adoptId")
    )
    asked = int(news["workers"]["max"])
    if others + asked <= quota:
        return ()
    room = max(0, quota - others)
    reason = (
        f"is {asked}, but the account has room for {room}: its quota is {quota} workers over all endpoints and "
        f"others take {others}. Lower photo-splat:workersMax, or raise the quota by adding balance"
    )
    return (Refusal(property="workers.max", reason=reason),)


def _quota(limits: Mapping[str, Any]) -> int | None:
    """The page of 2026-11-18 names the object `serverlessWorkers` but its stored copy not the fields
    inside, so the usual words are tried; None when none is there."""
    workers = limits.get("serverlessWorkers")
    if isinstance(workers, Mapping):
        for key in ("limit", "max", "quota"):
            value = workers.get(key)
            if isinstance(value, int | float):
                return int(value)
    return None
