"""Rules that no stack of ours may break, checked on every resource before it is registered.
Pure checks over a resource's type and inputs; one transform applies them, and the policy pack reuses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.runtime.rpc import is_rpc_secret, unwrap_rpc_secret

from infra.runpod.plan import UNKNOWN

Inputs = Mapping[str, Any]
BUCKET = "cloudflare:index/r2Bucket:R2Bucket"
CORS = "cloudflare:index/r2BucketCors:R2BucketCors"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
TOKEN = "cloudflare:index/accountToken:AccountToken"  # noqa: S105 - a resource type
IMAGE = "docker-build:index:Image"
ENDPOINT = "pulumi-python:dynamic/runpod:Endpoint"
CONTENTS = "pulumi-python:dynamic/storage:BucketContents"
# The script too: its Durable Objects go with it, and they hold what every project is.
STATEFUL = frozenset({BUCKET, CONTENTS, SCRIPT})
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


def fixed_image(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    image = inputs.get("image")
    if kind != ENDPOINT or not isinstance(image, str) or image == UNKNOWN or "@sha256:" in image:
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
    """Register the transform that refuses an unsafe resource; call before any resource is declared."""

    def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        found = (
            *violations(args.type_, _unwrapped(args.props), limits),
            *unprotected(args.type_, args.opts.protect, limits),
        )
        if found:
            text = describe(args.name, found)
            pulumi.log.error(text)  # the engine wraps what a transform raises; this line stands by itself
            raise Unsafe(text)
        return None

    pulumi.runtime.register_resource_transform(transform)


def _unwrapped(value: Any) -> Any:
    """Plain values of what a transform sees: secrets come as marked objects, outputs as the unknown sentinel."""
    if isinstance(value, pulumi.Output):
        return UNKNOWN
    if is_rpc_secret(value):
        return _unwrapped(unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {key: _unwrapped(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_unwrapped(inner) for inner in value]
    return value


def _list(value: Any) -> list[Any]:
    return [one for one in value if isinstance(one, Mapping | str)] if isinstance(value, list | tuple) else []


def _resources(text: Any) -> list[str]:
    if not isinstance(text, str) or text == UNKNOWN:
        return []
    return list(json.loads(text))


def _sounds_secret(name: str) -> bool:
    return name in PUBLIC_WORDS or any(word in name.upper().split("_") for word in SECRET_WORDS)
