"""Dynamic provider of a network volume: grows in place, is replaced where the API cannot change it.
A replacement loses the data, so it is always in the plan's `replaces`, and `protect` stops it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
    UpdateResult,
)

from infra.plain_errors import speaks_plainly
from infra.runpod import errors
from infra.runpod.account import MissingKey, client_from_config
from infra.runpod.client import RunPodClient

SIZE_GB = (10, 4096)  # published document, CreateNetworkVolumeRequest
TYPES = ("STANDARD", "HIGH_PERFORMANCE")
Props = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Volume:
    """What a volume is declared with. `type` "" leaves it to the data centre."""

    name: str
    size_gb: int
    data_center: str
    type: str = ""


def from_props(props: Mapping[str, Any]) -> Volume:
    return Volume(
        name=str(props["name"]),
        size_gb=int(props["size"]),
        data_center=str(props["dataCenter"]),
        type=str(props.get("type") or ""),
    )


def to_wire(volume: Volume) -> Props:
    body: Props = {"name": volume.name, "size": volume.size_gb, "dataCenter": volume.data_center}
    return {**body, "type": volume.type} if volume.type else body


def replaces(old: Volume, new: Volume) -> tuple[str, ...]:
    """Inputs whose change is another volume: place, tier, and shrinking (the API only grows)."""
    found = []
    if old.data_center != new.data_center:
        found.append("dataCenter")
    if new.type and old.type != new.type:
        found.append("type")
    if new.size_gb < old.size_gb:
        found.append("size")
    return tuple(found)


def patch(old: Volume, new: Volume) -> Props:
    """Only what changed; an empty body is refused by the API and must not be sent."""
    body: Props = {}
    if old.name != new.name:
        body["name"] = new.name
    if old.size_gb != new.size_gb:
        body["size"] = new.size_gb
    return body


@speaks_plainly(errors.RunPodError, MissingKey)
class NetworkVolumeProvider(ResourceProvider):
    """The name carries the owner's mark, as names are not unique: that is how a re-run finds its volume."""

    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req)

    def check(self, _olds: Props, news: Props) -> CheckResult:
        failures = []
        if not SIZE_GB[0] <= news.get("size", 0) <= SIZE_GB[1]:
            failures.append(CheckFailure("size", f"is {news.get('size'):.0f} GB, allowed {SIZE_GB[0]} to {SIZE_GB[1]}"))
        if news.get("type") and news["type"] not in TYPES:
            failures.append(CheckFailure("type", f"is {news['type']!r}, allowed {' or '.join(TYPES)}"))
        if not news.get("dataCenter"):
            failures.append(CheckFailure("dataCenter", "is empty: a volume lies in one data centre"))
        return CheckResult(news, failures)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        old, new = from_props(olds), from_props(news)
        replacing = replaces(old, new)
        return DiffResult(
            changes=bool(replacing or patch(old, new)), replaces=list(replacing), delete_before_replace=True
        )

    def create(self, props: Props) -> CreateResult:
        wanted = from_props(props)
        found = self._named(wanted.name) or self._make(wanted)
        return CreateResult(str(found["id"]), {**to_wire(wanted), "type": str(found.get("type") or wanted.type)})

    def read(self, id_: str, _props: Props) -> ReadResult:
        try:
            now = from_props(self._client.get_volume(id_))
        except errors.NotFound:
            return ReadResult("", {}, {})
        return ReadResult(id_, to_wire(now), to_wire(now))

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        body = patch(from_props(olds), from_props(news))
        found = self._client.update_volume(id_, body) if body else self._client.get_volume(id_)
        return UpdateResult(to_wire(from_props(found)))

    def delete(self, id_: str, _props: Props) -> None:
        try:
            self._client.delete_volume(id_)
        except errors.NotFound:
            return

    def _make(self, wanted: Volume) -> Mapping[str, Any]:
        try:
            return self._client.create_volume(to_wire(wanted))
        except (errors.OutcomeUnknown, errors.Broken):
            found = self._named(wanted.name)
            if found is None:
                raise
            return found

    def _named(self, name: str) -> Mapping[str, Any] | None:
        return next((one for one in self._client.list_volumes() if one.get("name") == name), None)
