"""The doctor's checks of RunPod on the stand-in: each fault is made there, found, and named with its fix."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from infra.runpod.client import RetryPolicy, RunPodClient
from scripts.splat_cli.doctor.finding import Finding, Verdict
from scripts.splat_cli.doctor.observe import image as image_doctor
from scripts.splat_cli.doctor.observe import runpod as doctor
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.stack_access import Recorded, StackAccess

from .conftest import KEY, REPOSITORY, StandIn, until

DIGEST = f"@sha256:{'a' * 64}"


class OneTry(StackAccess):
    """A stack whose client neither repeats nor waits."""

    def runpod(self, **_: Any) -> RunPodClient:
        return super().runpod(retry=RetryPolicy(attempts=1))


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log's stream stays open; a test reads again instead of waiting for its last line."""
    monkeypatch.setattr(doctor, "LOG_WAIT_S", 0.3)


def looks_at(standin: StandIn, endpoint: dict[str, Any], key: str = KEY) -> Observed:
    """A stack whose state records the endpoint as it is now."""
    access = OneTry(
        stack="dev",
        outputs={"appUrl": "https://splat.example.org", "endpointId": endpoint["id"], "operatorToken": "t"},
        config={
            "photo-splat:cloudflareAccountId": "0" * 32,
            "photo-splat:workersSubdomain": "team",
            "photo-splat:imageRepository": "ghcr.io/team/splat-worker",
            "runpod:apiKey": key,
            "runpod:apiUrl": f"{standin.url}/v2",
            "runpod:jobUrl": f"{standin.url}/v2",
        },
        resources=(
            Recorded(type="pulumi-python:dynamic/runpod:Endpoint", name="e", id="e", inputs={}, outputs=endpoint),
        ),
        variables={},
    )
    return Observed(access)


def says(standin: StandIn, line: str, **env: str) -> dict[str, Any]:
    """An endpoint with one worker that prints a line."""
    return standin.create(
        image=f"{REPOSITORY}-says{DIGEST}", workers={"min": 1, "max": 1, "idleTimeout": 60}, env={"SAYS": line, **env}
    )


def found(standin: StandIn, endpoint: dict[str, Any], check: Callable[[Observed], Verdict]) -> Finding:
    """The first finding of a check, which fresh reads show within a while."""

    def verdict() -> Verdict:
        seen = looks_at(standin, endpoint)
        try:
            return check(seen)
        finally:
            seen.close()

    finding: Finding = until(verdict, lambda one: one.findings).findings[0]
    return finding


def test_a_healthy_endpoint_has_no_finding(standin: StandIn) -> None:
    seen = looks_at(standin, standin.create())
    verdicts = [check.run() for check in doctor.checks(seen)]
    seen.close()
    assert [one.check for one in verdicts if not one.healthy] == []


@pytest.mark.parametrize(
    ("line", "id_", "fix"),
    [
        ("RuntimeError: Found no NVIDIA driver on your system.", "cuda-not-found", "minCudaVersion"),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
            "cuda-out-of-memory",
            "photo-splat:gpu",
        ),
        ("job timed out after 1 retries", "job-timeout", "jobSecondsMax"),
        ("WARNING could not reach the webhook: 502", "webhook-not-received", "webhook address"),
        ("Creating SIFT CPU feature extractor", "slow-colmap", "photo-splat:gpu"),
        ("falling back to the CPU trainer", "slow-training", "--target cpu"),
    ],
)
def test_a_known_failure_in_a_workers_log_is_found(standin: StandIn, line: str, id_: str, fix: str) -> None:
    finding = found(standin, says(standin, line), doctor.worker_logs)
    assert finding.id == id_
    assert line in finding.evidence
    assert fix in finding.fix


def test_a_container_that_exits_is_found_with_its_last_words(standin: StandIn) -> None:
    endpoint = says(standin, "ModuleNotFoundError: No module named 'splat_worker'", EXITS="1")
    finding = found(standin, endpoint, doctor.workers)
    assert finding.id == "container-failed-to-start"
    assert "its process exited with status 1" in finding.evidence
    assert "config set image" in finding.fix


