"""Where a bucket was made: account, name, jurisdiction, wished region. Refuses every later change, with the reason.
Declared before the bucket, so that the refusal comes before anything is sent; makes nothing itself.

Cloudflare keeps all four for a bucket's life. Its provider does not say so (v5.22, read 2026-11-23): another
`location` is ignored in silence, another `jurisdiction` is sent to a bucket that is not there, another account or
name plans a new bucket and the deletion of the old one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, Resource, ResourceProvider

Props = dict[str, Any]
_NEW_STACK = "to move, make a second stack there and copy the objects"
_WHY: Mapping[str, tuple[str, str]] = {
    "accountId": ("cloudflareAccountId", f"a bucket stays in its account; {_NEW_STACK}"),
    "bucket": (
        "bucketName",
        f"a bucket cannot be renamed; keep this name also when the stack is renamed, or {_NEW_STACK}",
    ),
    "jurisdiction": ("jurisdiction", f"Cloudflare fixes it when the bucket is made; {_NEW_STACK}"),
    "location": (
        "bucketLocation",
        f"Cloudflare hears this wish when it makes a bucket, and ignores it later; {_NEW_STACK}",
    ),
}


def refusals(olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(input, reason) of everything that another bucket would be needed for. Nothing is refused at first."""
    return tuple(
        (name, f"photo-splat:{key} was {_shown(olds[name])} and cannot become {_shown(news.get(name))}: {why}")
        for name, (key, why) in _WHY.items()
        if name in olds and olds[name] != news.get(name)
    )


def _shown(value: Any) -> str:
    return str(value) if value else "not set"


class PlaceProvider(ResourceProvider):
    """Keeps the four in state; its check compares with them."""

    def check(self, olds: Props, news: Props) -> CheckResult:
        return CheckResult(news, [CheckFailure(name, reason) for name, reason in refusals(olds, news)])

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        return DiffResult(changes=False)

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props["bucket"]), {name: props[name] for name in _WHY})


class BucketPlace(Resource, module="storage", name="BucketPlace"):
    """Give the bucket these outputs as its inputs: then it waits for the check. `location` "" is no wish."""

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
        super().__init__(PlaceProvider(), resource_name, props, opts)
