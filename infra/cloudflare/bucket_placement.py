"""Account, name, jurisdiction and preferred region of a bucket. Rejects every later change, with the reason.
Declared before the bucket, so that the rejection comes before anything is sent; creates nothing itself.

Cloudflare fixes all four for a bucket's life, but its provider does not (v5.22, read 2026-11-23). It ignores another
`location`, sends another `jurisdiction` to a bucket that does not exist there, and plans a new bucket and the deletion
of the old one for another account or name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, Resource

from infra.dynamic import Props, StoredInputs

_NEW_STACK = "to move, create a second stack there and copy the objects"
_FIXED: Mapping[str, tuple[str, str]] = {
    "accountId": ("cloudflareAccountId", f"a bucket stays in its account; {_NEW_STACK}"),
    "bucket": (
        "bucketName",
        f"a bucket cannot be renamed. Set this name also after the stack is renamed, or {_NEW_STACK}",
    ),
    "jurisdiction": ("jurisdiction", f"Cloudflare fixes it when the bucket is created; {_NEW_STACK}"),
    "location": ("bucketLocation", f"it applies only when the bucket is created; {_NEW_STACK}"),
}


def rejections(olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(input, reason) of everything that would need another bucket. Nothing is rejected for a new one."""
    return tuple(
        (name, f"photo-splat:{key} was {_shown(olds[name])} and cannot become {_shown(news.get(name))}: {why}")
        for name, (key, why) in _FIXED.items()
        if name in olds and olds[name] != news.get(name)
    )


def _shown(value: Any) -> str:
    return str(value) if value else "not set"


class BucketPlacementProvider(StoredInputs):
    """Stores the four in the state; its check compares with them."""

    inputs = tuple(_FIXED)
    id_input = "bucket"

    def check(self, olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [CheckFailure(name, reason) for name, reason in rejections(olds, news)])


class BucketPlacement(Resource, module="cloudflare", name="BucketPlacement"):
    """Give the bucket these outputs as its inputs, so that it waits for the check. `location` "" is no preference."""

    bucket: pulumi.Output[str]
    jurisdiction: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        bucket: str,
        jurisdiction: str,
        location: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"accountId": account_id, "bucket": bucket, "jurisdiction": jurisdiction, "location": location}
        super().__init__(BucketPlacementProvider(), resource_name, props, opts)
