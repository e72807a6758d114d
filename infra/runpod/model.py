"""Pure mapping of endpoint inputs to RunPod objects, and their diff.
No network, no Pulumi; every rule is a table row in its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

Wire = dict[str, Any]


class EndpointType(StrEnum):
    """How requests reach workers. Fixed for an endpoint's life."""

    QUEUE = "QUEUE"
    LOAD_BALANCER = "LOAD_BALANCER"


class FlashBoot(StrEnum):
    OFF = "OFF"
    FLASHBOOT = "FLASHBOOT"
    PRIORITY_FLASHBOOT = "PRIORITY_FLASHBOOT"


class Effect(StrEnum):
    """What a change does to the running endpoint."""

    UPDATE = "update"  # reaches the autoscaler promptly
    RELEASE = "release"  # a new release rolls as workers cycle
    REPLACE = "replace"  # another endpoint with another id


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Which cards workers run on: whole pools minus types."""

    pools: tuple[str, ...]
    excluded_types: tuple[str, ...] = ()
    count: int = 1
    allowed_cuda_versions: tuple[str, ...] = ()
    min_cuda_version: str = ""


@dataclass(frozen=True, kw_only=True)
class Cpu:
    """One eligible CPU flavour."""

    id: str
    vcpu_count: int


@dataclass(frozen=True, kw_only=True)
class Workers:
    """`idle_timeout_s` is None where the API has no such field (queue scaled by request count)."""

    min: int = 0
    max: int = 3
    idle_timeout_s: int | None = 10


@dataclass(frozen=True, kw_only=True)
class QueueDelay:
    """Add a worker when a request waited longer than `seconds`."""

    seconds: float = 4.0


@dataclass(frozen=True, kw_only=True)
class RequestCount:
    """Want one worker per `requests` in flight."""

    requests: int = 1


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Everything that a serverless endpoint is declared with; no template, all inline."""

    name: str
    image: str
    type: EndpointType = EndpointType.QUEUE
    gpu: Gpu | None = None
    cpu: tuple[Cpu, ...] = ()
    workers: Workers = field(default_factory=Workers)
    scaling: QueueDelay | RequestCount = field(default_factory=QueueDelay)
    timeout_ms: int = 600_000
    flashboot: FlashBoot = FlashBoot.OFF
    data_center_ids: tuple[str, ...] = ()
    network_volumes: tuple[str, ...] = ()
    args: str = ""
    disk_gb: int | None = None
    ports: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    registry: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field that differs. `path` is the wire path (`workers.max`)."""

    path: str
    old: Any
    new: Any
    effect: Effect


class NotInPlace(ValueError):
    """An existing endpoint cannot become what is wanted. `str()` names the fields and what to do."""


# Sub-objects travel whole, so a change inside one names its first segment here.
_EFFECTS: Mapping[str, Effect] = {
    "name": Effect.UPDATE,
    "type": Effect.REPLACE,
    "gpu": Effect.RELEASE,
    "cpu": Effect.RELEASE,
    "workers": Effect.UPDATE,
    "scaling": Effect.UPDATE,
    "timeout": Effect.UPDATE,
    "flashboot": Effect.UPDATE,
    "dataCenterIds": Effect.UPDATE,
    "networkVolumes": Effect.RELEASE,
    "args": Effect.RELEASE,
    "disk": Effect.RELEASE,
    "ports": Effect.RELEASE,
    "env": Effect.RELEASE,
    "image": Effect.RELEASE,
    "registry": Effect.RELEASE,
}


def to_wire(endpoint: Endpoint) -> Wire:
    """The body of a create: every field that is set, numbers as integers where the API wants them."""
    body: Wire = {
        "name": endpoint.name,
        "type": endpoint.type.value,
        "image": endpoint.image,
        "workers": _workers_to_wire(endpoint.workers),
        "scaling": _scaling_to_wire(endpoint.scaling),
        "timeout": endpoint.timeout_ms,
        "flashboot": endpoint.flashboot.value,
        "dataCenterIds": list(endpoint.data_center_ids),
        "networkVolumes": list(endpoint.network_volumes),
        "env": dict(sorted(endpoint.env.items())),
    }
    if endpoint.gpu is not None:
        body["gpu"] = _gpu_to_wire(endpoint.gpu)
    if endpoint.cpu:
        body["cpu"] = [{"id": cpu.id, "vcpuCount": cpu.vcpu_count} for cpu in endpoint.cpu]
    if endpoint.args:
        body["args"] = endpoint.args
    if endpoint.disk_gb is not None:
        body["disk"] = endpoint.disk_gb
    if endpoint.ports:
        body["ports"] = list(endpoint.ports)
    if endpoint.registry is not None:
        body["registry"] = endpoint.registry
    return body


def from_wire(body: Mapping[str, Any]) -> Endpoint:
    """An endpoint from a read object, a create body or stored props. Floats become integers,
    absent and empty mean the same. Raises ValueError naming the field that makes no sense."""
    gpu = body.get("gpu")
    try:
        return Endpoint(
            name=str(body["name"]),
            image=str(body.get("image") or ""),
            type=EndpointType(body.get("type") or EndpointType.QUEUE),
            gpu=_gpu_from_wire(gpu) if gpu else None,
            cpu=tuple(Cpu(id=str(c["id"]), vcpu_count=int(c["vcpuCount"])) for c in body.get("cpu") or ()),
            workers=_workers_from_wire(body["workers"]),
            scaling=_scaling_from_wire(body["scaling"]),
            timeout_ms=int(body["timeout"]),
            flashboot=FlashBoot(body.get("flashboot") or FlashBoot.OFF),
            data_center_ids=_strings(body.get("dataCenterIds")),
            network_volumes=_strings(body.get("networkVolumes")),
            args=str(body.get("args") or ""),
            disk_gb=int(body["disk"]) if body.get("disk") is not None else None,
            ports=_strings(body.get("ports")),
            env={str(k): str(v) for k, v in sorted((body.get("env") or {}).items())},
            registry=str(body["registry"]) if body.get("registry") else None,
        )
    except KeyError as missing:
        raise ValueError(f"an endpoint object lacks the field {missing}") from None
    except (TypeError, AttributeError, OverflowError) as problem:
        raise ValueError(f"an endpoint object has a field of another type than published: {problem}") from None


def diff(old: Endpoint, new: Endpoint) -> tuple[Change, ...]:
    """Every field in which `new` differs from `old`, sorted by path. Order of lists counts:
    compare a read with `align` first. Switching between gpu and cpu is a replacement."""
    before, after = _flat(old), _flat(new)
    family_changes = (old.gpu is None) != (new.gpu is None)
    changes = []
    for path in sorted(before.keys() | after.keys()):
        was, will = before.get(path), after.get(path)
        if was == will:
            continue
        head = path.partition(".")[0]
        effect = Effect.REPLACE if head in {"gpu", "cpu"} and family_changes else _EFFECTS[head]
        changes.append(Change(path=path, old=was, new=will, effect=effect))
    return tuple(changes)


def patch(old: Endpoint, new: Endpoint) -> Wire:
    """The smallest PATCH body that turns `old` into `new`: whole sub-objects, and the explicit
    empty form of what is no longer set. Raises NotInPlace when only a replacement would do."""
    changes = diff(old, new)
    replacing = [change.path for change in changes if change.effect is Effect.REPLACE]
    if replacing:
        raise NotInPlace(
            f"{', '.join(replacing)} cannot change on an existing endpoint: delete that one first, or take "
            "photo-splat:adoptEndpointId away if it names the wrong one"
        )
    body: Wire = {}
    wire = to_wire(new)
    for head in sorted({change.path.partition(".")[0] for change in changes}):
        body[head] = wire.get(head, _EMPTY.get(head))
    if "gpu" in body and new.gpu is not None and old.gpu is not None:
        # On create an absent constraint is none; on PATCH it is "unchanged", so say it.
        body["gpu"]["excludedTypes"] = list(new.gpu.excluded_types)
        body["gpu"]["allowedCudaVersions"] = list(new.gpu.allowed_cuda_versions)
        body["gpu"]["minCudaVersion"] = new.gpu.min_cuda_version
    if "disk" in body and body["disk"] is None:
        raise NotInPlace("disk cannot be un-set on an existing endpoint: name a size in GB")
    return body


# How the API is told "none" (an omitted field means "unchanged"). RunPod facts, section 1.3.
_EMPTY: Mapping[str, Any] = {"args": "", "ports": [], "registry": None, "disk": None}


def align(known: Endpoint, read: Endpoint) -> Endpoint:
    """`read` with what is not drift taken from `known`: list orders that the API does not promise
    to keep, what was left to the platform's default, and RUNPOD_ variables that it adds."""
    gpu = read.gpu
    if gpu is not None and known.gpu is not None:
        gpu = replace(
            gpu,
            pools=_in_order_of(known.gpu.pools, gpu.pools),
            excluded_types=_in_order_of(known.gpu.excluded_types, gpu.excluded_types),
            allowed_cuda_versions=_in_order_of(known.gpu.allowed_cuda_versions, gpu.allowed_cuda_versions),
        )
    workers = replace(read.workers, idle_timeout_s=None) if known.workers.idle_timeout_s is None else read.workers
    added = {key for key in read.env if key.startswith("RUNPOD_") and key not in known.env}
    return replace(
        read,
        gpu=gpu,
        workers=workers,
        data_center_ids=_in_order_of(known.data_center_ids, read.data_center_ids),
        network_volumes=_in_order_of(known.network_volumes, read.network_volumes),
        ports=_in_order_of(known.ports, read.ports),
        env={key: value for key, value in read.env.items() if key not in added},
        disk_gb=read.disk_gb if known.disk_gb is not None else None,
    )


