"""Rules that no service may break, checked on every resource before it is registered.
Pure checks over a resource's type and inputs. A transform applies them, and the policy pack (policy_pack.py) runs the
same functions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.dynamic import UNKNOWN

Inputs = Mapping[str, Any]
BUCKET = "cloudflare:index/r2Bucket:R2Bucket"
CORS = "cloudflare:index/r2BucketCors:R2BucketCors"
SCRIPT = "cloudflare:index/workersScript:WorkersScript"
TOKEN = "cloudflare:index/accountToken:AccountToken"  # noqa: S105 - a resource type
PUBLIC_DOMAIN = "cloudflare:index/r2ManagedDomain:R2ManagedDomain"
IMAGE = "docker-build:index:Image"
REGISTRY = "pulumi-python:dynamic/runpod:RegistryCredential"
ENDPOINT = "pulumi-python:dynamic/runpod:Endpoint"
CONTENTS = "pulumi-python:dynamic/cloudflare:BucketContents"
# The script too: its Durable Objects are deleted with it, and they hold every project.
STATEFUL = frozenset({BUCKET, CONTENTS, SCRIPT})
# Replaced whenever a secret rotates, which protection would forbid. None holds data.
ROTATED = frozenset({TOKEN, REGISTRY, IMAGE})
# Takes the place of a value that Pulumi has marked as secret; checks never see its text.
SECRET = "[secret]"  # noqa: S105 - a mark
# Inputs that must be Pulumi secrets: only then are they encrypted in state and masked in every plan.
SECRET_INPUTS: Mapping[str, str] = {REGISTRY: "password", CONTENTS: "secretAccessKey"}
# Words in a name that mark a secret.
SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
PUBLIC_WORDS = ("S3_ACCESS_KEY_ID",)  # an id, but half of a key pair, so it must be secret too


class Unsafe(Exception):
    """The program declares what a rule forbids. `str()` lists resource, violation, fix and rule."""


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One broken rule."""

    rule: str
    what: str
    fix: str


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
    # Whether it checks that a value is a Pulumi secret, which a policy pack cannot see.
    checks_secrecy: bool = False


