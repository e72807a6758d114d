"""The plan as Markdown."""

from __future__ import annotations

from typing import Any

from scripts.gitops import plan


def step(op: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "urn": f"urn:pulumi:dev::photo-splat::splat:gpu:X${kind}::{name}", **more}


ENDPOINT = plan.ENDPOINT_TYPE
SCRIPT = "cloudflare:index/workersScript:WorkersScript"


def test_a_plan_without_changes_reports_no_changes() -> None:
    text = plan.render({"steps": [step("same", SCRIPT, "edge-script")]}, stack="dev")
    assert text == f"{plan.COMMENT_MARK}\n### Plan of stack `dev`\n\nNo changes.\n"


def test_a_plan_lists_resources_and_the_image() -> None:
    text = plan.render(
        {
            "steps": [
                step("same", SCRIPT, "other"),
                step(
                    "update",
                    ENDPOINT,
                    "gpu-endpoint",
                    diffReasons=["image"],
                    oldState={"inputs": {"image": "repo@sha256:aa"}},
                    newState={"inputs": {"image": "repo@sha256:bb"}},
                ),
                step("create-replacement", SCRIPT, "edge-script", diffReasons=["scriptName"]),
                step("replace", SCRIPT, "edge-script", diffReasons=["scriptName"]),
                step("delete-replaced", SCRIPT, "edge-script", diffReasons=["scriptName"]),
            ]
        },
        stack="dev",
    )
    assert text == (
        f"{plan.COMMENT_MARK}\n### Plan of stack `dev`\n\n1 to **replace**, 1 to update.\n\n"
        "| | resource | type | changed |\n|---|---|---|---|\n"
        "| update | `gpu-endpoint` | `Endpoint` | `image` |\n"
        "| **replace** | `edge-script` | `WorkersScript` | `scriptName` |\n\n"
        "Worker image:\n\n```diff\n- repo@sha256:aa\n+ repo@sha256:bb\n```\n"
    )


def test_a_plan_shows_no_property_values() -> None:
    secret = "rpa_SECRET"
    text = plan.render(
        {
            "steps": [
                step(
                    "update", SCRIPT, "edge-script", diffReasons=["bindings"], newState={"inputs": {"bindings": secret}}
                )
            ]
        },
        stack="dev",
    )
    assert secret not in text


def test_the_error_of_a_failed_preview_cannot_leave_its_code_fence() -> None:
    text = plan.render({"diagnostics": [{"severity": "error", "message": "bad\n```\n# heading"}]}, stack="dev")
    assert text.count("```") == 2
    assert "bad" in text


def test_a_long_plan_is_truncated_and_counts_the_rest() -> None:
    text = plan.render({"steps": [step("create", SCRIPT, f"r{n}") for n in range(plan.ROWS_MAX + 5)]}, stack="dev")
    assert "and 5 more" in text


LOWERED = {"steps": [step("refresh", ENDPOINT, "gpu-endpoint"), step("update", ENDPOINT, "gpu-endpoint")]}
SCRIPT_CHANGES = {"steps": [step("same", ENDPOINT, "gpu-endpoint"), step("update", SCRIPT, "edge-script")]}


def test_a_plan_names_what_changed_outside_and_a_deployment_corrects() -> None:
    refreshed = {"steps": [*LOWERED["steps"], *SCRIPT_CHANGES["steps"][1:]]}
    outside = plan.changed_outside(SCRIPT_CHANGES, refreshed)
    assert [one.name for one in outside] == ["gpu-endpoint"]

    text = plan.render(SCRIPT_CHANGES, stack="dev", outside=outside)

    first, second = text.split(plan.OUTSIDE)
    assert "`edge-script`" in first
    assert "`gpu-endpoint`" not in first
    assert "`gpu-endpoint`" in second
    assert "`edge-script`" not in second


def test_a_plan_without_changes_of_its_own_still_names_what_changed_outside() -> None:
    unchanged = {"steps": [step("same", ENDPOINT, "gpu-endpoint")]}
    text = plan.render(unchanged, stack="dev", outside=plan.changed_outside(unchanged, LOWERED))
    assert "No changes." not in text
    assert f"{plan.OUTSIDE}\n\n1 to update.\n\n" in text


def test_nothing_is_outside_a_plan_that_changes_the_same_resources() -> None:
    assert plan.changed_outside(LOWERED, LOWERED) == ()
