"""Endpoints as this program compares them: one canonical form of what is declared, stored and read, and their diff.
No network, no Pulumi. Knows the top-level fields of the API and how each is emptied; what lies inside them is named
only where settings become inputs (infra/components/endpoint.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Wire = dict[str, Any]
QUEUE = "QUEUE"
TYPES = (QUEUE, "LOAD_BALANCER")
# Identifies our endpoint across runs: its value is chosen before the first call, so a lost answer can be found again.
MARKER = "SPLAT_DEPLOYMENT"


@dataclass(frozen=True, kw_only=True)
class Field:
    """A top-level field of an endpoint object. `empty` is how a PATCH says "none", since an omitted field means
    "unchanged" (RunPod facts, section 1.3)."""

    kind: type | tuple[type, ...]
    empty: Any = None
    required: bool = False


# Every field that a PATCH may hold, and `type`, which cannot change. No setting reaches args, networkVolumes and ports:
# they stay empty, and an adopted endpoint loses them. An endpoint with `cpu` has no GPU, and cannot be adopted.
FIELDS: Mapping[str, Field] = {
    "name": Field(kind=str, required=True),
    "type": Field(kind=str),
    "image": Field(kind=str),
    "gpu": Field(kind=dict),
    "cpu": Field(kind=list),
    "workers": Field(kind=dict, required=True),
    "scaling": Field(kind=dict, required=True),
    "timeout": Field(kind=(int, float), required=True),
    "flashboot": Field(kind=str),
    "dataCenterIds": Field(kind=list, empty=[]),
    "networkVolumes": Field(kind=list, empty=[]),
    "args": Field(kind=str, empty=""),
    "ports": Field(kind=list, empty=[]),
    "disk": Field(kind=(int, float)),
    "env": Field(kind=dict, empty={}),
    "registry": Field(kind=str),
}
# Constraints on cards. On create an absent one means none; on PATCH it means "unchanged", so all are sent.
GPU_EMPTY: Mapping[str, Any] = {"excludedTypes": [], "allowedCudaVersions": [], "minCudaVersion": ""}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that differs. `path` is the wire path (`workers.max`)."""

    path: str
    old: Any
    new: Any


class NotInPlace(ValueError):
    """An existing endpoint cannot become what is wanted. `str()` names the field and what to do."""


def canonical(body: Mapping[str, Any]) -> Wire:
    """The endpoint in a read object, a create body or stored props: only FIELDS, whole numbers as integers, nothing
    empty. A value of another type than published is kept if nothing here reads it: a newer API must not stop a refresh.
    Raises ValueError naming a required field that is absent or of another type."""
    found: Wire = {"type": QUEUE, "flashboot": "OFF"}  # what an absent one means
    for name, field in FIELDS.items():
        value = body.get(name)
        if value is None and field.required:
            raise ValueError(f"an endpoint object lacks the field '{name}'")
        if value is None or value == field.empty:
            continue
        if field.required and not _as_published(field, value):
            raise ValueError(f"an endpoint object has a field of another type than published: {name} is {value!r}")
        plain = name != "env" or not isinstance(value, Mapping)
        found[name] = _plain(value) if plain else dict(sorted(value.items()))
    return found


def _as_published(field: Field, value: Any) -> bool:
    return isinstance(value, field.kind) and not isinstance(value, bool)


def _plain(value: Any) -> Any:
    """Without empty entries; Pulumi gives every number as a float, and the API wants integers where it can."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in sorted(value.items()) if inner not in (None, "", [])}
    if isinstance(value, list | tuple):
        return [inner.strip() if isinstance(inner, str) else _plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def diff(old: Wire, new: Wire) -> tuple[Change, ...]:
    """Every value in which two canonical endpoints differ, sorted by path. The order of lists counts: compare a read
    with `align` first."""
    before, after = _flat(old, new), _flat(new, old)
    return tuple(
        Change(path=path, old=before.get(path), new=after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    )


def patch(old: Wire, new: Wire) -> Wire:
    """The smallest PATCH body that turns `old` into `new`: whole sub-objects, and the explicit empty form of what is
    no longer set. A type that is not published is RunPod's own name for what ours became, and stays. Raises NotInPlace
    for an endpoint of another published type or without a GPU."""
    other_type = old["type"] != new["type"] and old["type"] in TYPES
    if other_type or ("gpu" in old) != ("gpu" in new):
        what = "type" if other_type else "gpu"
        raise NotInPlace(
            f"{what} cannot change on an existing endpoint. Delete that endpoint first, or remove "
            "photo-splat:adoptEndpointId if it names the wrong one"
        )
    body: Wire = {}
    for name in sorted({change.path.partition(".")[0] for change in diff(old, new)} - {"type"}):
        body[name] = new.get(name, FIELDS[name].empty)
    if "gpu" in body:
        body["gpu"] = {**GPU_EMPTY, **body["gpu"]}
    return body


def align(known: Wire, read: Wire) -> Wire:
    """`read` without what is not drift: list orders that the API does not promise to keep, and the variables that the
    platform adds."""
    aligned = {name: _in_order_of(known.get(name), value) for name, value in read.items()}
    if not isinstance(read.get("env", {}), dict):
        return aligned
    ours = known.get("env", {})
    env = {key: value for key, value in read.get("env", {}).items() if key in ours or not key.startswith("RUNPOD_")}
    return {**{name: value for name, value in aligned.items() if name != "env"}, **({"env": env} if env else {})}


def _in_order_of(known: Any, read: Any) -> Any:
    if isinstance(known, dict) and isinstance(read, dict):
        return {key: _in_order_of(known.get(key), value) for key, value in read.items()}
    if isinstance(known, list) and isinstance(read, list) and sorted(map(str, known)) == sorted(map(str, read)):
        return known
    return read


def explain_drift(changes: tuple[Change, ...]) -> tuple[str, ...]:
    """One sentence per drifted value. Names RunPod where RunPod itself changed it."""
    return tuple(_explain(change) for change in changes)


def _explain(change: Change) -> str:
    # Idle rule: no request for 3 days cuts max workers to 2, 7 days to 0 (facts, section 1.4).
    if change.path == "workers.max" and change.new in (0, 2) and change.new < change.old:
        days = 7 if change.new == 0 else 3
        return (
            f"workers.max is {change.new} instead of {change.old}. RunPod lowers it after {days} days without a "
            "request, or after repeated unhealthy workers. The next `splat up` raises it again."
        )
    if change.path in FIELDS and change.new is not None and not _known(change.path, change.new):
        return (
            f"{change.path} is {change.new!r} instead of {change.old!r}. This version of the program does not know "
            "such a value; a newer one may. The next `splat up` sets the value of the settings again."
        )
    return f"{change.path} is {change.new!r} instead of {change.old!r}: it was changed outside this program."


def _known(name: str, value: Any) -> bool:
    return _as_published(FIELDS[name], value) and (name != "type" or value in TYPES)


def _flat(endpoint: Wire, other: Wire) -> Wire:
    """Wire paths to values: objects by their entries unless `other` has something else there, lists whole."""
    flat: Wire = {}
    for name, value in endpoint.items():
        by_entry = isinstance(value, dict) and isinstance(other.get(name, {}), dict)
        flat.update({f"{name}.{key}": entry for key, entry in value.items()} if by_entry else {name: value})
    return flat
