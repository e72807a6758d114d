"""Guardrails: each unsafe input is rejected with its rule and fix; safe and unknown inputs pass."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from infra.dynamic import UNKNOWN
from infra.policy import guardrails
from infra.policy.guardrails import (
    BUCKET,
    CONTENTS,
    CORS,
    ENDPOINT,
    IMAGE,
    PUBLIC_DOMAIN,
    REGISTRY,
    RULES,
    SCRIPT,
    SECRET,
    TOKEN,
    Limits,
    describe,
    unprotected,
    violations,
)
from infra.settings.load import SECRETS, read_settings

ROOT = Path(__file__).resolve().parents[4]
LIMITS = Limits(workers_ceiling=10, min_workers_accepted=False, protect=True)
R2 = "com.cloudflare.edge.r2.bucket.a_default_b"

UNSAFE: list[tuple[str, str, dict[str, Any]]] = [
    ("fixed-image", ENDPOINT, {"image": "ghcr.io/team/worker:latest"}),
    ("fixed-image", ENDPOINT, {"image": "ghcr.io/team/worker"}),
    ("exact-origins", CORS, {"rules": [{"allowed": {"origins": ["https://a.example", "*"]}}]}),
    ("exact-origins", CORS, {"rules": [{"allowed": {"origins": ["https://*.example"]}}]}),
    ("secret-bindings", SCRIPT, {"bindings": [{"name": "RUNPOD_API_KEY", "type": "plain_text", "text": "x"}]}),
    ("secret-bindings", SCRIPT, {"bindings": [{"name": "API_TOKEN", "type": "json", "json": "{}"}]}),
    ("marked-secrets", SCRIPT, {"bindings": [{"name": "HOOK_KEYS", "type": "secret_text", "text": "plain text"}]}),
    ("marked-secrets", SCRIPT, {"bindings": [{"name": "HOOK_KEYS", "type": "secret_text", "text": UNKNOWN}]}),
    ("marked-secrets", CONTENTS, {"secretAccessKey": "plain text"}),
    ("marked-secrets", REGISTRY, {"password": UNKNOWN}),
    ("marked-secrets", IMAGE, {"registries": [{"address": "ghcr.io", "password": "plain text"}]}),
    ("private-bucket", PUBLIC_DOMAIN, {"bucketName": "b", "enabled": True}),
    ("no-secret-in-worker-env", ENDPOINT, {"env": {"HF_TOKEN": "hf_x"}}),
    ("no-standing-cost", ENDPOINT, {"workers": {"min": 1.0, "max": 2.0}}),
    ("workers-ceiling", ENDPOINT, {"workers": {"min": 0.0, "max": 11.0}}),
    ("narrow-token", TOKEN, {"policies": [{"resources": json.dumps({"com.cloudflare.api.account.a": "*"})}]}),
    ("narrow-token", TOKEN, {"policies": [{"resources": json.dumps({R2: "*", "com.cloudflare.api.user.u": "*"})}]}),
]
SAFE: list[tuple[str, dict[str, Any]]] = [
    (ENDPOINT, {"image": "repo@sha256:00", "workers": {"min": 0, "max": 10}, "env": {"LEVEL": "info"}}),
    (ENDPOINT, {"image": UNKNOWN, "env": UNKNOWN}),
    (ENDPOINT, {"env": {"HF_TOKEN": "{{ RUNPOD_SECRET_hf }}"}}),
    (CORS, {"rules": [{"allowed": {"origins": ["https://a.example"]}}]}),
    (CORS, {"rules": UNKNOWN}),
    (
        SCRIPT,
        {
            "bindings": [
                {"name": "RUNPOD_API_KEY", "type": "secret_text", "text": SECRET},
                {"name": "STACK", "type": "plain_text", "text": "dev"},
            ]
        },
    ),
    (CONTENTS, {"secretAccessKey": SECRET, "endpoint": "https://s3.example"}),
    (IMAGE, {"registries": [{"address": "ghcr.io", "password": SECRET}], "tags": ["ghcr.io/team/worker:0123"]}),
    (PUBLIC_DOMAIN, {"bucketName": "b", "enabled": False}),
    (ENDPOINT, {"image": SECRET}),
    (TOKEN, {"policies": [{"resources": json.dumps({R2: "*"})}]}),
    (TOKEN, {"policies": [{"resources": UNKNOWN}]}),
    ("aws:s3/bucket:Bucket", {"image": "x:latest", "workers": {"max": 99}}),
]


@pytest.mark.parametrize(("rule", "kind", "inputs"), UNSAFE)
def test_an_unsafe_input_is_rejected_by_its_rule(rule: str, kind: str, inputs: dict[str, Any]) -> None:
    found = violations(kind, inputs, LIMITS)
    assert {one.rule for one in found} == {rule}


@pytest.mark.parametrize(("kind", "inputs"), SAFE)
def test_a_safe_or_unknown_input_passes(kind: str, inputs: dict[str, Any]) -> None:
    assert violations(kind, inputs, LIMITS) == ()


def test_every_rule_has_an_unsafe_case() -> None:
    assert {rule.name for rule in RULES} == {name for name, _, _ in UNSAFE}


def test_standing_workers_pass_where_their_cost_is_accepted() -> None:
    accepted = Limits(workers_ceiling=10, min_workers_accepted=True, protect=False)
    assert violations(ENDPOINT, {"workers": {"min": 1.0, "max": 2.0}}, accepted) == ()


@pytest.mark.parametrize("kind", [BUCKET, CONTENTS, SCRIPT])
def test_data_in_a_protected_stack_must_be_protected(kind: str) -> None:
    assert [one.rule for one in unprotected(kind, None, LIMITS)] == ["protected-data"]
    assert unprotected(kind, True, LIMITS) == ()
    assert unprotected(ENDPOINT, None, LIMITS) == ()


def test_a_violation_names_resource_fix_and_rule() -> None:
    text = describe("splat-gpu-endpoint", violations(*UNSAFE[0][1:], LIMITS))
    assert text == (
        "splat-gpu-endpoint: image is 'ghcr.io/team/worker:latest', which can change under a running endpoint. "
        "Use repository@sha256:digest. [fixed-image]"
    )


def settle(coroutine: Any) -> Any:
    """Its result, run in a thread: this thread's event loop is Pulumi's, and asyncio.run would take it away."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, coroutine).result()


