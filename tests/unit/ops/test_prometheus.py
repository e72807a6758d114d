"""The files for Prometheus and Grafana: every metric exists at the edge, every command exists, and each alert is raised
by its fault and ends after it (Debian's promtool, where it is installed)."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.alerts.prometheus import compressed, find, scrape_config

ROOT = Path(__file__).parents[3]
OPS = ROOT / "ops"
RULES: list[dict[str, Any]] = yaml.safe_load((OPS / "prometheus/alerts.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana/dashboard.json").read_text())
EXPRESSIONS = {
    **{rule["alert"]: rule["expr"] for rule in RULES},
    **{panel["title"]: " ; ".join(one["expr"] for one in panel["targets"]) for panel in DASHBOARD["panels"]},
}
OWN = {"up"}  # Prometheus makes it for every target


def edge_metrics() -> set[str]:
    return set(re.findall(r'family\("(\w+)"', (ROOT / "edge_worker/src/routes/metrics.ts").read_text()))


@pytest.mark.parametrize("name", sorted(EXPRESSIONS))
def test_every_metric_of_an_alert_or_a_panel_exists_at_the_edge(name: str) -> None:
    used = set(re.findall(r"\b(splat_\w+|up)\b", EXPRESSIONS[name]))
    assert used
    assert used <= edge_metrics() | OWN


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_every_alert_has_a_severity_a_sentence_and_a_test(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "warn"}
    assert rule["annotations"]["summary"].endswith(".")
    assert rule["annotations"]["action"].endswith(".")
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    assert anchor == rule["alert"].lower()
    assert re.search(rf"^#+ {rule['alert']}$", (ROOT / page).read_text(), re.MULTILINE)
    tested = (OPS / "prometheus/alerts.test.yml").read_text()
    # One look that expects the alert, and one before or after it that does not.
    assert len(re.findall(rf"alertname: {rule['alert']}\b", tested)) >= 2


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "rules", "alerts.yml"),
        ("test", "rules", "alerts.test.yml"),
        ("check", "config", "--syntax-only", "scrape.yml"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)
def test_promtool_accepts_the_files_and_each_alert_is_raised_by_its_fault(arguments: tuple[str, ...]) -> None:
    promtool = find("promtool")
    if promtool is None:
        words = "THE ALERT RULES ARE NOT TESTED: promtool is not installed (scripts/install-prometheus)"
        required = os.environ.get("CI") and os.environ.get("SPLAT_TEST_ALERTS")
        pytest.fail(words, pytrace=False) if required else pytest.skip(words)
    done = subprocess.run(
        [promtool, *arguments], cwd=OPS / "prometheus", capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_compressed_rules_differ_in_their_times_alone() -> None:
    """What tests/alerts runs on a real Prometheus are these rules, 300 times as fast."""
    text = (OPS / "prometheus/alerts.yml").read_text()
    changed = [
        (before.strip(), after.strip())
        for before, after in zip(text.splitlines(), compressed(text).splitlines(), strict=True)
        if before != after
    ]
    hour = [one for one in changed if "[1h]" in one[0]]
    assert all(after == before.replace("[1h]", "[12000ms]") for before, after in hour)
    assert sorted(set(changed) - set(hour)) == [
        ("expr: splat_oldest_wait_seconds > 600", "expr: splat_oldest_wait_seconds > 2"),
        ("for: 1m", "for: 200ms"),
        ("for: 2m", "for: 400ms"),
        ("for: 5m", "for: 1000ms"),
    ]


def test_the_local_scrape_keeps_the_path_the_labels_and_the_token() -> None:
    example = (OPS / "prometheus/scrape.yml").read_text()
    [local] = yaml.safe_load(scrape_config(example, target="127.0.0.1:1", token_file=Path("/t")))["scrape_configs"]
    [job] = yaml.safe_load(example)["scrape_configs"]
    assert (local["metrics_path"], local["job_name"]) == (job["metrics_path"], job["job_name"])
    assert local["static_configs"][0]["labels"] == job["static_configs"][0]["labels"]
    assert local["authorization"] == {"credentials_file": "/t"}
