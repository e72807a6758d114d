"""Checks side by side: order, time limit, failures that explain others, and what people and programs read."""

from __future__ import annotations

import threading

import httpx
import pytest

from infra.cloudflare.api import CloudflareApiError
from infra.runpod import errors
from scripts.splat_cli.doctor.finding import Finding, Verdict, verdict
from scripts.splat_cli.doctor.report import as_json, lines, summary
from scripts.splat_cli.doctor.runner import Check, explain, run_checks
from scripts.splat_cli.errors import CommandError

BROKEN = Finding(id="bucket-cors", what="The bucket refuses.", evidence="403", fix="splat up")


def fails(problem: Exception) -> Verdict:
    raise problem


def test_verdicts_come_in_the_order_of_the_checks_though_all_run_at_once() -> None:
    second_ran = threading.Event()

    def first() -> Verdict:
        assert second_ran.wait(30)  # a runner that went one by one would never get here
        return verdict("first", "a")

    def second() -> Verdict:
        second_ran.set()
        return verdict("second", "b")

    found = list(run_checks([Check(name="first", run=first, limit_s=60), Check(name="second", run=second, limit_s=60)]))
    assert [one.check for one in found] == ["first", "second"]
    assert all(one.healthy for one in found)


def test_a_check_that_hangs_is_a_finding_and_holds_up_no_other() -> None:
    never = threading.Event()
    hanging = Check(name="hangs", run=lambda: verdict("hangs", str(never.wait(60))), limit_s=1)
    found = list(run_checks([hanging, Check(name="quick", run=lambda: verdict("quick", "a"), limit_s=60)]))
    never.set()
    assert [one.healthy for one in found] == [False, True]
    assert "no answer within 1 s" in found[0].findings[0].evidence


def test_what_cannot_be_read_because_of_an_earlier_finding_is_not_another_finding() -> None:
    key = Check(name="key", run=lambda: Verdict(check="key", findings=(BROKEN,)))
    after = Check(name="workers", run=lambda: fails(httpx.ConnectError("down")), needs="key")
    sound = Check(name="quota", run=lambda: verdict("quota", "fine"), needs="key")
    found = list(run_checks([key, after, sound]))
    assert found[1].skipped == "not checked, see `key`"
    assert found[2].healthy
    assert summary(found) == "1 finding, 1 checks healthy, 1 not checked."


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (errors.Unreachable("cannot connect", call="GET /x", advice="check the network"), "cannot connect"),
        (CommandError("runpod:apiKey is not set.", hint="set it"), "runpod:apiKey is not set."),
        (CloudflareApiError("GET /accounts got no answer"), "got no answer"),
        (httpx.ConnectTimeout("slow: https://signed.example/?secret=1"), "ConnectTimeout"),
        (RuntimeError("token s3cret"), "RuntimeError"),
    ],
)
def test_a_check_that_cannot_read_explains_itself_without_foreign_text(problem: Exception, words: str) -> None:
    finding = explain(problem)
    assert words in finding.evidence
    assert "secret=1" not in str(finding)
    assert "s3cret" not in str(finding)
    assert finding.fix


def test_a_healthy_check_is_one_line_and_a_finding_names_evidence_fix_and_runbook() -> None:
    assert [str(line) for line in lines(verdict("clock", "within 1 s"))] == ["✓ clock                  within 1 s"]
    shown = [str(line) for line in lines(Verdict(check="bucket CORS", findings=(BROKEN,)))]
    assert shown == [
        "✗ bucket CORS            The bucket refuses.",
        "    evidence  403",
        "    fix       splat up",
        "    runbook   docs/runbook.md#bucket-cors",
    ]


def test_json_has_every_check_with_its_state() -> None:
    body = as_json([verdict("a", "fine"), Verdict(check="b", findings=(BROKEN,)), Verdict(check="c", skipped="no")])
    assert body["healthy"] is False
    assert [(one["check"], one["state"]) for one in body["checks"]] == [
        ("a", "healthy"),
        ("b", "finding"),
        ("c", "skipped"),
    ]
    assert body["checks"][1]["findings"][0]["runbook"] == "docs/runbook.md#bucket-cors"
