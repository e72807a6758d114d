"""Each alert of ops/prometheus fires under its fault on the local cloud and ends after it, in a real Prometheus.
Time is compressed as prometheus.py describes; promtool tests the rules in their own time (tests/unit/ops)."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import yaml

from local_cloud import clock_skew
from tests.alerts.prometheus import FILES, Prometheus
from tests.chaos.cloud import Cloud, until
from tests.chaos.faults.edge import Limit
from tests.chaos.faults.runpod import RunPodFault, WorkersMax
from tests.chaos.scene import Scene

RULES: list[dict[str, Any]] = yaml.safe_load((FILES / "alerts.yml").read_text())["groups"][0]["rules"]
LIMIT_S = 120.0
LATE_S = 660  # above WEBHOOK_LATE_MS of edge_worker/src/account/books/books.ts
Break = Callable[[Cloud], AbstractContextManager[None]]


@contextmanager
def stopped(cloud: Cloud) -> Any:
    assert cloud.edge("POST", "/api/stop", json={"reason": "A test stopped it."}).is_success
    yield
    assert cloud.edge("POST", "/api/resume").is_success


@contextmanager
def workers_that_never_start(cloud: Cloud) -> Any:
    usual = cloud.runpod("GET", "/_control/settings").json()["init_timeout_s"]
    with waiting(cloud, "worker_never_starts"):
        cloud.runpod("PATCH", "/_control/settings", json={"init_timeout_s": 1})
        yield
        cloud.runpod("PATCH", "/_control/settings", json={"init_timeout_s": usual})


@contextmanager
def no_worker_allowed(cloud: Cloud) -> Any:
    scene = Scene.uploaded(cloud, "no worker is allowed")
    workers = WorkersMax(for_good=True)
    workers.strike(scene)
    scene.start()
    yield
    cloud.reset()
    scene.wait("done", LIMIT_S)


@contextmanager
def workers_without_a_machine(cloud: Cloud) -> Any:
    with waiting(cloud, "worker_throttled"):
        yield


@contextmanager
def waiting(cloud: Cloud, kind: str) -> Any:
    """A job that waits because of a fault of the workers; without the fault it becomes a scene."""
    scene = Scene.uploaded(cloud, kind)
    # A warm worker of an earlier test would take the job at once.
    address = f"/v2/serverless/{cloud.endpoint}"
    cloud.runpod("PATCH", address, json={"workers": {"max": 0}})
    until(lambda: not cloud.workers(), "no worker is left")
    cloud.runpod("PATCH", address, json={"workers": {"max": 1}})
    scene.cloud.runpod("POST", "/_control/faults", json={"kind": kind, "endpoint": cloud.endpoint, "times": None})
    scene.start()
    assert scene.refusal == {}
    yield
    cloud.reset()
    if scene.project()["state"] == "failed":  # the service stopped meanwhile, and ended its waiting jobs
        scene.start()
    scene.wait("done", LIMIT_S)


@contextmanager
def failed_jobs(cloud: Cloud) -> Any:
    scene = Scene.uploaded(cloud, "jobs that fail")
    for _ in range(2):
        RunPodFault("status", "POST /v2/*/run", {"status": 401, "times": 1}).strike(scene)
        scene.start()
        scene.wait("failed", LIMIT_S)
    yield


@contextmanager
def spent_budget(cloud: Cloud) -> Any:
    scene = Scene.uploaded(cloud, "budget")
    scene.start()
    scene.wait("done", LIMIT_S)
    spent = cloud.edge("GET", "/api/metrics").json()["spend"]["month_usd"]
    limit = Limit("budget_usd_per_month", spent * 1.1)
    limit.strike(scene)
    yield
    limit.end(scene)


@contextmanager
def lost_webhooks(cloud: Cloud) -> Any:
    """A webhook counts as lost ten minutes after its job: the edge starts again with a clock that is ahead."""
    try:
        ahead = clock_skew.environment(LATE_S, cloud.folder)
    except OSError as impossible:
        words = f"SPLATWEBHOOKSLOST IS NOT TESTED: {impossible}"
        pytest.fail(words, pytrace=False) if os.environ.get("CI") else pytest.skip(words)
    RunPodFault("webhook_dropped", more={"endpoint": cloud.endpoint, "times": None}).strike(Scene(cloud=cloud))
    for number in range(2):
        scene = Scene.uploaded(cloud, f"webhook {number}")
        scene.start()
        scene.wait("done", LIMIT_S)  # found by asking
    start_again(cloud, ahead)
    yield
    start_again(cloud, {})


def start_again(cloud: Cloud, variables: dict[str, str]) -> None:
    """Stop the edge and start it with more variables than usual."""
    cloud.kill("cloudflare")
    usual = cloud.commands["cloudflare"]
    cloud.commands["cloudflare"] = dataclasses.replace(usual, environment={**usual.environment, **variables})
    try:
        cloud.start("cloudflare")
    finally:
        cloud.commands["cloudflare"] = usual


@contextmanager
def silent_runpod(cloud: Cloud) -> Any:
    cloud.runpod("POST", "/_control/faults", json={"kind": "reset", "route": "GET /v2/*/health", "times": None})
    yield


@contextmanager
def dead_app(cloud: Cloud) -> Any:
    cloud.kill("cloudflare")
    yield
    cloud.start("cloudflare")


FAULTS: dict[str, Break] = {
    "SplatServiceStopped": stopped,
    "SplatWorkersFailToStart": workers_that_never_start,
    "SplatNoWorker": no_worker_allowed,
    "SplatJobsWaitTooLong": workers_without_a_machine,
    "SplatJobsFail": failed_jobs,
    "SplatBudgetNearlySpent": spent_budget,
    "SplatWebhooksLost": lost_webhooks,
    "SplatRunPodDoesNotAnswer": silent_runpod,
    "SplatAppDown": dead_app,
}


def test_the_example_scrapes_the_app_with_its_token(server: Prometheus) -> None:
    until(lambda: server.target().get("health") == "up", "the app is scraped")
    labels = server.target()["labels"]
    assert (labels["job"], labels["stack"]) == ("photo-splat", "prod")
    [sample] = server.get("query", query="splat_budget_usd")["result"]
    assert float(sample["value"][1]) > 0


def test_every_alert_has_its_fault() -> None:
    assert {rule["alert"] for rule in RULES} == set(FAULTS)


@pytest.mark.parametrize("name", FAULTS)
def test_an_alert_fires_under_its_fault_and_ends_after_it(name: str, cloud: Cloud, server: Prometheus) -> None:
    cloud.reset()
    until(lambda: name not in server.firing(), f"{name} does not fire before its fault", LIMIT_S)
    with FAULTS[name](cloud):
        alert = until(lambda: server.firing().get(name), f"{name} fires", LIMIT_S)
        rule = next(one for one in RULES if one["alert"] == name)
        assert alert["labels"]["severity"] == rule["labels"]["severity"]
        assert "prod" in alert["annotations"]["summary"]
    cloud.reset()
    until(lambda: name not in server.firing(), f"{name} ends", LIMIT_S)