def explain_drift(changes: tuple[Change, ...]) -> tuple[str, ...]:
    """One sentence per drifted field; the platform's own doings are named as such."""
    return tuple(_explain(change) for change in changes)


def _explain(change: Change) -> str:
    # Idle rule: no request for 3 days cuts max workers to 2, 7 days to 0 (facts, section 1.4).
    if change.path == "workers.max" and change.new in (0, 2) and change.new < change.old:
        days = 7 if change.new == 0 else 3
        return (
            f"workers.max is {change.new} instead of {change.old}: RunPod itself cuts it after {days} days without "
            "a request (or after repeated unhealthy workers); the next `pulumi up` raises it again."
        )
    return f"{change.path} is {change.new!r} instead of {change.old!r}: changed outside this program."


def _flat(endpoint: Endpoint) -> dict[str, Any]:
    """Wire paths to comparable values. Maps and lists of values stay whole, except env per key."""
    flat: dict[str, Any] = {}
    for key, value in to_wire(endpoint).items():
        if key in {"workers", "scaling", "env"}:
            flat.update({f"{key}.{name}": entry for name, entry in value.items()})
        elif key == "gpu":
            full = {"excludedTypes": [], "allowedCudaVersions": [], "minCudaVersion": "", **value}
            flat.update({f"gpu.{name}": entry for name, entry in full.items()})
        else:
            flat[key] = value
    return flat


