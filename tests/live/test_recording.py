"""The recorded file: nothing secret in it, and the stand-in is held to it."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.splat_cli.verify_live.assumptions import PAGES, every, of_check, read, replaced, table
from scripts.splat_cli.verify_live.check import Result
from scripts.splat_cli.verify_live.masking import masked
from scripts.splat_cli.verify_live.recording import Recording, recordings, text_of, wrong_assumptions
from scripts.splat_cli.verify_live.recording import read as read_recording
from scripts.splat_cli.verify_live.run import all_checks

ROOT = Path(__file__).resolve().parents[2]
CHECKS = {one.name: one for one in all_checks()}
DAY = date(2026, 12, 1)


def test_the_stand_in_does_what_the_platforms_did() -> None:
    """Held to every recording that is committed. The checks themselves hold the stand-in to what they declare."""
    assert wrong_assumptions(all_checks(), recordings(ROOT)) == []


def test_a_difference_to_a_recording_names_the_assumption(tmp_path: Path) -> None:
    results = [
        Result(check=one.name, how=one.how, stand_in=one.expects, platform=one.expects, verdict="same")
        for one in all_checks()
        if one.name != "default-disk"
    ]
    results.append(Result(check="default-disk", how="", stand_in=20, platform=50, verdict="differs"))
    folder = tmp_path / "tests/contract/recorded"
    folder.mkdir(parents=True)
    (folder / "2026-12-01.json").write_text(text_of(results, day=DAY, platform="live", secrets=()))
    [found] = recordings(tmp_path)
    assert wrong_assumptions(all_checks(), [found]) == [
        "default-disk: the platform gave 50 on 2026-12-01, the stand-in gives 20 (POST /serverless without the field)"
    ]
    assert of_check("default-disk") == ("`disk` 20 when omitted",)
    older = Recording(day=date(2026, 1, 1), platform="live", observed={"default-disk": 20}, reasons={})
    assert len(wrong_assumptions(all_checks(), [older, found])) == 1
    page = table(read("runpod.toml"), all_checks(), [found])
    assert (
        "| `disk` 20 when omitted | guess | value of S2's examples | **differs** on 2026-12-01: `default-disk` |"
        in page
    )
    assert "as assumed on 2026-12-01: `request-urls` |" in page


def test_a_recording_of_another_format_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text('{"format": 99}')
    with pytest.raises(ValueError, match="format 99"):
        read_recording(file)


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_the_docs_are_generated_from_the_rows(page: str) -> None:
    text = (ROOT / page).read_text()
    generated = table(read(PAGES[page]), all_checks(), recordings(ROOT))
    assert replaced(text, generated) == text, "run .venv/bin/python -m scripts.splat_cli.verify_live.assumptions"


def test_every_check_observes_an_assumption_and_every_assumption_names_real_checks() -> None:
    named = [name for one in every() for name in one.checks]
    assert sorted(set(named)) == sorted(CHECKS)
    assert len(CHECKS) == len(all_checks()), "two checks share a name"
    assert [one for one in every() if one.kind == "guess" and not one.checks and not one.reason] == []


def tail(secret: str) -> str:
    """The part of a parameter that is secret."""
    return secret.rpartition("=")[2] if secret.startswith("X-Amz") else secret


SECRETS: dict[str, str] = {
    "a RunPod key": "rpa_ABCDEFGH0123456789abcdefghijklmnop",
    "a bearer": "Bearer abcdefgh12345678",
    "an account": "0123456789abcdef0123456789abcdef",
    "a UUID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301-u1",
    "an endpoint": "k3j9x0q2mz81ab",
    "a signature": "X-Amz-Signature=5d41402abc4b2a76b9719d911017c592",
    "a credential": "X-Amz-Credential=AKIA/20261201/auto",
    "a host": "splat.team-name.workers.dev",
    "a bucket's host": "0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com",
    "a proxy": "k3j9x0q2mz81ab-8000.proxy.runpod.net",
    "an address": "https://user:password@example.org/a?token=b",
    "an e-mail": "somebody@example.org",
    "an IP": "203.0.113.7",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123",
}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_is_masked_wherever_it_stands(name: str) -> None:
    secret = SECRETS[name]
    value = masked({f"key {secret}": [f"before {secret} after", {"inner": secret}]})
    assert tail(secret) not in json.dumps(value)
    assert "before" in json.dumps(value)


@settings(max_examples=50)
@given(secret=st.from_regex(r"[A-Za-z0-9]{4,40}", fullmatch=True), around=st.text(max_size=20))
def test_a_value_of_the_run_is_masked_whatever_it_is(secret: str, around: str) -> None:
    text = masked({"a": around + secret + around}, [secret])["a"]
    assert secret not in text.replace("<masked>", "")


def test_what_a_check_observes_stays_readable() -> None:
    for one in all_checks():
        kept = {"application/problem+json", "Go-http-client/2.0", "https://app.example"}
        if not re.search("|".join(map(re.escape, kept)), json.dumps(one.expects)):
            assert masked(one.expects) == one.expects, one.name


def test_nothing_secret_is_in_a_file_whose_checks_saw_secrets() -> None:
    results = [
        Result(check=name, how="", stand_in=None, platform={"text": secret}, verdict="differs")
        for name, secret in SECRETS.items()
    ]
    results.append(
        Result(check="x", how="", stand_in=None, platform=None, verdict="not observed", reason=SECRETS["an account"])
    )
    text = text_of(results, day=DAY, platform="live", secrets=["team-name"])
    leaked = [name for name, secret in SECRETS.items() if tail(secret) in text]
    assert leaked == []
    assert "team-name" not in text


def test_the_committed_recordings_hold_no_secret() -> None:
    for file in (ROOT / "tests/contract/recorded").glob("*.json"):
        rows: list[dict[str, Any]] = json.loads(file.read_text())["rows"]
        for row in rows:
            if row["verdict"] == "differs":
                assert masked(row["platform"]) == row["platform"], (file.name, row["check"])