def test_a_worker_that_never_starts_is_found(standin: StandIn) -> None:
    standin.fault(kind="worker_never_starts", times=None)
    endpoint = standin.create(workers={"min": 1, "max": 1, "idleTimeout": 60})
    until(lambda: standin.workers(endpoint["id"])["summary"]["initializing"], lambda count: count == 1)
    standin.clock(advance_s=400)
    finding = found(standin, endpoint, doctor.workers)
    assert finding.id == "start-timeout"
    assert "initializing for 6 min" in finding.evidence or "initializing for 7 min" in finding.evidence


def test_workers_without_a_machine_are_found(standin: StandIn) -> None:
    standin.fault(kind="worker_throttled", times=None)
    finding = found(standin, standin.create(workers={"min": 1, "max": 1, "idleTimeout": 60}), doctor.workers)
    assert finding.id == "workers-throttled"
    assert "dataCenters" in finding.fix


def test_a_worker_that_is_ready_but_takes_no_job_is_found(standin: StandIn) -> None:
    standin.settings(lost_after_s=4)
    endpoint = standin.create(image=f"{REPOSITORY}-deaf{DIGEST}", workers={"min": 1, "max": 1, "idleTimeout": 3600})
    until(lambda: standin.workers(endpoint["id"])["summary"]["idle"], lambda count: count == 1)
    standin.clock(advance_s=100)

    def stuck(seen: Observed) -> Verdict:
        # Its one request may still be open and get the first job, which waits again when no ping names it.
        standin.run(endpoint["id"], input={"n": 1})
        return doctor.workers(seen)

    finding = found(standin, endpoint, stuck)
    assert finding.id == "workers-idle-while-jobs-wait"
    assert "splat logs --worker" in finding.fix


def test_a_changed_endpoint_and_a_deleted_one_are_found(standin: StandIn) -> None:
    endpoint = standin.create(workers={"min": 0, "max": 3, "idleTimeout": 60})
    standin.patch(endpoint["id"], workers={"min": 0, "max": 0, "idleTimeout": 60})
    drifted = found(standin, endpoint, doctor.endpoint)
    assert (drifted.id, drifted.fix) == ("endpoint-drift", "splat doctor --fix --stack dev")
    assert "workers.max is 0 instead of 3" in drifted.evidence
    assert found(standin, endpoint, doctor.workers).id == "no-workers-allowed"
    assert standin.http.delete(f"/v2/serverless/{endpoint['id']}").status_code == 204
    assert found(standin, endpoint, doctor.endpoint).id == "endpoint-missing"


def test_a_key_without_rights_and_a_quota_that_is_used_up_are_found(standin: StandIn) -> None:
    endpoint = standin.create()
    seen = looks_at(standin, endpoint, key="rpa_another_key")
    assert "invalid" in doctor.key_rights(seen).findings[0].what
    seen.close()
    standin.fault(kind="status", route="PATCH /v2/serverless/*", status=403, times=None)
    assert "not write" in found(standin, endpoint, doctor.key_rights).what
    standin.settings(worker_quota=0)
    assert found(standin, endpoint, doctor.account_limits).id == "worker-quota"


def test_a_registry_credential_that_was_deleted_is_found(standin: StandIn) -> None:
    login = {"name": "login", "username": "u", "password": "p"}
    registry = standin.http.post("/v2/registries", json=login).json()["id"]
    declared = Recorded(
        type="pulumi-python:dynamic/runpod:RegistryCredential", name="r", id=registry, inputs={}, outputs={}
    )

    def check(seen: Observed) -> Verdict:
        seen.access = dataclasses.replace(seen.access, resources=(*seen.access.resources, declared))
        return image_doctor.credential(seen)

    endpoint = standin.create(registry=registry)
    seen = looks_at(standin, endpoint)
    assert check(seen).findings == ()
    seen.close()
    assert standin.http.delete(f"/v2/registries/{registry}").status_code == 204

    finding = found(standin, endpoint, check)

    assert finding.id == "registry-credential"
    assert finding.fix.startswith("splat doctor --fix")


def test_an_image_without_kernels_for_the_deployed_card_is_found(standin: StandIn) -> None:
    """Also where the configuration names no card: `gpu: cheapest` is a card's name in the state."""
    endpoint = standin.create()
    seen = looks_at(standin, {**endpoint, "gpuNames": ["V100"]})
    seen.access.outputs["imageReference"] = f"checkout.local/splat-worker{DIGEST}"
    verdict = image_doctor.fits(seen)
    seen.close()
    [finding] = verdict.findings
    assert finding.id == "no-kernel-for-the-gpu"
    assert "V100 (compute capability 7.0)" in finding.evidence
