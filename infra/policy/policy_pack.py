"""The guardrails as policies, for organisations that enforce rules from outside the program.
Every validator is the `check` of a rule in guardrails.py; its limits come from the pack's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pulumi_policy import (
    Policy,
    PolicyConfigSchema,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from infra.dynamic import UNKNOWN
from infra.policy.guardrails import RULES, Limits, Rule, Violation, unprotected

PROTECTED_DATA = "protected-data"
DEFAULT_CEILING = 10
DEFAULT_STACKS = ("prod",)
Check = Callable[[ResourceValidationArgs, Limits], tuple[Violation, ...]]


def policies() -> list[Policy]:
    """One policy per rule, under the rule's own name. Rules that check for a Pulumi secret stay in the program: the
    engine gives a pack the values of secrets without their mark."""
    made: list[Policy] = [
        _policy(rule.name, rule.meaning, _applied(rule), _SCHEMAS.get(rule.name))
        for rule in RULES
        if not rule.checks_secrecy
    ]
    made.append(
        _policy(
            PROTECTED_DATA,
            "Resources with users' data are protected in protected stacks.",
            lambda args, limits: unprotected(args.resource_type, args.opts.protect, limits),
            _SCHEMAS[PROTECTED_DATA],
        )
    )
    return made


def _stacks(meaning: str) -> PolicyConfigSchema:
    listed = {"type": "array", "items": {"type": "string"}, "default": list(DEFAULT_STACKS), "description": meaning}
    return PolicyConfigSchema(properties={"stacks": listed})


_SCHEMAS: Mapping[str, PolicyConfigSchema] = {
    "workers-ceiling": PolicyConfigSchema(
        properties={
            "ceiling": {
                "type": "integer",
                "minimum": 0,
                "default": DEFAULT_CEILING,
                "description": "Most workers that an endpoint may have.",
            }
        }
    ),
    "no-standing-cost": _stacks("Stacks that may have workers without a job."),
    PROTECTED_DATA: _stacks("Stacks whose data must be protected."),
}


def limits_of(stack: str, config: Mapping[str, Any]) -> Limits:
    """Limits from one policy's configuration: a stack that it names may keep workers, and must protect its data."""
    named = stack in config.get("stacks", DEFAULT_STACKS)
    return Limits(
        workers_ceiling=int(config.get("ceiling", DEFAULT_CEILING)), min_workers_accepted=named, protect=named
    )


def known(value: Any) -> Any:
    """What a pack sees as plain values. The SDK raises on a value that is not known yet; checks expect UNKNOWN."""
    if isinstance(value, Mapping):
        return {key: known(_or_unknown(value, key)) for key in value}
    if isinstance(value, str) or not hasattr(value, "__getitem__"):
        return value
    return [known(_or_unknown(value, place)) for place in range(len(value))]


def _or_unknown(inside: Any, key: Any) -> Any:
    try:
        return inside[key]
    except UnknownValueError:
        return UNKNOWN


def _applied(rule: Rule) -> Check:
    return lambda args, limits: rule.check(args.resource_type, known(args.props), limits)


def _policy(name: str, meaning: str, check: Check, schema: PolicyConfigSchema | None) -> Policy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        stack = args.urn.split(":")[2]  # urn:pulumi:<stack>::<project>::…
        for found in check(args, limits_of(stack, args.get_config())):
            report(f"{args.name}: {found.what}. {found.fix}.", None)

    return ResourceValidationPolicy(name=name, description=meaning, validate=validate, config_schema=schema)
