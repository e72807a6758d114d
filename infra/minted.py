"""Secrets and identities that nobody types: random bytes made once, kept in state, rotated by a number.
Values leave as secret outputs only; nothing is stored anywhere but in the stack's encrypted state."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

BYTES_MIN = 16
BYTES_MAX = 64
Props = dict[str, Any]


class MintProvider(ResourceProvider):
    """Makes `current`; a higher `generation` moves it to `previous` and makes a new one, so that what was
    signed or handed out before still holds. `keepPrevious: false` then ends the old one."""

    def check(self, _olds: Props, news: Props) -> CheckResult:
        failures = []
        if not BYTES_MIN <= news.get("bytes", 0) <= BYTES_MAX:
            failures.append(CheckFailure("bytes", f"is {news.get('bytes')}, allowed {BYTES_MIN} to {BYTES_MAX}"))
        if news.get("generation", 0) < 1:
            failures.append(CheckFailure("generation", f"is {news.get('generation')}, allowed from 1"))
        return CheckResult(news, failures)

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(
            changes=any(olds.get(key) != news.get(key) for key in ("bytes", "generation", "keepPrevious"))
        )

    def create(self, props: Props) -> CreateResult:
        outs = {**_inputs(props), "current": _random(props), "previous": ""}
        return CreateResult(secrets.token_hex(8), outs)

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        current, previous = olds["current"], olds.get("previous", "")
        if (news["generation"], news["bytes"]) != (olds["generation"], olds["bytes"]):
            current, previous = _random(news), current
        if not news["keepPrevious"]:
            previous = ""
        return UpdateResult({**_inputs(news), "current": current, "previous": previous})


def _inputs(props: Props) -> Props:
    return {key: props[key] for key in ("bytes", "generation", "keepPrevious")}


def _random(props: Props) -> str:
    return base64.b64encode(secrets.token_bytes(int(props["bytes"]))).decode()


class Minted(Resource, module="minted", name="Secret"):
    """Random bytes, base64. `id` is random too, made with them and not secret: a stack's own identity."""

    current: pulumi.Output[str]
    previous: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        byte_count: int = 32,
        generation: int = 1,
        keep_previous: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        own = pulumi.ResourceOptions(additional_secret_outputs=["current", "previous"])
        props = {
            "bytes": byte_count,
            "generation": generation,
            "keepPrevious": keep_previous,
            "current": None,
            "previous": None,
        }
        super().__init__(MintProvider(), resource_name, props, pulumi.ResourceOptions.merge(opts, own))
