"""The stage that runs the program: what a plan shows is found, and a stack is destroyed whatever happens.
`splat verify-live --rehearse --only stack` runs it with the real engine on the stand-ins."""

from __future__ import annotations

from typing import Any

import pytest

from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.verify_live.check import NotObserved, make
from scripts.splat_cli.verify_live.checks.stack import STAGE, WHOLE, Stack


class Recorded:
    """An engine that answers from what a test wrote down, and records its commands."""

    def __init__(self, *plans: dict[str, Any], fails: str = "") -> None:
        self.plans = list(plans)
        self.fails = fails
        self.commands: list[str] = []

    def run(self, *arguments: str, quiet: bool = False) -> str:
        self.commands.append(arguments[0])
        if arguments[0] == self.fails:
            raise ServiceError("pulumi up failed: the API answered 403", hint="")
        return ""

    def plan(self) -> dict[str, Any]:
        return self.plans.pop(0)

    def encrypted_export(self) -> dict[str, Any]:
        kinds = [kind for kind, number in WHOLE.items() for _ in range(number)]
        return {"deployment": {"resources": [{"type": f"cloudflare:index/x:{kind}"} for kind in kinds]}}


def step(operation: str, kind: str, *names: str) -> dict[str, Any]:
    urn = f"urn:pulumi:s::p::splat:service:Splat$cloudflare:index/x:{kind}::name"
    return {"op": operation, "urn": urn, "diffReasons": list(names)}


def seen(engine: Recorded, left: list[str]) -> dict[str, Any]:
    """Check to what it observed, of those that differ."""
    subject = Stack(engine=engine, left=lambda: left)
    subject.start()
    results = [make(check, subject) for check in STAGE.checks]
    return {one.check: one.platform for one in results if one.verdict == "differs"}


def test_a_quiet_stack_is_as_assumed() -> None:
    engine = Recorded({"steps": [step("same", "R2Bucket")]}, {"steps": []})
    assert seen(engine, []) == {}
    assert engine.commands == ["up", "refresh", "destroy"]


def test_an_endless_change_drift_and_what_a_destroy_leaves_are_found() -> None:
    change = {"steps": [step("update", "R2BucketLifecycle", "rules"), step("same", "R2Bucket")]}
    drift = {"steps": [step("replace", "AccountToken", "policies")]}
    assert seen(Recorded(change, drift), ["bucket:default"]) == {
        "stack-no-op": ["update R2BucketLifecycle: rules"],
        "stack-refresh": ["replace AccountToken: policies"],
        "stack-destroy": ["bucket:default"],
    }


def test_a_failed_up_is_destroyed_and_its_reason_is_reported() -> None:
    engine = Recorded(fails="up")
    with pytest.raises(NotObserved, match="the API answered 403"):
        Stack(engine=engine, left=list).start()
    assert engine.commands == ["up", "destroy"]
