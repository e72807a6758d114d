"""Takes over an endpoint, a bucket and a script that were made by hand: looks them up, shows them, writes the keys.
Changes nothing outside: the next `pulumi up` of the stack adopts them, in place and with their ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.cloudflare.api import Bucket, CloudflareApi, CloudflareApiError, NotFound, Script
from infra.runpod import errors, model
from infra.runpod.client import PRODUCTION_URL, RunPodClient
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.stack import Engine

PROJECT = "photo-splat"
ACCOUNT_KEY = f"{PROJECT}:cloudflareAccountId"
JURISDICTION_KEY = f"{PROJECT}:jurisdiction"
JURISDICTIONS = ("default", "eu", "fedramp")
# What our own endpoints carry (docs/decisions/0007): one that has it belongs to a stack.
MARKER = "SPLAT_DEPLOYMENT"
# Bindings that no script of before this project has, and every one of ours.
OUR_BINDINGS = {"API_TOKENS", "HOOK_KEYS"}
OLD_FLASHBOOT = " -fb"  # how endpoints of before 2026-03 said so, in their name
NAMES_SHOWN_MAX = 12
# Logical names of the program, by which its steps are found in a plan (infra/components).
ENDPOINT, BUCKET, SCRIPT = "splat-gpu-endpoint", "splat-storage-bucket", "splat-edge-script"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to take over: an endpoint by name or id, a bucket and a script by name; None leaves it to the stack."""

    endpoint: str | None = None
    bucket: str | None = None
    script: str | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What is there. `endpoint` is RunPod's object; `bindings` are the script's, name to type."""

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
        """(what, name, what is known of it), one row each. Never a value of a variable or binding."""
        rows: list[tuple[str, str, str]] = []
        if self.endpoint is not None:
            now = model.canonical(self.endpoint)
            about = f"{now['workers']['min']} to {now['workers']['max']} workers, image {now.get('image', 'none')}"
            rows.append(("endpoint", f"{now['name']} ({self.endpoint['id']})", about))
        if self.bucket is not None:
            about = (
                f"jurisdiction {self.jurisdiction}, region {self.bucket.location}, made {self.bucket.created_on[:10]}"
            )
            rows.append(("bucket", self.bucket.name, about))
        if self.script is not None:
            tag = f", Durable Objects at {self.script.migration_tag}" if self.script.migration_tag else ""
            names = ", ".join(sorted(self.bindings)) or "none"
            rows.append(("script", self.script.name, f"bindings: {names}{tag}"))
        return tuple(rows)


def look_up(wanted: Wanted, *, runpod: RunPodClient, cloudflare: CloudflareApi, jurisdiction: str) -> Found:
    """Everything that is wanted, or a CommandError that says what is there instead. Reads only."""
    if wanted == Wanted():  # nothing was asked for
        raise CommandError(
            "Nothing to take over was named.",
            hint="name at least one: --endpoint NAME_OR_ID, --bucket NAME, --script NAME",
        )
    try:
        endpoint = _endpoint(wanted.endpoint, runpod.list_endpoints()) if wanted.endpoint else None
    except errors.RunPodError as problem:
        raise ServiceError(str(problem), hint="mend that, then run the same command again") from None
    try:
        bucket = _bucket(wanted.bucket, cloudflare, jurisdiction) if wanted.bucket else None
        script = _script(wanted.script, cloudflare.scripts()) if wanted.script else None
        bindings = cloudflare.script_bindings(script.name) if script else {}
        if bucket is not None and _has_a_stack(bucket.name, cloudflare.token_names()):
            raise _taken(f"Bucket {bucket.name}", "bucketName and adoptBucket")
        if script is not None and bindings.keys() >= OUR_BINDINGS:
            raise _taken(f"Script {script.name}", "scriptName and adoptScript")
    except CloudflareApiError as problem:
        raise ServiceError(str(problem), hint="mend that, then run the same command again") from None
    return Found(endpoint=endpoint, bucket=bucket, jurisdiction=jurisdiction, script=script, bindings=bindings)


def adopt(
    engine: Engine, wanted: Wanted, *, say: Callable[[str], None], write: bool = True
) -> tuple[Found, tuple[str, ...]]:
    """Look up, tell, write the keys, and tell what the next `pulumi up` will change. `write` False stops
    after the first. Returns what was found and the lines of what will change."""
    config = engine.config()
    _refuse_a_deployed_stack(engine)
    account = config.get(ACCOUNT_KEY, "")
    if not account:
        raise CommandError(
            f"{ACCOUNT_KEY} of stack {engine.stack} is not set.",
            hint=f"splat pulumi config set cloudflareAccountId … --stack {engine.stack}",
        )
    runpod = RunPodClient(
        api_key=_key(engine, config, "runpod:apiKey", "RUNPOD_API_KEY"),
        api_url=config.get("runpod:apiUrl") or PRODUCTION_URL,
    )
    cloudflare = CloudflareApi(
        account_id=account,
        token=_key(engine, config, "cloudflare:apiToken", "CLOUDFLARE_API_TOKEN"),
        api_url=config.get("cloudflare:baseUrl", ""),
    )
    try:
        found = look_up(
            wanted, runpod=runpod, cloudflare=cloudflare, jurisdiction=config.get(JURISDICTION_KEY) or "default"
        )
    finally:
        runpod.close()
    for what, name, about in found.rows:
        say(f"Found {what} {name}: {about}")
    if not write:
        return found, ()
    engine.set_config(found.keys)
    say(f"Written to the configuration of stack {engine.stack}: {', '.join(sorted(found.keys))}")
    changed = changes(found, engine.plan())
    say("The next `pulumi up`:")
    for line in changed:
        say(f"  {line}")
    return found, changed


def changes(found: Found, plan: Mapping[str, Any]) -> tuple[str, ...]:
    """What a plan (`pulumi preview --json`) will do to the things that were found, a line each. Raises
    CommandError where it would replace or delete one."""
    steps = _steps(plan)
    lines: list[str] = []
    if found.endpoint is not None:
        lines += [f"takes over endpoint {found.endpoint['id']}, and changes", *_endpoint_changes(found.endpoint, steps)]
    if found.bucket is not None:
        _refuse_loss(BUCKET, steps)
        lines.append(
            f"takes over bucket {found.bucket.name} with its objects; its CORS and lifecycle rules become ours"
        )
    if found.script is not None:
        _refuse_loss(SCRIPT, steps)
        lines.append(f"takes over script {found.script.name}, and uploads ours in its place")
        gone = sorted(found.bindings.keys() - _planned_bindings(steps))
        if gone:
            lines.append(f"  bindings that go: {', '.join(gone)}")
    return tuple(lines)


# looking up ---------------------------------------------------------------------------------------


def _endpoint(name: str, all_endpoints: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    known = tuple(all_endpoints)
    by_id = [one for one in known if one.get("id") == name]
    found = by_id or [one for one in known if str(one.get("name", "")).removesuffix(OLD_FLASHBOOT) == name]
    if not found:
        raise CommandError(
            f"The RunPod account has no endpoint {name!r}: it has {_names(str(one.get('name')) for one in known)}.",
            hint="name one of these, or check that runpod:apiKey is of the right account",
        )
    if len(found) > 1:
        ids = ", ".join(f"{one['id']} (made {str(one.get('createdAt'))[:10]})" for one in found)
        raise CommandError(
            f"{len(found)} endpoints have the name {name!r}: {ids}.", hint="name one by its id: --endpoint ID"
        )
    [one] = found
    if (one.get("env") or {}).get(MARKER):
        raise CommandError(
            f"Endpoint {one['id']} was made by another stack of this project, and is not taken from it.",
            hint="destroy that stack, or take the endpoint out of its state (pulumi state delete) and remove its "
            f"variable {MARKER}",
        )
    if one.get("type") != model.QUEUE or not one.get("gpu"):
        raise CommandError(
            f"Endpoint {one['id']} is of type {one.get('type')}{'' if one.get('gpu') else ', without a GPU'}; "
            "the service needs a queue with GPUs, and neither can change.",
            hint="leave --endpoint out: the stack makes its own",
        )
    return one


def _bucket(name: str, cloudflare: CloudflareApi, jurisdiction: str) -> Bucket:
    try:
        return cloudflare.bucket(name, jurisdiction=jurisdiction)
    except NotFound:
        pass
    for other in JURISDICTIONS:
        if other != jurisdiction and _is_there(name, cloudflare, other):
            raise CommandError(
                f"Bucket {name!r} lies in jurisdiction {other}, but the stack's is {jurisdiction}.",
                hint=f"splat pulumi config set jurisdiction {other}, then run the same command again",
            )
    raise CommandError(
        f"The Cloudflare account has no bucket {name!r}, in no jurisdiction.",
        hint=f"check the name, and that {ACCOUNT_KEY} is the account that has it",
    )


def _has_a_stack(bucket: str, token_names: Iterable[str]) -> bool:
    """Whether a stack of this project has a key of its own to the bucket (infra/components/storage.py names it)."""
    key = re.compile(rf"{re.escape(bucket)} objects [0-9a-f]+")
    return any(key.fullmatch(name) for name in token_names)


def _taken(what: str, keys: str) -> CommandError:
    return CommandError(
        f"{what} is another stack's of this project: the first of the two to be destroyed would delete it.",
        hint=f"destroy that stack, or take it out of that one's state (pulumi state delete) and set {keys} by hand",
    )


def _is_there(name: str, cloudflare: CloudflareApi, jurisdiction: str) -> bool:
    try:
        cloudflare.bucket(name, jurisdiction=jurisdiction)
    except CloudflareApiError:  # the account may not have this jurisdiction at all
        return False
    return True


def _script(name: str, scripts: Iterable[Script]) -> Script:
    known = {one.name: one for one in scripts}
    if name not in known:
        raise CommandError(
            f"The Cloudflare account has no script {name!r}: it has {_names(known)}.",
            hint=f"name one of these, or check that {ACCOUNT_KEY} is the account that has it",
        )
    return known[name]


def _names(names: Iterable[str]) -> str:
    known = sorted(names)
    more = f", and {len(known) - NAMES_SHOWN_MAX} more" if len(known) > NAMES_SHOWN_MAX else ""
    return (", ".join(known[:NAMES_SHOWN_MAX]) or "none") + more


def _key(engine: Engine, config: Mapping[str, str], key: str, variable: str) -> str:
    found = config.get(key) or engine.variable(variable)
    if not found:
        raise CommandError(
            f"{key} of stack {engine.stack} is not set.",
            hint=f"splat pulumi config set --secret {key}, or set {variable} in the environment",
        )
    return found


def _refuse_a_deployed_stack(engine: Engine) -> None:
    if engine.is_deployed():
        raise CommandError(
            f"Stack {engine.stack} is deployed already, with an endpoint, a bucket and a script of its own.",
            hint="take over with a new stack (pulumi stack init), before its first `pulumi up`",
        )


# reading a plan -----------------------------------------------------------------------------------


def _steps(plan: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Steps by the logical name of their resource."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for step in plan.get("steps") or ():
        found.setdefault(str(step.get("urn")).rpartition("::")[2], []).append(step)
    return found


def _refuse_loss(name: str, steps: Mapping[str, list[Mapping[str, Any]]]) -> None:
    operations = [str(step.get("op")) for step in steps.get(name, ())]
    if "import" not in operations or any("replace" in one or "delete" in one for one in operations):
        raise ServiceError(
            f"The plan does not take {name} over: it would {', '.join(operations) or 'leave it out'}.",
            hint="do not run `pulumi up`; look at `splat pulumi preview --diff`",
        )


def _endpoint_changes(found: Mapping[str, Any], steps: Mapping[str, list[Mapping[str, Any]]]) -> list[str]:
    [step] = steps.get(ENDPOINT) or [{}]
    inputs = (step.get("newState") or {}).get("inputs") or {}
    if "workers" not in inputs:
        return ["  what is not known before the first `pulumi up`"]
    wanted = model.canonical(inputs)
    return [_shown(one) for one in model.diff(model.align(wanted, model.canonical(found)), wanted)] or ["  nothing"]


def _shown(change: model.Change) -> str:
    if change.path.startswith("env."):  # a value may be a secret
        return f"  {change.path}: {'goes' if change.new is None else 'is set'}"
    return f"  {change.path}: {_plain(change.old)} → {_plain(change.new)}"


def _plain(value: Any) -> str:
    if value in (None, "", []):
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _planned_bindings(steps: Mapping[str, list[Mapping[str, Any]]]) -> set[str]:
    """Names of the bindings that the program declares; the engine masks a list with a secret in it as a whole,
    so an unreadable one says nothing about any name."""
    for step in reversed(steps.get(SCRIPT, [])):
        listed = ((step.get("newState") or {}).get("inputs") or {}).get("bindings")
        if isinstance(listed, list):
            return {str(one["name"]) for one in listed if isinstance(one, Mapping)}
    return set()