def _in_order_of(known: tuple[str, ...], read: tuple[str, ...]) -> tuple[str, ...]:
    return known if sorted(known) == sorted(read) else read


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(entry) for entry in value or ())


def _gpu_to_wire(gpu: Gpu) -> Wire:
    body: Wire = {"pools": list(gpu.pools), "count": gpu.count}
    if gpu.excluded_types:
        body["excludedTypes"] = list(gpu.excluded_types)
    if gpu.allowed_cuda_versions:
        body["allowedCudaVersions"] = list(gpu.allowed_cuda_versions)
    if gpu.min_cuda_version:
        body["minCudaVersion"] = gpu.min_cuda_version
    return body


def _gpu_from_wire(body: Mapping[str, Any]) -> Gpu:
    return Gpu(
        pools=_strings(body["pools"]),
        excluded_types=tuple(entry.strip() for entry in _strings(body.get("excludedTypes"))),
        count=int(body.get("count") or 1),
        allowed_cuda_versions=_strings(body.get("allowedCudaVersions")),
        min_cuda_version=str(body.get("minCudaVersion") or ""),
    )


def _workers_to_wire(workers: Workers) -> Wire:
    body: Wire = {"min": workers.min, "max": workers.max}
    if workers.idle_timeout_s is not None:
        body["idleTimeout"] = workers.idle_timeout_s
    return body


def _workers_from_wire(body: Mapping[str, Any]) -> Workers:
    idle = body.get("idleTimeout")
    return Workers(min=int(body["min"]), max=int(body["max"]), idle_timeout_s=int(idle) if idle is not None else None)


def _scaling_to_wire(scaling: QueueDelay | RequestCount) -> Wire:
    if isinstance(scaling, QueueDelay):
        return {"type": "QUEUE_DELAY", "queueDelay": scaling.seconds}
    return {"type": "REQUEST_COUNT", "requestCount": scaling.requests}


def _scaling_from_wire(body: Mapping[str, Any]) -> QueueDelay | RequestCount:
    match body.get("type"):
        case "QUEUE_DELAY":
            return QueueDelay(seconds=float(body["queueDelay"]))
        case "REQUEST_COUNT":
            return RequestCount(requests=int(body["requestCount"]))
        case other:
            raise ValueError(f"scaling.type is {other!r}, allowed QUEUE_DELAY or REQUEST_COUNT")
