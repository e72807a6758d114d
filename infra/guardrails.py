"""Rules that no stack of ours may break, checked on every resource before it is registered.
Pure checks over a resource's type and inputs; one transform applies them, and the policy pack (infra/policy_pack.py)
runs the same functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.runpod.plan import UNKNOWN

Inputs = Mapping[str, Any]
BUCKET = "cloudflare:index/r2Bucket:R2Bucket"
CORS = "cloudflare:index/r2BucketCors:R2BucketCors"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
TOKEN = "cloudflare:index/accountToken:AccountToken"  # noqa: S105 - a resource type
PUBLIC_DOMAIN = "cloudflare:index/r2ManagedDomain:R2ManagedDomain"
IMAGE = "docker-build:index:Image"
REGISTRY = "pulumi-python:dynamic/runpod:RegistryCredential"
ACCOUNT_SECRET = "pulumi-python:dynamic/runpod:AccountSecret"  # noqa: S105 - a resource type
ENDPOINT = "pulumi-python:dynamic/runpod:Endpoint"
CONTENTS = "pulumi-python:dynamic/storage:BucketContents"
# The script too: its Durable Objects go with it, and they hold what every project is.
STATEFUL = frozenset({BUCKET, CONTENTS, SCRIPT})
# Replaced whenever a secret rotates, which protection would forbid. None holds data, and each goes after its users.
ROTATED = frozenset({TOKEN, REGISTRY, ACCOUNT_SECRET, IMAGE})
# Stands in checks for a value that Pulumi knows to be secret; its text is not looked at.
SECRET = "[secret]"  # noqa: S105 - a mark
# Inputs that must be Pulumi secrets: only then are they encrypted in state and masked in every plan.
SECRET_INPUTS: Mapping[str, str] = {REGISTRY: "password", ACCOUNT_SECRET: "value", CONTENTS: "secretAccessKey"}
# Words in a binding's name that say "this is a secret", whatever its type says.
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
PUBLIC_WORDS = ("S3_ACCESS_KEY_ID",)  # an id, but half of a pair: it must be secret all the same


class Unsafe(Exception):
    """The program declares what a rule forbids. `str()` lists resource, rule and mend."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule."""

    rule: str
    what: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What rules compare with; from the stack's settings."""

    workers_ceiling: int
    min_workers_accepted: bool
    protect: bool


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`check(type, inputs, limits)` gives the violations of one resource; `meaning` is for people."""

    name: str
    meaning: str
    check: Callable[[str, Inputs, Limits], tuple[Violation, ...]]
    # Whether it asks if a value is a Pulumi secret. A policy pack is not told that.
    asks_secrecy: bool = False


def fixed_image(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    image = inputs.get("image")
    if kind != ENDPOINT or not isinstance(image, str) or image in {UNKNOWN, SECRET} or "@sha256:" in image:
        return ()
    return (
        Violation(
            rule="fixed-image",
            what=f"image is {image!r}, which can move under a running endpoint",
            mend="reference it as repository@sha256:digest",
        ),
    )


def exact_origins(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != CORS:
        return ()
    origins = [str(o) for rule in _list(inputs.get("rules")) for o in _list((rule.get("allowed") or {}).get("origins"))]
    return tuple(
        Violation(
            rule="exact-origins",
            what=f"CORS allows the origin {origin!r}: any page could use the bucket with a leaked URL",
            mend="name the app's own origin",
        )
        for origin in origins
        if "*" in origin
    )


def secret_bindings(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != SCRIPT:
        return ()
    return tuple(
        Violation(
            rule="secret-bindings",
            what=f"binding {binding['name']} is {binding.get('type')}, readable by everyone who may see the Worker",
            mend="make it secret_text",
        )
        for binding in _list(inputs.get("bindings"))
        if binding.get("type") in {"plain_text", "json"} and _sounds_secret(str(binding.get("name")))
    )


def marked_secrets(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    clear = [SECRET_INPUTS[kind]] if kind in SECRET_INPUTS and inputs.get(SECRET_INPUTS[kind]) != SECRET else []
    if kind == SCRIPT:
        clear += [
            f"binding {binding['name']}"
            for binding in _list(inputs.get("bindings"))
            if binding.get("type") == "secret_text" and binding.get("text") != SECRET
        ]
    if kind == IMAGE:
        registries = [one for one in _list(inputs.get("registries")) if "password" in one]
        clear += [f"password of {one.get('address')}" for one in registries if one["password"] != SECRET]
    return tuple(
        Violation(
            rule="marked-secrets",
            what=f"{what} is no Pulumi secret: it would stand in clear in state and plans",
            mend="wrap it in pulumi.Output.secret",
        )
        for what in clear
    )


def private_bucket(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != PUBLIC_DOMAIN or not inputs.get("enabled"):
        return ()
    return (
        Violation(
            rule="private-bucket",
            what="the bucket gets a public r2.dev address: every photo could be read by anyone",
            mend="leave it out; scenes are shared by the app's own links",
        ),
    )


def no_secret_in_worker_env(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != ENDPOINT:
        return ()
    env = inputs.get("env")
    return tuple(
        Violation(
            rule="no-secret-in-worker-env",
            what=f"env {name} holds a value that RunPod shows in clear to everyone with a read key",
            mend="put an AccountSecret's reference there",
        )
        for name, value in (env.items() if isinstance(env, Mapping) else ())
        if _sounds_secret(str(name)) and "RUNPOD_SECRET_" not in str(value)
    )


def no_standing_cost(kind: str, inputs: Inputs, limits: Limits) -> tuple[Violation, ...]:
    workers = inputs.get("workers")
    if kind != ENDPOINT or not isinstance(workers, Mapping) or not workers.get("min") or limits.min_workers_accepted:
        return ()
    return (
        Violation(
            rule="no-standing-cost",
            what=f"workers.min is {workers['min']:.0f}: it costs day and night",
            mend="set it to 0, take scaling large, or set photo-splat:alwaysOnAccepted to true",
        ),
    )


def workers_ceiling(kind: str, inputs: Inputs, limits: Limits) -> tuple[Violation, ...]:
    workers = inputs.get("workers")
    if kind != ENDPOINT or not isinstance(workers, Mapping) or workers.get("max", 0) <= limits.workers_ceiling:
        return ()
    return (
        Violation(
            rule="workers-ceiling",
            what=f"workers.max is {workers['max']:.0f}, above the ceiling of {limits.workers_ceiling}",
            mend="lower it, or raise photo-splat:workersCeiling with it",
        ),
    )


def narrow_token(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != TOKEN:
        return ()
    wide = [
        name
        for policy in _list(inputs.get("policies"))
        for name in _resources(policy.get("resources"))
        if not name.startswith("com.cloudflare.edge.r2.bucket.")
    ]
    return tuple(
        Violation(
            rule="narrow-token", what=f"the bucket's key also opens {name}", mend="name single R2 buckets in its policy"
        )
        for name in wide
    )


RULES: tuple[Rule, ...] = (
    Rule(name="fixed-image", meaning="Endpoints run images by digest, never by a tag.", check=fixed_image),
    Rule(name="exact-origins", meaning="Bucket CORS names exact origins.", check=exact_origins),
    Rule(name="secret-bindings", meaning="What sounds secret is a secret_text binding.", check=secret_bindings),
    Rule(
        name="marked-secrets",
        meaning="Every secret input is a Pulumi secret.",
        check=marked_secrets,
        asks_secrecy=True,
    ),
    Rule(name="private-bucket", meaning="No bucket has a public address of its own.", check=private_bucket),
    Rule(
        name="no-secret-in-worker-env",
        meaning="Workers get secrets by RunPod's own secret references only.",
        check=no_secret_in_worker_env,
    ),
    Rule(name="no-standing-cost", meaning="No worker runs without a job unless meant.", check=no_standing_cost),
    Rule(name="workers-ceiling", meaning="Max workers stay within the stack's ceiling.", check=workers_ceiling),
    Rule(name="narrow-token", meaning="Minted Cloudflare tokens open single buckets only.", check=narrow_token),
)


def violations(kind: str, inputs: Inputs, limits: Limits) -> tuple[Violation, ...]:
    """Every broken rule of one resource."""
    return tuple(found for rule in RULES for found in rule.check(kind, inputs, limits))


def unprotected(kind: str, protect: bool | None, limits: Limits) -> tuple[Violation, ...]:
    """In a protected stack, what holds people's data must be protected too."""
    if not limits.protect or kind not in STATEFUL or protect:
        return ()
    return (
        Violation(rule="protected-data", what="it is not protected in a protected stack", mend="pass protect to it"),
    )


