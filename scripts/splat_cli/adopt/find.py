"""Finds what a stack is asked to adopt, and refuses what another stack owns or the service cannot use. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.cloudflare.api import Bucket, CloudflareApi, CloudflareApiError, NotFound, Script
from infra.runpod import errors, model
from infra.runpod.client import RunPodClient
from scripts.splat_cli.errors import CommandError, ServiceError

PROJECT = "photo-splat"
ACCOUNT_KEY = f"{PROJECT}:cloudflareAccountId"
JURISDICTIONS = ("default", "eu", "fedramp")
# Every script of this project has these bindings, and no other script does.
OUR_BINDINGS = {"API_TOKENS", "HOOK_KEYS"}
OLD_FLASHBOOT = " -fb"  # endpoints from before 2026-03 have it in their name
NAMES_SHOWN_MAX = 12


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to adopt: an endpoint by name or id, a bucket and a script by name. None lets the stack create its own."""

    endpoint: str | None = None
    bucket: str | None = None
    script: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What exists. endpoint: RunPod's object; bindings: the script's, name to type."""

    endpoint: Mapping[str, Any] | None = None
    bucket: Bucket | None = None
    jurisdiction: str = "default"
    script: Script | None = None
    bindings: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """The configuration that makes the next `pulumi up` adopt them."""
        found: dict[str, str] = {}
        if self.endpoint is not None:
            found[f"{PROJECT}:adoptEndpointId"] = str(self.endpoint["id"])
        if self.bucket is not None:
            found |= {f"{PROJECT}:bucketName": self.bucket.name, f"{PROJECT}:adoptBucket": "true"}
        if self.script is not None:
            found |= {f"{PROJECT}:scriptName": self.script.name, f"{PROJECT}:adoptScript": "true"}
        return found

    @property
    def rows(self) -> tuple[tuple[str, str, str], ...]:
        """(kind, name, description), one row each. Never a value of a variable or binding."""
        rows: list[tuple[str, str, str]] = []
        if self.endpoint is not None:
            now = model.canonical(self.endpoint)
            about = f"{now['workers']['min']} to {now['workers']['max']} workers, image {now.get('image', 'none')}"
            rows.append(("endpoint", f"{now['name']} ({self.endpoint['id']})", about))
        if self.bucket is not None:
            created = self.bucket.created_on[:10]
            about = f"jurisdiction {self.jurisdiction}, region {self.bucket.location}, created {created}"
            rows.append(("bucket", self.bucket.name, about))
        if self.script is not None:
            tag = f", Durable Objects at {self.script.migration_tag}" if self.script.migration_tag else ""
            names = ", ".join(sorted(self.bindings)) or "none"
            rows.append(("script", self.script.name, f"bindings: {names}{tag}"))
        return tuple(rows)


def find(wanted: Wanted, *, runpod: RunPodClient, cloudflare: CloudflareApi, jurisdiction: str) -> Found:
    """Everything that is wanted. Raises CommandError with what exists instead, ServiceError when a service fails."""
    if wanted == Wanted():
        raise CommandError(
            "There is nothing to adopt.", hint="name at least one: --endpoint NAME_OR_ID, --bucket NAME, --script NAME"
        )
    try:
        endpoint = _endpoint(wanted.endpoint, runpod.list_endpoints()) if wanted.endpoint else None
        bucket = _bucket(wanted.bucket, cloudflare, jurisdiction) if wanted.bucket else None
        script = _script(wanted.script, cloudflare.scripts()) if wanted.script else None
        bindings = cloudflare.script_bindings(script.name) if script else {}
        if bucket is not None and _has_a_stack(bucket.name, cloudflare.token_names()):
            raise _owned(f"Bucket {bucket.name}", "bucketName and adoptBucket")
    except (errors.RunPodError, CloudflareApiError) as problem:
        raise ServiceError(str(problem), hint="fix that, then run the same command again") from None
    if script is not None and bindings.keys() >= OUR_BINDINGS:
        raise _owned(f"Script {script.name}", "scriptName and adoptScript")
    return Found(endpoint=endpoint, bucket=bucket, jurisdiction=jurisdiction, script=script, bindings=bindings)


def _endpoint(name: str, all_endpoints: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    known = tuple(all_endpoints)
    by_id = [one for one in known if one.get("id") == name]
    found = by_id or [one for one in known if str(one.get("name", "")).removesuffix(OLD_FLASHBOOT) == name]
    if not found:
        raise CommandError(
            f"The RunPod account has no endpoint {name!r}. It has: {_names(str(one.get('name')) for one in known)}.",
            hint="name one of these, or check that runpod:apiKey belongs to the right account",
        )
    if len(found) > 1:
        ids = ", ".join(f"{one['id']} (created {str(one.get('createdAt'))[:10]})" for one in found)
        raise CommandError(f"{len(found)} endpoints are named {name!r}: {ids}.", hint="use the id: --endpoint ID")
    [one] = found
    if (one.get("env") or {}).get(model.MARKER):
        raise CommandError(
            f"Endpoint {one['id']} belongs to another stack of this project.",
            hint="remove the endpoint from that stack's state (pulumi state delete) and delete its variable "
            f"{model.MARKER}, or destroy that stack",
        )
    if one.get("type") != model.QUEUE or not one.get("gpu"):
        raise CommandError(
            f"Endpoint {one['id']} has type {one.get('type')}{'' if one.get('gpu') else ' and no GPU'}. "
            "The service needs type QUEUE with a GPU, and neither can be changed.",
            hint="leave out --endpoint: the stack creates its own",
        )
    return one


def _bucket(name: str, cloudflare: CloudflareApi, jurisdiction: str) -> Bucket:
    try:
        return cloudflare.bucket(name, jurisdiction=jurisdiction)
    except NotFound:
        pass
    for other in JURISDICTIONS:
        if other != jurisdiction and _exists(name, cloudflare, other):
            raise CommandError(
                f"Bucket {name!r} is in jurisdiction {other}, but the stack uses {jurisdiction}.",
                hint=f"splat pulumi config set jurisdiction {other}, then run the same command again",
            )
    raise CommandError(
        f"The Cloudflare account has no bucket {name!r} in any jurisdiction.",
        hint=f"check the name, and that {ACCOUNT_KEY} is the account that has it",
    )


def _exists(name: str, cloudflare: CloudflareApi, jurisdiction: str) -> bool:
    try:
        cloudflare.bucket(name, jurisdiction=jurisdiction)
    except CloudflareApiError:  # the account may not have this jurisdiction at all
        return False
    return True


def _script(name: str, scripts: Iterable[Script]) -> Script:
    known = {one.name: one for one in scripts}
    if name not in known:
        raise CommandError(
            f"The Cloudflare account has no script {name!r}. It has: {_names(known)}.",
            hint=f"name one of these, or check that {ACCOUNT_KEY} is the account that has it",
        )
    return known[name]


def _has_a_stack(bucket: str, token_names: Iterable[str]) -> bool:
    """Whether a stack of this project has a key of its own to the bucket (infra/components/storage.py names it)."""
    key = re.compile(rf"{re.escape(bucket)} objects [0-9a-f]+")
    return any(key.fullmatch(name) for name in token_names)


def _owned(what: str, keys: str) -> CommandError:
    return CommandError(
        f"{what} belongs to another stack of this project. Destroying either stack would delete it.",
        hint=f"remove it from that stack's state (pulumi state delete) and set {keys} by hand, or destroy that stack",
    )


def _names(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f", and {len(known) - NAMES_SHOWN_MAX} more" if len(known) > NAMES_SHOWN_MAX else ""
    return (", ".join(known[:NAMES_SHOWN_MAX]) or "none") + more
