"""The policy pack: the same rules under the same names, with limits of its own.
The engine runs it in tests/stack/test_policy_pack.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pulumi_policy import ResourceValidationPolicy
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from infra.policy.guardrails import BUCKET, ENDPOINT, RULES
from infra.policy.policy_pack import PROTECTED_DATA, known, policies
from tests.unit.infra.policy.test_guardrails import SAFE, UNSAFE


def reported(
    name: str, kind: str, inputs: dict[str, Any], *, stack: str = "dev", protect: bool = False, **config: Any
) -> Any:
    """What the policy of this name reports of one resource."""
    [policy] = [one for one in policies() if one.name == name]
    assert isinstance(policy, ResourceValidationPolicy)
    args = SimpleNamespace(
        resource_type=kind,
        props=unknown_checking_proxy(inputs),
        urn=f"urn:pulumi:{stack}::photo-splat::x$y::thing",
        name="thing",
        opts=SimpleNamespace(protect=protect),
        get_config=lambda: config,
    )
    said: list[str] = []
    policy.validate(args, lambda message, _urn: said.append(message))  # type: ignore[arg-type]
    return said


def test_the_pack_has_every_rule_that_it_can_check() -> None:
    wanted = {rule.name for rule in RULES if not rule.checks_secrecy} | {PROTECTED_DATA}
    assert {policy.name for policy in policies()} == wanted


@pytest.mark.parametrize(("rule", "kind", "inputs"), [row for row in UNSAFE if row[0] != "marked-secrets"])
def test_the_pack_rejects_what_the_program_rejects(rule: str, kind: str, inputs: dict[str, Any]) -> None:
    [message] = reported(rule, kind, inputs)
    assert message.startswith("thing: ")
    assert message.endswith(".")


@pytest.mark.parametrize(("kind", "inputs"), SAFE)
def test_the_pack_accepts_what_the_program_accepts(kind: str, inputs: dict[str, Any]) -> None:
    assert [message for policy in policies() for message in reported(policy.name, kind, inputs)] == []


def test_limits_are_the_packs_own_by_stack_and_number() -> None:
    standing = {"workers": {"min": 1.0, "max": 4.0}}
    assert reported("no-standing-cost", ENDPOINT, standing, stack="dev")
    assert not reported("no-standing-cost", ENDPOINT, standing, stack="prod")
    assert not reported("no-standing-cost", ENDPOINT, standing, stack="live", stacks=["live"])
    assert reported("workers-ceiling", ENDPOINT, standing, ceiling=3.0)
    assert not reported("workers-ceiling", ENDPOINT, standing)
    assert reported(PROTECTED_DATA, BUCKET, {}, stack="prod")
    assert not reported(PROTECTED_DATA, BUCKET, {}, stack="prod", protect=True)
    assert not reported(PROTECTED_DATA, BUCKET, {}, stack="dev")


def test_an_unknown_value_stays_unknown() -> None:
    props = unknown_checking_proxy({"list": [{"a": UNKNOWN_STRING_VALUE}, UNKNOWN_STRING_VALUE], "n": 1.0})
    assert known(props) == {"list": [{"a": UNKNOWN_STRING_VALUE}, UNKNOWN_STRING_VALUE], "n": 1.0}