def describe(name: str, found: Sequence[Violation]) -> str:
    return "\n".join(f"{name}: {one.what} [{one.rule}]. Mend: {one.mend}." for one in found)


def guard(limits: Limits) -> None:
    """Register the transform that refuses an unsafe resource; call before any resource is declared. In a protected
    stack it also protects whatever a destroy would begin with, so that a refused destroy has removed nothing."""

    async def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        found = (
            *violations(args.type_, await seen(args.props), limits),
            *unprotected(args.type_, args.opts.protect, limits),
        )
        if found:
            _refuse(describe(args.name, found))
        if not limits.protect or not args.custom or args.type_ in ROTATED:
            return None
        protected = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformResult(args.props, protected)

    pulumi.runtime.register_resource_transform(transform)


def guard_outputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The stack's outputs, as they are; but one that sounds secret is refused unless it is a Pulumi secret."""
    return {
        name: _only_secret(name, value) if _sounds_secret(_words(name)) else value for name, value in outputs.items()
    }


def _only_secret(name: str, value: Any) -> pulumi.Output[Any]:
    output = pulumi.Output.from_input(value)

    async def checked() -> bool:
        if not await output.is_secret():
            _refuse(
                f"output {name}: it would be shown in clear to everyone who may read the stack [secret-outputs]. "
                "Mend: export it as pulumi.Output.secret."
            )
        return True

    return pulumi.Output.all(output, checked()).apply(lambda both: both[0])


def _refuse(text: str) -> None:
    pulumi.log.error(text)  # the engine wraps what the program raises; this line stands by itself
    raise Unsafe(text)


async def seen(value: Any) -> Any:
    """What checks may see of a transform's value: secrets as SECRET, what is not known yet as UNKNOWN."""
    if isinstance(value, pulumi.Output):
        if await value.is_secret():
            return SECRET
        return await seen(await value.future()) if await value.is_known() else UNKNOWN
    if isinstance(value, Mapping):
        return {key: await seen(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [await seen(inner) for inner in value]
    return value


def _list(value: Any) -> list[Any]:
    return [one for one in value if isinstance(one, Mapping | str)] if isinstance(value, list | tuple) else []


def _resources(text: Any) -> list[str]:
    if not isinstance(text, str) or text in {UNKNOWN, SECRET}:
        return []
    return list(json.loads(text))


def _sounds_secret(name: str) -> bool:
    return name in PUBLIC_WORDS or any(word in name.upper().split("_") for word in SECRET_WORDS)


def _words(camel: str) -> str:
    """operatorToken → OPERATOR_TOKEN."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", camel).upper()
