"""Dynamic providers of what RunPod keeps secret for us: registry credentials and account secrets.
Neither can be read back or renamed, so a new value is a new object; the old one goes last.

Order of a rotation (Pulumi's create-before-delete): the new object is made, the endpoint is pointed to it,
the old one is deleted. At no moment does the endpoint name an object that is not there."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    ResourceProvider,
)

from infra.plain_errors import speaks_plainly
from infra.runpod import errors
from infra.runpod.account import MissingKey, StillThere, client_from_config
from infra.runpod.client import RunPodClient
from infra.runpod.plan import UNKNOWN
from infra.unknown import as_text

IN_USE_WAIT_S = 60.0
IN_USE_POLL_S = 2.0
Props = dict[str, Any]


def versioned_name(base: str, owner: str, *values: str) -> str:
    """`base` with a suffix that any change of `values` changes. Deterministic, so that a run after a lost
    answer finds what it made; scrypt, so that the name does not help to guess a weak password."""
    digest = hashlib.scrypt("\0".join(values).encode(), salt=f"{base}\0{owner}".encode(), n=2**14, r=8, p=1, dklen=5)
    return f"{base}-{digest.hex()}"


class _Versioned(ResourceProvider):
    """Shared life of both kinds: `baseName` and `owner` name it, `fields` are its write-only values."""

    fields: tuple[str, ...]
    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req)

    def check(self, _olds: Props, news: Props) -> CheckResult:
        news = as_text(news)
        failures = [CheckFailure(name, "is empty") for name in ("baseName", *self.fields) if not news.get(name)]
        inputs = {key: news.get(key) for key in ("baseName", "owner", *self.fields)}
        values = [str(news.get(key) or "") for key in ("owner", *self.fields)]
        # While a value is not known the name is not either; the plan then says "replace", which is right.
        unknown = UNKNOWN in values
        inputs["name"] = UNKNOWN if unknown else versioned_name(str(news.get("baseName")), *values)
        return CheckResult(inputs, failures)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        changed = olds.get("name") != news.get("name")
        return DiffResult(changes=changed, replaces=["name"] if changed else [], delete_before_replace=False)

    def create(self, props: Props) -> CreateResult:
        found = self._named(str(props["name"])) or self._make_or_find(props)
        return CreateResult(str(found["id"]), dict(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        """There or gone; values are never returned, so they cannot drift in sight."""
        try:
            self._get(id_)
        except errors.NotFound:
            return ReadResult("", {}, {})
        kept = {key: value for key, value in props.items() if key != "__provider"}
        return ReadResult(id_, kept, dict(kept))

    def delete(self, id_: str, _props: Props) -> None:
        deadline = time.monotonic() + IN_USE_WAIT_S
        while True:
            try:
                self._remove(id_)
                return
            except errors.NotFound:
                return
            except errors.Rejected as refused:
                # In use for as long as a worker of the old release runs.
                if time.monotonic() > deadline:
                    raise StillThere(f"{refused}\nIt is still in use: run again when its workers are done.") from None
                time.sleep(IN_USE_POLL_S)

    def _make_or_find(self, props: Props) -> Mapping[str, Any]:
        try:
            return self._make(props)
        except (errors.OutcomeUnknown, errors.Broken):
            found = self._named(str(props["name"]))
            if found is None:
                raise
            return found

    def _named(self, name: str) -> Mapping[str, Any] | None:
        return next((one for one in self._list() if one.get("name") == name), None)

    # what differs between the kinds

    @abstractmethod
    def _list(self) -> tuple[Mapping[str, Any], ...]: ...

    @abstractmethod
    def _get(self, id_: str) -> Mapping[str, Any]: ...

    @abstractmethod
    def _remove(self, id_: str) -> None: ...

    @abstractmethod
    def _make(self, props: Props) -> Mapping[str, Any]: ...


@speaks_plainly(errors.RunPodError, MissingKey, StillThere)
class RegistryCredentialProvider(_Versioned):
    """User and password of a private container registry."""

    fields = ("username", "password")

    def _list(self) -> tuple[Mapping[str, Any], ...]:
        return self._client.list_registries()

    def _get(self, id_: str) -> Mapping[str, Any]:
        return self._client.get_registry(id_)

    def _remove(self, id_: str) -> None:
        self._client.delete_registry(id_)

    def _make(self, props: Props) -> Mapping[str, Any]:
        return self._client.create_registry(
            name=str(props["name"]), username=str(props["username"]), password=str(props["password"])
        )


@speaks_plainly(errors.RunPodError, MissingKey, StillThere)
class AccountSecretProvider(_Versioned):
    """A value that workers get as `{{ RUNPOD_SECRET_<name> }}`, and that no endpoint read shows."""

    fields = ("value",)

    def _list(self) -> tuple[Mapping[str, Any], ...]:
        return self._client.list_secrets()

    def _get(self, id_: str) -> Mapping[str, Any]:
        return self._client.get_secret(id_)

    def _remove(self, id_: str) -> None:
        self._client.delete_secret(id_)

    def _make(self, props: Props) -> Mapping[str, Any]:
        return self._client.create_secret(name=str(props["name"]), value=str(props["value"]))
