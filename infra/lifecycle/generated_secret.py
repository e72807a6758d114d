"""Secrets and identities that nobody types: random bytes, generated once, rotated by a number.
Values leave as secret outputs only, and are stored only in the stack's encrypted state."""

from __future__ import annotations

import base64
import secrets

import pulumi
from pulumi.dynamic import CreateResult, Resource, UpdateResult

from infra.dynamic import Props, StoredInputs

BYTES = 32


class GeneratedSecretProvider(StoredInputs):
    """Generates `current`. A higher `generation` moves it to `previous` and generates a new one, so that what was
    signed or handed out before still works. `keepPrevious: false` then ends the old one."""

    inputs = ("generation", "keepPrevious")

    def create(self, props: Props) -> CreateResult:
        return CreateResult(secrets.token_hex(8), {**self.stored(props), "current": _random(), "previous": ""})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        current, previous = olds["current"], olds["previous"]
        if news["generation"] != olds["generation"]:
            current, previous = _random(), current
        if not news["keepPrevious"]:
            previous = ""
        return UpdateResult({**self.stored(news), "current": current, "previous": previous})


def _random() -> str:
    return base64.b64encode(secrets.token_bytes(BYTES)).decode()


class GeneratedSecret(Resource, module="lifecycle", name="GeneratedSecret"):
    """Random bytes, base64. `id` is random too and not secret: it can serve as an identity."""

    current: pulumi.Output[str]
    previous: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        generation: int = 1,
        keep_previous: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        own = pulumi.ResourceOptions(additional_secret_outputs=["current", "previous"])
        props = {"generation": generation, "keepPrevious": keep_previous, "current": None, "previous": None}
        super().__init__(GeneratedSecretProvider(), resource_name, props, pulumi.ResourceOptions.merge(opts, own))
