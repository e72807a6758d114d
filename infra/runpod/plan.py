"""What the endpoint provider decides about props: GPU resolution, refusals, quota, outputs.
Pure functions over Pulumi's props; no network, no Pulumi."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
_ASKED = ("gpuNames", "gpuCount", "minCudaVersion", "allowedCudaVersions", "cpu")
_ECHOED = ("gpuNames", "gpuCount", "minCudaVersion", "allowedCudaVersions", "price")


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One input that cannot be used, and why."""

    property: str
    reason: str


def refusals(news: Mapping[str, Any]) -> tuple[Refusal, ...]:
    """What the API would refuse, found before anything is touched. Unknown values are left to the update."""
    known = {key: value for key, value in news.items() if not has_unknown(value)}
    wrong = _wrong_types(known, later=news.keys() - known.keys())
    if wrong:
        return wrong
    found: list[Refusal] = []

    def refuse(path: str, reason: str) -> None:
        found.append(Refusal(property=path, reason=reason))

    if "type" in known and known["type"] not in {kind.value for kind in model.EndpointType}:
        refuse("type", f"is {known['type']!r}, allowed QUEUE or LOAD_BALANCER")
    if known.get("name", "-") == "":
        refuse("name", "is empty: every endpoint needs a name")
    if "image" in known and "@sha256:" not in known["image"]:
        refuse("image", f"is {known['image']!r}, which can move: give repository@sha256:digest")
    if known.get("flashboot", "OFF") not in {mode.value for mode in model.FlashBoot}:
        refuse("flashboot", f"is {known['flashboot']!r}, allowed {', '.join(model.FlashBoot)}")
    if "timeout" in known and not TIMEOUT_MS[0] <= known["timeout"] <= TIMEOUT_MS[1]:
        refuse("timeout", f"is {known['timeout']:.0f} ms, allowed {TIMEOUT_MS[0]} to {TIMEOUT_MS[1]}")
    if known.get("disk") is not None and known["disk"] < 1:
        refuse("disk", f"is {known['disk']:.0f} GB, allowed from 1")
    if known.get("minCudaVersion") and known.get("allowedCudaVersions"):
        refuse("allowedCudaVersions", "cannot stand beside minCudaVersion: name a list or a floor")
    if known.get("cpu") and known.get("gpuNames"):
        refuse("cpu", "cannot stand beside gpuNames: workers have one or the other")
    found += _scaling_refusals(known)
    return tuple(found)


def _scaling_refusals(known: Mapping[str, Any]) -> list[Refusal]:
    """How many workers, and when they come and go."""
    workers, scaling, kind = known.get("workers"), known.get("scaling"), known.get("type")
    found: list[Refusal] = []

    def refuse(path: str, reason: str) -> None:
        found.append(Refusal(property=path, reason=reason))

    if workers is not None:
        low, high, idle = workers.get("min", 0), workers.get("max", 0), workers.get("idleTimeout")
        if low < 0 or low > high:
            refuse("workers.min", f"is {low:.0f}, allowed 0 to workers.max ({high:.0f})")
        if idle is not None and not IDLE_TIMEOUT_S[0] <= idle <= IDLE_TIMEOUT_S[1]:
            refuse("workers.idleTimeout", f"is {idle:.0f} s, allowed {IDLE_TIMEOUT_S[0]} to {IDLE_TIMEOUT_S[1]}")
        if scaling and scaling.get("type") == "REQUEST_COUNT" and kind == "QUEUE" and idle is not None:
            refuse("workers.idleTimeout", "does not exist for a queue that scales by request count: leave it out")
    match (scaling or {}).get("type"):
        case "QUEUE_DELAY":
            delay_s = scaling.get("queueDelay", 0) if scaling else 0
            if kind == "LOAD_BALANCER":
                refuse("scaling.type", "is QUEUE_DELAY, but a load balancer scales on REQUEST_COUNT only")
            if delay_s < QUEUE_DELAY_S_MIN:
                refuse("scaling.queueDelay", f"is {delay_s} s, allowed from {QUEUE_DELAY_S_MIN}")
        case "REQUEST_COUNT":
            count = scaling.get("requestCount", 0) if scaling else 0
            if count < 1:
                refuse("scaling.requestCount", f"is {count:.0f}, allowed from 1")
        case other if scaling is not None:
            refuse("scaling.type", f"is {other!r}, allowed QUEUE_DELAY or REQUEST_COUNT")
    return found


# Path -> (what it must be, in words). Numbers arrive as floats; absent and None mean "not set" where allowed.
_TEXT, _NUMBER, _MAP, _LIST = (str,), (int, float), (Mapping,), (list, tuple)
_KINDS: Mapping[str, tuple[tuple[type, ...], str, bool]] = {
    "name": (_TEXT, "text", True),
    "type": (_TEXT, "text", True),
    "image": (_TEXT, "text", True),
    "workers": (_MAP, "an object with min, max, idleTimeout", True),
    "scaling": (_MAP, "an object with type and queueDelay or requestCount", True),
    "timeout": (_NUMBER, "a number of milliseconds", True),
    "disk": (_NUMBER, "a number of GB", False),
    "args": (_TEXT, "text", False),
    "registry": (_TEXT, "the id of a registry credential", False),
    "env": (_MAP, "an object of texts", False),
    "gpuNames": (_LIST, "a list of names", False),
    "cpu": (_LIST, "a list of {id, vcpuCount}", False),
    "dataCenterIds": (_LIST, "a list of ids", False),
    "networkVolumes": (_LIST, "a list of ids", False),
    "ports": (_LIST, 'a list like ["8000/http"]', False),
}