def fixed_image(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    image = inputs.get("image")
    if kind != ENDPOINT or not isinstance(image, str) or image in {UNKNOWN, SECRET} or "@sha256:" in image:
        return ()
    return (
        Violation(
            rule="fixed-image",
            what=f"image is {image!r}, which can change under a running endpoint",
            fix="Use repository@sha256:digest",
        ),
    )


def exact_origins(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != CORS:
        return ()
    origins = [str(o) for rule in _list(inputs.get("rules")) for o in _list((rule.get("allowed") or {}).get("origins"))]
    return tuple(
        Violation(
            rule="exact-origins",
            what=f"CORS allows the origin {origin!r}, so any page could use the bucket with a leaked URL",
            fix="Name the app's own origin",
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
            fix="Make it secret_text",
        )
        for binding in _list(inputs.get("bindings"))
        if binding.get("type") in {"plain_text", "json"} and _sounds_secret(str(binding.get("name")))
    )


def marked_secrets(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    unmarked = [SECRET_INPUTS[kind]] if kind in SECRET_INPUTS and inputs.get(SECRET_INPUTS[kind]) != SECRET else []
    if kind == SCRIPT:
        unmarked += [
            f"binding {binding['name']}"
            for binding in _list(inputs.get("bindings"))
            if binding.get("type") == "secret_text" and binding.get("text") != SECRET
        ]
    if kind == IMAGE:
        registries = [one for one in _list(inputs.get("registries")) if "password" in one]
        unmarked += [f"password of {one.get('address')}" for one in registries if one["password"] != SECRET]
    return tuple(
        Violation(
            rule="marked-secrets",
            what=f"{what} is not a Pulumi secret, so state and plans would show it in plain text",
            fix="Wrap it in pulumi.Output.secret",
        )
        for what in unmarked
    )


def private_bucket(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != PUBLIC_DOMAIN or not inputs.get("enabled"):
        return ()
    return (
        Violation(
            rule="private-bucket",
            what="the bucket has a public r2.dev address, so anyone could read every photo",
            fix="Remove it. The app shares scenes by its own links",
        ),
    )


def no_secret_in_worker_env(kind: str, inputs: Inputs, _limits: Limits) -> tuple[Violation, ...]:
    if kind != ENDPOINT:
        return ()
    env = inputs.get("env")
    return tuple(
        Violation(
            rule="no-secret-in-worker-env",
            what=f"env {name} holds a value that RunPod shows to everyone with a read key",
            fix="Use a secret reference of RunPod: {{ RUNPOD_SECRET_name }}",
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
            what=f"workersMin is {workers['min']:.0f}, and that many workers are always billed",
            fix="Set it to 0, use scaling large, or set alwaysOnAccepted to true",
        ),
    )


def workers_ceiling(kind: str, inputs: Inputs, limits: Limits) -> tuple[Violation, ...]:
    workers = inputs.get("workers")
    if kind != ENDPOINT or not isinstance(workers, Mapping) or workers.get("max", 0) <= limits.workers_ceiling:
        return ()
    return (
        Violation(
            rule="workers-ceiling",
            what=f"workersMax is {workers['max']:.0f}, above workersCeiling ({limits.workers_ceiling})",
            fix="Lower workersMax, or raise both",
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
            rule="narrow-token", what=f"the bucket's key also opens {name}", fix="Name single R2 buckets in its policy"
        )
        for name in wide
    )


RULES: tuple[Rule, ...] = (
    Rule(name="fixed-image", meaning="Endpoints run images by digest, never by a tag.", check=fixed_image),
    Rule(name="exact-origins", meaning="Bucket CORS names exact origins.", check=exact_origins),
    Rule(
        name="secret-bindings", meaning="A binding with a secret's name is of type secret_text.", check=secret_bindings
    ),
    Rule(
        name="marked-secrets",
        meaning="Every secret input is a Pulumi secret.",
        check=marked_secrets,
        checks_secrecy=True,
    ),
    Rule(name="private-bucket", meaning="No bucket has a public address of its own.", check=private_bucket),
    Rule(
        name="no-secret-in-worker-env",
        meaning="Workers get secrets only as RunPod's own secret references.",
        check=no_secret_in_worker_env,
    ),
    Rule(
        name="no-standing-cost",
        meaning="No worker runs without a job, unless that cost is accepted.",
        check=no_standing_cost,
    ),
    Rule(name="workers-ceiling", meaning="Max workers stay within the ceiling.", check=workers_ceiling),
    Rule(name="narrow-token", meaning="Generated Cloudflare tokens open single buckets only.", check=narrow_token),
)


def violations(kind: str, inputs: Inputs, limits: Limits) -> tuple[Violation, ...]:
    """Every broken rule of one resource."""
    return tuple(found for rule in RULES for found in rule.check(kind, inputs, limits))


def unprotected(kind: str, protect: bool | None, limits: Limits) -> tuple[Violation, ...]:
    """In a protected stack, what holds users' data must be protected too."""
    if not limits.protect or kind not in STATEFUL or protect:
        return ()
    return (
        Violation(
            rule="protected-data", what="it is not protected in a protected stack", fix="Set protect in its options"
        ),
    )


def describe(name: str, found: Sequence[Violation]) -> str:
    return "\n".join(f"{name}: {one.what}. {one.fix}. [{one.rule}]" for one in found)


def guard(limits: Limits) -> pulumi.ResourceTransform:
    """The transform that rejects an unsafe resource, for a component's `transforms`: it sees every resource below. In
    a protected stack it also protects whatever a destroy would begin with, so a refused destroy has removed nothing."""

    async def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult | None:
        found = (
            *violations(args.type_, await seen(args.props), limits),
            *unprotected(args.type_, args.opts.protect, limits),
        )
        if found:
            _reject(describe(args.name, found))
        if not limits.protect or not args.custom or args.type_ in ROTATED:
            return None
        protected = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(protect=True))
        return pulumi.ResourceTransformResult(args.props, protected)

    return transform


def guard_outputs(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs unchanged. Rejects an output with a secret's name that is not a Pulumi secret."""
    return {
        name: _only_secret(name, value) if _sounds_secret(_words(name)) else value for name, value in outputs.items()
    }


def _only_secret(name: str, value: Any) -> pulumi.Output[Any]:
    output = pulumi.Output.from_input(value)

    async def checked() -> bool:
        if not await output.is_secret():
            _reject(
                f"output {name}: everyone who may read the stack would see it in plain text. Export it as "
                "pulumi.Output.secret. [secret-outputs]"
            )
        return True

    return pulumi.Output.all(output, checked()).apply(lambda both: both[0])


def _reject(text: str) -> None:
    pulumi.log.error(text)  # the engine wraps what the program raises, so this line also stands by itself
    raise Unsafe(text)


async def seen(value: Any) -> Any:
    """A transform's value as checks may see it: secrets as SECRET, what is not known yet as UNKNOWN."""
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
