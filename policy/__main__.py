"""Entry of the policy pack: serves the rules of infra/policy/guardrails.py to the engine. Holds no rule of its own."""

from pulumi_policy import EnforcementLevel, PolicyPack

from infra.policy.policy_pack import policies

PolicyPack("photo-splat", policies(), enforcement_level=EnforcementLevel.MANDATORY)