def _wrong_types(known: Mapping[str, Any], *, later: Collection[str]) -> tuple[Refusal, ...]:
    """Inputs that are missing or not even of the right kind; all other rules may then count on it."""
    found: list[Refusal] = []

    def expect(path: str, value: Any, kinds: tuple[type, ...], words: str) -> None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            found.append(Refusal(property=path, reason=f"is {value!r}, expected {words}"))

    for name, (kinds, words, needed) in _KINDS.items():
        if known.get(name) is not None:
            expect(name, known[name], kinds, words)
        elif needed and name not in later:
            found.append(Refusal(property=name, reason=f"is missing, expected {words}"))
    if found:
        return tuple(found)
    for name in ("workers", "scaling"):
        for key, value in (known.get(name) or {}).items():
            if value is not None:
                expect(f"{name}.{key}", value, *((_TEXT, "text") if key == "type" else (_NUMBER, "a number")))
    for key, value in (known.get("env") or {}).items():
        if not isinstance(value, str):  # the value may be a secret that only lacks its quotes
            found.append(Refusal(property=f"env.{key}", reason=f"is a {type(value).__name__}, expected text"))
    for number, one in enumerate(known.get("cpu") or ()):
        expect(f"cpu[{number}]", one, _MAP, "an object with id and vcpuCount")
        if isinstance(one, Mapping):
            expect(f"cpu[{number}].id", one.get("id"), _TEXT, "text")
            expect(f"cpu[{number}].vcpuCount", one.get("vcpuCount"), _NUMBER, "a number")
    return tuple(found)


def has_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(has_unknown(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(inner) for inner in value)
    return bool(value == UNKNOWN)


def without_unknown(olds: Props, news: Props) -> tuple[Props, bool]:
    """`news` with what is not known yet taken from `olds`, and whether there was any: such a plan is an update."""
    unknown = [key for key, value in news.items() if key not in _OUTPUT_ONLY and has_unknown(value)]
    return {**news, **{key: olds.get(key) for key in unknown}}, bool(unknown)


def with_gpu(olds: Props, news: Props, gpus: tuple[catalog.GpuType, ...], *, today: date) -> Props:
    """The inputs that follow from GPU names: `gpu` as the API takes it, and `price`."""
    names = tuple(str(name) for name in news.get("gpuNames") or ())
    count = int(news.get("gpuCount") or 1)
    chosen = catalog.select(names, gpus, count=count)
    gpu = model.Gpu(
        pools=chosen.pools,
        excluded_types=chosen.excluded_types,
        count=count,
        allowed_cuda_versions=tuple(str(one) for one in news.get("allowedCudaVersions") or ()),
        min_cuda_version=str(news.get("minCudaVersion") or ""),
    )
    wire = model.to_wire(model.Endpoint(name="-", image="-", gpu=gpu))["gpu"]
    return {"gpu": wire, "price": _dated(olds, chosen.first_choice, chosen.usd_per_s, today)}


def with_cpu(olds: Props, news: Props, flavours: tuple[catalog.CpuFlavour, ...], *, today: date) -> Props:
    """The same for workers without a card: their price is that of the first flavour named."""
    choices = tuple(model.Cpu(id=str(one["id"]), vcpu_count=int(one["vcpuCount"])) for one in news["cpu"])
    name, usd_per_s = catalog.cpu_price(tuple((one.id, one.vcpu_count) for one in choices), flavours)
    return {"gpu": None, "price": _dated(olds, name, usd_per_s, today)}


def _dated(olds: Props, name: str, usd_per_s: float, today: date) -> Props:
    """A price with the day on which it was first seen, so that a later preview of the same shows no change."""
    price = {"gpu": name, "usd_per_s": usd_per_s, "as_of": today.isoformat(), "source": PRICE_SOURCE}
    before = olds.get("price")
    if isinstance(before, Mapping) and {**price, "as_of": before.get("as_of")} == dict(before):
        price["as_of"] = before["as_of"]
    return price


def kept_compute(olds: Props, news: Props) -> Props | None:
    """What `with_gpu` or `with_cpu` said last time, when the same is asked again; None when something else is."""
    if not olds.get("price") or any((olds.get(key) or None) != (news.get(key) or None) for key in _ASKED):
        return None
    return {key: olds.get(key) for key in _RESOLVED}


def echoes_differ(olds: Props, news: Props) -> bool:
    """Whether inputs that are not part of the endpoint object changed; they are kept in state only."""
    return any((olds.get(key) or None) != (news.get(key) or None) for key in _ECHOED)


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
    if has_unknown(news.get("workers")):
        return False
    before = (olds.get("workers") or {}).get("max", 0)
    return bool((news.get("workers") or {}).get("max", 0) > before)


def compute_is_unknown(news: Props) -> bool:
    """Whether cards or CPUs follow from something that is not known yet."""
    return any(has_unknown(news.get(key)) for key in _ASKED)


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