def test_a_check_sees_that_a_value_is_secret_and_never_the_value() -> None:
    async def shown() -> Any:
        hidden, known = pulumi.Output.secret("the value"), pulumi.Output.from_input(3)
        return await guardrails.seen({"bindings": [{"name": "A_KEY", "text": hidden}], "open": known})

    assert settle(shown()) == {"bindings": [{"name": "A_KEY", "text": SECRET}], "open": 3}


def test_an_output_with_a_secrets_name_is_rejected_in_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", logged.append)  # no engine listens here, or an earlier test ended it

    async def exported() -> Any:
        guarded = guardrails.guard_outputs({"operatorToken": pulumi.Output.from_input("plain text")})
        return await guarded["operatorToken"].future()

    with pytest.raises(
        guardrails.Unsafe, match=r"output operatorToken: .*Export it as pulumi\.Output\.secret\. \[secret-outputs\]"
    ):
        settle(exported())
    assert len(logged) == 1


def test_outputs_that_are_secret_or_have_no_secrets_name_pass_unchanged() -> None:
    async def exported() -> Any:
        guarded = guardrails.guard_outputs({"operatorToken": pulumi.Output.secret("hidden"), "appUrl": "https://a"})
        return await guarded["operatorToken"].future(), await guarded["operatorToken"].is_secret(), guarded["appUrl"]

    assert settle(exported()) == ("hidden", True, "https://a")


@pytest.mark.parametrize("stack", ["local", "dev", "prod", "review"])
def test_the_committed_stacks_are_valid_once_the_accounts_own_keys_are_set(stack: str) -> None:
    config = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    own = {
        "photo-splat:cloudflareAccountId": "0" * 32,
        "photo-splat:workersSubdomain": "team",
        "photo-splat:imageRepository": "ghcr.io/team/splat-worker",
    }
    settings = read_settings({**own, **{key: str(value) for key, value in config.items()}})
    assert settings.protect == (stack == "prod")
    assert (settings.scaling.workers[0] > 0) == (stack == "prod")


# Other accounts' stacks are created from these: an account's own salt or secret would be in all of them.
TEMPLATES = ("local", "review")
ENCRYPTION = {"secretsprovider", "encryptionsalt", "encryptedkey"}


def wrong_in_a_stack_file(stack: str, document: dict[str, Any]) -> list[str]:
    """What must not be committed. A team commits its own stacks with their salt, and the given secrets encrypted."""
    template = stack in TEMPLATES
    wrong = [key for key in document if key not in {"config", *(() if template else ENCRYPTION)}]
    for key, value in (document.get("config") or {}).items():
        encrypted = isinstance(value, dict) and set(value) == {"secure"}
        if (encrypted and (template or key not in SECRETS)) or (key in SECRETS and not encrypted):
            wrong.append(key)
    return wrong


def test_committed_stacks_hold_given_secrets_encrypted_and_templates_hold_none() -> None:
    found = {
        file.name: wrong_in_a_stack_file(file.name.split(".")[1], yaml.safe_load(file.read_text()))
        for file in ROOT.glob("Pulumi.*.yaml")
    }
    assert len(found) >= 4
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("stack", "document", "wrong"),
    [
        ("dev", {"config": {"runpod:apiKey": {"secure": "v1:aa"}}, "encryptionsalt": "v1:bb"}, []),
        ("dev", {"config": {"runpod:apiKey": "rpa_PLAIN"}}, ["runpod:apiKey"]),
        ("dev", {"config": {"photo-splat:gpu": {"secure": "v1:aa"}}}, ["photo-splat:gpu"]),
        ("review", {"config": {}, "encryptionsalt": "v1:bb"}, ["encryptionsalt"]),
        ("review", {"config": {"cloudflare:apiToken": {"secure": "v1:aa"}}}, ["cloudflare:apiToken"]),
    ],
)
def test_a_stack_file_with_a_forbidden_entry_is_found(stack: str, document: dict[str, Any], wrong: list[str]) -> None:
    assert wrong_in_a_stack_file(stack, document) == wrong


def test_the_guarded_types_are_those_of_the_resources() -> None:
    from infra.cloudflare.bucket_contents import BucketContents
    from infra.runpod.resources.credential import RegistryCredential
    from infra.runpod.resources.endpoint import Endpoint

    types = {CONTENTS: BucketContents, REGISTRY: RegistryCredential, ENDPOINT: Endpoint}
    for token, resource in types.items():
        assert token == f"pulumi-python:{resource._resource_type_name}"
