"""The login of a private container registry, as RunPod stores it: Pulumi resource and dynamic provider.
RunPod neither shows nor renames it, so a new password is a new object, and the old one is deleted last.

Order of a rotation (Pulumi's create-before-delete): create the new credential, point the endpoint to it, delete the
old one. At no moment does the endpoint name a credential that does not exist."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
)

from infra.dynamic import UNKNOWN, Props, plain_errors, unknown_as_text
from infra.runpod import errors
from infra.runpod.client import RunPodClient, client_from_config

IN_USE_WAIT_S = 60.0
IN_USE_POLL_S = 2.0
_VALUES = ("username", "password")
_DIGEST_BYTES = 5


def versioned_name(base: str, owner: str, *values: str) -> str:
    """`base` with a suffix that any change of `values` changes. Deterministic, so a run after a lost answer finds what
    it created; scrypt, so that the name does not help to guess a weak password."""
    salt = f"{base}\0{owner}".encode()
    digest = hashlib.scrypt("\0".join(values).encode(), salt=salt, n=2**14, r=8, p=1, dklen=_DIGEST_BYTES)
    return f"{base}-{digest.hex()}"


def is_version_of(base: str, name: str) -> bool:
    """Whether `versioned_name` of `base` can be `name`."""
    return re.fullmatch(rf"{re.escape(base)}-[0-9a-f]{{{2 * _DIGEST_BYTES}}}", name) is not None


@plain_errors(errors.RunPodError, errors.MissingKey, errors.DeletionTimedOut)
class RegistryCredentialProvider(ResourceProvider):
    """`baseName` and `owner` name the credential; user and password are write-only."""

    _client: RunPodClient

    def configure(self, req: ConfigureRequest) -> None:
        self._client = client_from_config(req.config)

    def check(self, _olds: Props, news: Props) -> CheckResult:
        news = unknown_as_text(news)
        failures = [CheckFailure(name, "is empty") for name in ("baseName", *_VALUES) if not news.get(name)]
        inputs = {key: news.get(key) for key in ("baseName", "owner", *_VALUES)}
        values = [str(news.get(key) or "") for key in ("owner", *_VALUES)]
        # While a value is unknown the name is too. The plan then shows a replacement, which is right.
        inputs["name"] = UNKNOWN if UNKNOWN in values else versioned_name(str(news.get("baseName")), *values)
        return CheckResult(inputs, failures)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        changed = olds.get("name") != news.get("name")
        return DiffResult(changes=changed, replaces=["name"] if changed else [], delete_before_replace=False)

    def create(self, props: Props) -> CreateResult:
        found = self._named(str(props["name"])) or self._create_or_find(props)
        return CreateResult(str(found["id"]), dict(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        """Only whether it exists: RunPod never returns the values, so no drift can show."""
        try:
            self._client.get_registry(id_)
        except errors.NotFound:
            return ReadResult("", {}, {})
        kept = {key: value for key, value in props.items() if key != "__provider"}
        return ReadResult(id_, kept, dict(kept))

    def delete(self, id_: str, _props: Props) -> None:
        deadline = time.monotonic() + IN_USE_WAIT_S
        while True:
            try:
                self._client.delete_registry(id_)
                return
            except errors.NotFound:
                return
            except errors.Rejected as refused:
                # In use for as long as a worker of the old release runs.
                if time.monotonic() > deadline:
                    raise errors.DeletionTimedOut(
                        f"{refused}\nThe credential is still in use: run again when its workers have stopped."
                    ) from None
                time.sleep(IN_USE_POLL_S)

    def _create_or_find(self, props: Props) -> Mapping[str, Any]:
        try:
            return self._client.create_registry(
                name=str(props["name"]), username=str(props["username"]), password=str(props["password"])
            )
        except (errors.OutcomeUnknown, errors.ServerError):
            found = self._named(str(props["name"]))
            if found is None:
                raise
            return found

    def _named(self, name: str) -> Mapping[str, Any] | None:
        return next((one for one in self._client.list_registries() if one.get("name") == name), None)


class RegistryCredential(Resource, module="runpod", name="RegistryCredential"):
    """`id` is what an endpoint names as `registry`. Another user or password is another credential."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        base_name: str,
        owner: pulumi.Input[str],
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "baseName": base_name,
            "owner": owner,
            "username": username,
            "password": pulumi.Output.secret(password),
            "name": None,
        }
        super().__init__(RegistryCredentialProvider(), resource_name, props, opts)
