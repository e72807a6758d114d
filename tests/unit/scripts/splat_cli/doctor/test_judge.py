"""What observed facts mean: a row per state of an account, an image, a bucket, an app."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from infra.image.labels import ImageLabels
from scripts.splat_cli.doctor.finding import Action, Verdict
from scripts.splat_cli.doctor.judge import cloudflare, image, runpod, service
from scripts.splat_cli.edge_client import Spend, Stopped

REDO = "splat doctor --fix --stack dev"
ENDPOINT: dict[str, Any] = {
    "name": "photo-splat-dev",
    "type": "QUEUE",
    "image": "ghcr.io/team/splat-worker@sha256:" + "a" * 64,
    "gpu": {"pools": ["ADA_24"], "count": 1},
    "workers": {"min": 0, "max": 3, "idleTimeout": 60},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    "timeout": 5_400_000,
    "flashboot": "FLASHBOOT",
    "env": {"SPLAT_DEPLOYMENT": "marker"},
}


def ids(verdict: Verdict) -> list[str]:
    return [finding.id for finding in verdict.findings]


def worker(status: str, uptime_s: float | None = 10, **more: Any) -> runpod.Worker:
    return runpod.Worker(id=f"w-{status.lower()}", status=status, uptime_s=uptime_s, **more)


@pytest.mark.parametrize(
    ("refused", "can_write", "words"),
    [(None, True, None), (401, False, "invalid"), (403, False, "may not read"), (None, False, "not write")],
)
def test_the_rights_of_the_runpod_key(refused: int | None, can_write: bool, words: str | None) -> None:
    verdict = runpod.key_rights("key", refused=refused, can_write=can_write)
    if words is None:
        assert verdict.healthy
    else:
        [finding] = verdict.findings
        assert words in finding.what
        assert "runpod:apiKey" in finding.fix


@pytest.mark.parametrize(
    ("is_local", "has_own", "words"),
    [
        (False, True, "a key of its own"),
        (
            False,
            False,
            "can change the whole account; better a Restricted key: splat pulumi config set --secret runpod",
        ),
        (True, False, "the key of the local cloud"),
    ],
)
def test_an_edge_without_a_key_of_its_own_is_shown_with_the_way_to_one(
    is_local: bool, has_own: bool, words: str
) -> None:
    verdict = runpod.edge_key("key", is_local=is_local, has_own=has_own)
    assert verdict.healthy
    assert words in verdict.detail


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({}, []),
        ({"spendRate": {"limit": 80, "used": 1.12}, "serverlessWorkers": {"limit": 10, "used": 3}}, []),
        ({"spendRate": {"limit": 80, "used": 79}}, ["spend-limit"]),
        ({"serverlessWorkers": {"limit": 5, "used": 6}}, ["worker-quota"]),
        ({"spendRate": {"maximum": 80}, "serverlessWorkers": 5}, []),  # fields that are not published
    ],
)
def test_account_limits(limits: dict[str, Any], found: list[str]) -> None:
    assert ids(runpod.account_limits("account", limits)) == found


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        ({"gpu": {**ENDPOINT["gpu"], "allowedCudaVersions": [], "minCudaVersion": None}, "ports": []}, None),
        ({"env": {**ENDPOINT["env"], "RUNPOD_AI_API_ID": "x"}}, None),  # the platform's own
        ({"workers": {"min": 0, "max": 2, "idleTimeout": 60}}, "RunPod lowers it after 3 days"),
        ({"timeout": 600_000}, "changed outside"),
        ({"env": {"SPLAT_DEPLOYMENT": "marker", "TOKEN": "s3cret"}}, "was changed or removed"),
    ],
)
def test_an_endpoint_that_differs_from_the_stack(changes: dict[str, Any], words: str | None) -> None:
    verdict = runpod.endpoint("endpoint", ENDPOINT, {**ENDPOINT, **changes}, redo=REDO)
    if words is None:
        assert verdict.healthy, verdict
        return
    [finding] = verdict.findings
    assert (finding.id, finding.action) == ("endpoint-drift", Action.REDEPLOY)
    assert words in finding.evidence
    assert "s3cret" not in str(finding)


def test_a_missing_endpoint_is_deployed_again() -> None:
    [finding] = runpod.endpoint("endpoint", ENDPOINT, None, redo=REDO).findings
    assert finding.id == "endpoint-missing"
    assert REDO in finding.fix


@pytest.mark.parametrize(
    ("workers", "waiting", "most", "found"),
    [
        ([], 0, 3, []),
        ([], 2, 3, []),  # a worker will come
        ([worker("RUNNING")], 4, 3, []),
        ([worker("IDLE", 5)], 1, 3, []),  # it takes the job in this moment
        ([worker("INITIALIZING", 100)], 1, 3, []),
        ([worker("THROTTLED", None), worker("RUNNING")], 0, 3, []),
        ([worker("THROTTLED", None)], 1, 3, ["workers-throttled"]),
        ([worker("THROTTLED", None), worker("RUNNING")], 1, 3, ["workers-throttled"]),
        ([worker("UNHEALTHY")], 0, 3, ["container-failed-to-start"]),
        ([worker("INITIALIZING", 400)], 1, 3, ["start-timeout"]),
        ([worker("IDLE", 120)], 1, 3, ["workers-idle-while-jobs-wait"]),
        ([worker("IDLE", 120), worker("RUNNING")], 1, 3, []),
        ([], 1, 0, ["no-workers-allowed"]),
    ],
)
def test_workers_and_the_queue(workers: list[runpod.Worker], waiting: int, most: int, found: list[str]) -> None:
    verdict = runpod.workers("workers", workers, waiting=waiting, workers_max=most, redo=REDO)
    assert ids(verdict) == found


def test_a_finding_about_workers_shows_their_last_line_and_the_command_for_the_whole_log() -> None:
    broken = worker("UNHEALTHY", last_line="ModuleNotFoundError: No module named 'splat_worker'")
    [finding] = runpod.workers("workers", [broken], waiting=1, workers_max=1, redo=REDO).findings
    assert "ModuleNotFoundError" in finding.evidence
    assert "splat logs --worker w-unhealthy" in finding.fix


def card(name: str, level: str, **centers: str) -> dict[str, Any]:
    places = [{"id": center.replace("_", "-"), "availability": one} for center, one in centers.items()]
    return {"id": name, "name": name, "pool": "ADA_24", "availability": level, "dataCenters": places}


@pytest.mark.parametrize(
    ("catalog", "centers", "found"),
    [
        ([card("4090", "LOW")], (), []),
        ([card("4090", "NONE")], (), ["no-gpu-available"]),
        ([card("4090", "NONE"), card("L4", "HIGH")], (), []),
        ([card("4090", "HIGH", EU_1="NONE", US_1="HIGH")], ("EU-1",), ["no-gpu-available"]),
        ([card("4090", "HIGH", EU_1="NONE", US_1="HIGH")], ("EU-1", "US-1"), []),
        ([{"id": "4090", "pool": "ADA_24"}], (), []),  # without figures it is not judged
        ([{**card("H100", "NONE"), "pool": "OTHER"}], (), []),
    ],
)
def test_availability_of_the_chosen_cards(
    catalog: list[dict[str, Any]], centers: tuple[str, ...], found: list[str]
) -> None:
    verdict = runpod.availability("gpus", catalog, pools=["ADA_24"], excluded=[], centers=centers)
    assert ids(verdict) == found
    if found and centers:
        assert "dataCenters empty" in verdict.findings[0].fix


@pytest.mark.parametrize(
    ("labels", "gpus", "minimum", "found"),
    [
        (ImageLabels(), ("B200",), None, []),
        (ImageLabels(cuda="12.8", architectures=("80", "89")), ("RTX 4090",), None, []),
        (ImageLabels(cuda="12.8", architectures=("89",)), ("A100 80GB",), None, ["no-kernel-for-the-gpu"]),
        (ImageLabels(cuda="12.8", architectures=("89",)), ("RTX 4090",), "12.1", ["cuda-not-found"]),
        (ImageLabels(for_cpu=True), ("RTX 4090",), None, ["no-kernel-for-the-gpu"]),
    ],
)
def test_an_image_against_the_cards(
    labels: ImageLabels, gpus: tuple[str, ...], minimum: str | None, found: list[str]
) -> None:
    verdict = image.fits("image", labels, gpus, minimum)
    assert ids(verdict) == found
    for finding in verdict.findings:
        assert "photo-splat:" in finding.evidence


@pytest.mark.parametrize(
    ("declared", "used", "found"),
    [
        (False, None, []),
        (True, "reg1", []),
        (True, None, ["registry-credential"]),
        (True, "reg0", ["registry-credential"]),
        (False, "reg0", ["registry-credential"]),
    ],
)
def test_the_registry_credential(declared: bool, used: str | None, found: list[str]) -> None:
    assert ids(image.credential("credential", declared=declared, used=used, existing={"reg1"}, redo=REDO)) == found


def test_an_image_that_the_registry_refuses_and_one_that_it_does_not_answer_about() -> None:
    reference = "ghcr.io/team/splat-worker@sha256:" + "a" * 64
    assert image.reachable("image", reference, refused="", silent="").healthy
    assert ids(image.reachable("image", reference, refused="404", silent="")) == ["image-not-pulled"]
    assert image.reachable("image", reference, refused="", silent="no answer").skipped == "no answer"


@pytest.mark.parametrize(
    ("bindings", "texts", "found"),
    [
        ({"A": "plain_text", "B": "secret_text"}, {"A": "1"}, []),
        ({"A": "plain_text", "B": "secret_text"}, {"A": "2"}, ["script-drift"]),
        ({"A": "plain_text"}, {"A": "1"}, ["secrets-out-of-sync"]),
        (None, {}, ["script-missing"]),
        ({"A": "plain_text", "B": "secret_text", "C": "secret_text"}, {"A": "1"}, ["script-unmanaged"]),
    ],
)
def test_the_script_and_its_bindings(bindings: dict[str, str] | None, texts: dict[str, str], found: list[str]) -> None:
    declared = {"A": "1", "B": None}
    assert ids(cloudflare.script("script", bindings, texts, declared=declared, redo=REDO)) == found


ORIGIN = "https://splat.example.org"


@pytest.mark.parametrize(
    ("status", "headers", "found"),
    [
        (204, {"access-control-allow-origin": ORIGIN, "access-control-allow-headers": "Content-Type"}, []),
        (204, {"access-control-allow-origin": "*", "access-control-allow-headers": "*"}, []),
        (403, {}, ["bucket-cors"]),
        (204, {"access-control-allow-origin": "https://other.example"}, ["bucket-cors"]),
        (204, {"access-control-allow-origin": ORIGIN, "access-control-allow-headers": "range"}, ["bucket-cors"]),
    ],
)
def test_the_buckets_answer_to_the_apps_preflight(status: int, headers: dict[str, str], found: list[str]) -> None:
    verdict = cloudflare.cors(
        "cors", status=status, headers=headers, origin=ORIGIN, wanted=("content-type",), redo=REDO
    )
    assert ids(verdict) == found


@pytest.mark.parametrize(
    ("put", "got", "same", "words"),
    [
        (200, 200, True, None),
        (None, None, False, "signed no upload"),
        (403, None, False, "PUT to an address that the app signed: 403"),
        (200, 404, False, "GET with the stack's key: 404"),
        (200, 200, False, "other bytes"),
    ],
)
def test_presigned_put_and_get(put: int | None, got: int | None, same: bool, words: str | None) -> None:
    verdict = cloudflare.round_trip("trip", put=put, got=got, same=same, milliseconds=5, redo=REDO)
    assert verdict.healthy if words is None else words in verdict.findings[0].evidence


def test_a_revoked_bucket_key_and_missing_rights() -> None:
    assert cloudflare.bucket_key("key", token_ids={"t1"}, key_id="t1", redo=REDO).healthy
    [revoked] = cloudflare.bucket_key("key", token_ids={"t2"}, key_id="t1", redo=REDO).findings
    assert revoked.action is Action.REDEPLOY
    [refused] = cloudflare.token_rights("token", (cloudflare.Refusal(right="edit on X", evidence="403"),)).findings
    assert "edit on X" in refused.what


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, {"status": "ok", "stack": "dev", "version": "abc"}, None),
        (503, {}, "not healthy"),
        (200, {"status": "ok", "stack": "prod"}, "another stack"),
    ],
)
def test_the_apps_health(status: int, body: dict[str, Any], words: str | None) -> None:
    verdict = service.app("app", status=status, body=body, stack="dev", redo=REDO)
    assert verdict.healthy if words is None else words in verdict.findings[0].what


@pytest.mark.parametrize(
    ("deployed", "status", "ours", "words"),
    [
        (ORIGIN, 403, True, None),
        (None, 403, True, None),
        ("https://old.example.org", 403, True, "the script uses https://old.example.org"),
        (ORIGIN, None, False, "does not answer"),
        (ORIGIN, 302, False, "in front of the app"),
        (ORIGIN, 403, False, "in front of the app"),
        ("http://192.168.1.7:8787", 403, True, "is not a public address"),
    ],
)
def test_the_webhook_address(deployed: str | None, status: int | None, ours: bool, words: str | None) -> None:
    declared = ORIGIN if deployed in (None, ORIGIN, "https://old.example.org") else deployed
    verdict = service.webhook(
        "webhook", declared=str(declared), deployed=deployed, status=status, ours=ours, local=False, redo=REDO
    )
    if words is None:
        assert verdict.healthy
    else:
        assert ids(verdict) == ["webhook-not-received"]
        assert words in verdict.findings[0].evidence


def test_a_local_stack_needs_no_public_address() -> None:
    local = "http://127.0.0.1:8787"
    assert service.webhook(
        "webhook", declared=local, deployed=local, status=403, ours=True, local=True, redo=REDO
    ).healthy


@pytest.mark.parametrize(("skew_s", "words"), [(3, None), (-59, None), (90, "90 s ahead of"), (-900, "900 s behind")])
def test_the_clock(skew_s: float, words: str | None) -> None:
    verdict = service.clock("clock", {"RunPod": skew_s})
    assert verdict.healthy if words is None else words in verdict.findings[0].evidence


@pytest.mark.parametrize(
    ("accepted", "reaches", "words"),
    [(True, True, None), (False, False, "operator token"), (True, False, "cannot read the endpoint")],
)
def test_secrets_in_sync(accepted: bool, reaches: bool, words: str | None) -> None:
    verdict = service.secrets("secrets", token_accepted=accepted, edge_reaches_runpod=reaches, redo=REDO)
    assert verdict.healthy if words is None else words in verdict.findings[0].what


@pytest.mark.parametrize(
    ("left", "today", "found"),
    [(20.0, 3, []), (1.9, 3, ["budget-nearly-used"]), (0.0, 20, ["budget-nearly-used", "daily-jobs-used"])],
)
def test_the_budget(left: float, today: int, found: list[str]) -> None:
    spend = Spend(today_usd=0, month_usd=0, reserved_usd=0, budget_usd=20.0, left_usd=left)
    assert ids(service.budget("budget", spend, jobs_today=today, jobs_per_day=20)) == found


def test_a_stopped_service_names_its_reason_and_the_command_that_resumes_it() -> None:
    assert service.accepting("service", None, failed_starts=2).healthy
    stopped = Stopped(at=datetime(2026, 11, 30, 3, 0, tzinfo=UTC), reason="5 workers failed to start.")
    [finding] = service.accepting("service", stopped, failed_starts=5).findings
    assert finding.evidence == "since 2026-11-30 03:00 UTC: 5 workers failed to start."
    assert finding.fix.endswith("splat resume")


def report(kind: str = "cuda", preset: str = "standard", **seconds: float) -> dict[str, Any]:
    return {
        "project_id": "p_1",
        "preset": preset,
        "device": {"kind": kind, "name": "AMD EPYC" if kind == "cpu" else "NVIDIA L40S"},
        "photos": {"given": 50, "registered": 50},
        "stages": [{"stage": stage, "seconds": value} for stage, value in seconds.items()],
    }


@pytest.mark.parametrize(
    ("found", "expects_gpu", "ids_"),
    [
        (report(sfm=18.0, train=18.4), True, []),  # an H200, bench/gpu/README.md
        (report(sfm=400.0, train=18.4), True, ["slow-colmap"]),
        (report(sfm=18.0, train=400.0), True, ["slow-training"]),
        (report("cpu", "preview", sfm=19.3, train=55.9), True, ["slow-training"]),
        (report("cpu", "preview", sfm=19.3, train=55.9), False, []),  # a local stack, README.md
        (report("cpu", "preview", sfm=900.0, train=55.9), False, ["slow-colmap"]),
    ],
)
def test_slow_stages_of_the_newest_scene(found: dict[str, Any], expects_gpu: bool, ids_: list[str]) -> None:
    done = service.EndedJob(project="p_1", name="Teapot")
    assert ids(service.jobs("jobs", [done], newest=found, expects_gpu=expects_gpu)) == ids_


@pytest.mark.parametrize(
    ("code", "id_", "key"),
    [
        ("OUT_OF_MEMORY", "cuda-out-of-memory", "photo-splat:gpu"),
        ("TIME_LIMIT", "job-timeout", "jobSecondsMax"),
        ("OUT_OF_DISK", "worker-disk-full", "diskGb"),
        ("INTERNAL", "job-failed", "splat logs --job p_1"),
        ("UPSTREAM", "job-failed", ""),
        ("UPLOAD_FAILED", "bucket-round-trip", ""),
    ],
)
def test_a_failed_job_is_a_finding_until_one_succeeds(code: str, id_: str, key: str) -> None:
    failed = service.EndedJob(project="p_1", name="Teapot", code=code, message="It failed.")
    done = service.EndedJob(project="p_0", name="Mug")
    [finding] = service.jobs("jobs", [failed, failed, done], expects_gpu=True).findings
    assert (finding.id, finding.evidence) == (id_, "Teapot (p_1): It failed.")
    assert key in finding.fix
    assert service.jobs("jobs", [done, failed], expects_gpu=True).healthy


def test_photos_at_fault_are_not_the_operators_finding() -> None:
    failed = service.EndedJob(project="p_1", name="Teapot", code="SFM_FAILED", message="The photos do not fit.")
    assert service.jobs("jobs", [failed], expects_gpu=True).healthy
