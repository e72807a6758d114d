"""Management API: what each call changes, refuses and answers, beyond the shape of its bodies.
Every answer is also judged against the published document by the fixture's hook."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import REPOSITORY, StandIn, until

pytestmark = pytest.mark.local_cloud


def refused(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.text
    body = answer.json()
    return " ".join([body["detail"], *body.get("errors", [])])


def base(**changes: Any) -> dict[str, Any]:
    return {
        "name": "test",
        "type": "QUEUE",
        "image": f"{REPOSITORY}:v1",
        "gpu": {"pools": ["ADA_24"]},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    } | changes


def test_defaults_are_the_published_ones(standin: StandIn) -> None:
    made = standin.http.post("/v2/serverless", json=base()).json()
    assert made["workers"] == {"min": 0, "max": 3, "idleTimeout": 10}
    assert made["flashboot"] == "OFF"
    assert made["timeout"] == 300_000
    assert made["gpu"] == {"pools": ["ADA_24"], "count": 1, "allowedCudaVersions": [], "minCudaVersion": None}
    assert (made["env"], made["registry"], made["networkVolumes"], made["dataCenterIds"]) == ({}, None, [], [])


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"image": "nobody.example/none:v1"}, 400, "could not be resolved"),
        ({"gpu": {"pools": ["NVIDIA GeForce RTX 4090"]}}, 400, "unknown GPU pool"),
        ({"gpu": {"pools": ["ADA_24"], "excludedTypes": ["NVIDIA L4"]}}, 400, "not a GPU type in one of the pools"),
        ({"gpu": {"pools": ["ADA_24"], "excludedTypes": ["NVIDIA GeForce RTX 4090"]}}, 400, "leaves no GPU type"),
        (
            {"gpu": {"pools": ["ADA_24"], "allowedCudaVersions": ["12.8"], "minCudaVersion": "12.1"}},
            400,
            "mutually exclusive",
        ),
        ({"gpu": {"pools": ["ADA_24"], "minCudaVersion": "99.0"}}, 400, "no longer any instances available"),
        ({"cpu": [{"id": "cpu5c", "vcpuCount": 4}]}, 400, "exactly one of gpu or cpu"),
        ({"dataCenterIds": ["MOON-1"]}, 400, "unknown data center"),
        ({"networkVolumes": ["absent"]}, 400, "network volume 'absent' not found"),
        ({"registry": "absent"}, 400, "registry credential 'absent' not found"),
        ({"templateId": "absent"}, 404, "template not found"),
        ({"workers": {"max": 11}}, 400, "workers quota (10)"),
        ({"workers": {"min": 3, "max": 2}}, 400, "above workers.max"),
        ({"type": "LOAD_BALANCER"}, 422, "must scale on REQUEST_COUNT"),
        (
            {"scaling": {"type": "REQUEST_COUNT", "requestCount": 1}, "workers": {"idleTimeout": 5}},
            422,
            "$.workers.idleTimeout",
        ),
        ({"bogus": 1}, 422, "$: additional properties 'bogus' not allowed"),
        ({"workers": {"bogus": 1}}, 422, "$.workers: additional properties 'bogus' not allowed"),
        ({"flashboot": True}, 422, "$.flashboot"),
        ({"timeout": 3.5}, 422, "$.timeout"),
        ({"timeout": "3"}, 422, "$.timeout"),
        ({"workers": {"idleTimeout": 3601}}, 422, "$.workers.idleTimeout"),
        ({"env": {"A": 1}}, 422, "$.env.A"),
        ({"scaling": {"type": "QUEUE_DELAY", "queueDelay": 0.4}}, 422, "$.scaling.queueDelay"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1, "queueDelay": 4}}, 422, "$.scaling"),
    ],
)
def test_a_create_that_breaks_a_rule_is_refused_in_words(
    standin: StandIn, changes: dict[str, Any], status: int, words: str
) -> None:
    assert words in refused(standin.http.post("/v2/serverless", json=base(**changes)), status)
    assert standin.http.get("/v2/serverless").json() == {"endpoints": []}


def test_an_integral_float_is_an_integer_as_in_json_schema(standin: StandIn) -> None:
    made = standin.create(timeout=60_000.0, workers={"min": 0.0, "max": 1.0, "idleTimeout": 60.0})
    numbers = [made["timeout"], *made["workers"].values()]
    assert numbers == [60_000, 0, 1, 60]
    assert all(type(one) is int for one in numbers)


def test_a_body_of_absurd_size_is_refused_and_not_kept(standin: StandIn) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(130):
            yield b" " * 1024 * 1024

    def peak_mb() -> int:
        status = Path(f"/proc/{standin.process.pid}/status").read_text()
        return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) // 1024

    endpoint = standin.create()["id"]
    before = peak_mb()
    answer = standin.http.post(f"/v2/{endpoint}/run", content=endless())
    assert answer.status_code == 400
    assert "136314880 bytes, allowed 10485760" in answer.json()["error"]
    assert peak_mb() - before < 60
    refused(standin.http.post("/v2/account/secrets", content=endless()), 413)
    assert standin.http.get("/v2/serverless").status_code == 200


def test_a_missing_image_and_a_broken_body_are_refused(standin: StandIn) -> None:
    body = base()
    del body["image"]
    assert "missing property 'image'" in refused(standin.http.post("/v2/serverless", json=body), 422)
    assert "not valid JSON" in refused(standin.http.post("/v2/serverless", content=b"{"), 400)
    assert "want object" in refused(standin.http.post("/v2/serverless", json=[]), 422)


@pytest.mark.parametrize(
    ("change", "releases"),
    [
        ({"name": "other"}, 1),
        ({"workers": {"max": 5}}, 1),
        ({"scaling": {"type": "QUEUE_DELAY", "queueDelay": 9}}, 1),
        ({"timeout": 1}, 1),
        ({"flashboot": "FLASHBOOT"}, 1),
        ({"image": f"{REPOSITORY}:v2"}, 2),
        ({"env": {"B": "2"}}, 2),
        ({"env": {}}, 2),
        ({"args": "--verbose"}, 2),
        ({"disk": 30}, 2),
        ({"ports": ["8000/http"]}, 2),
        ({"gpu": {"pools": ["AMPERE_24"]}}, 2),
        ({"gpu": {"count": 2}}, 2),
        ({"dataCenterIds": ["EU-RO-1"]}, 2),
    ],
)
def test_a_patch_changes_only_what_it_names_and_releases_only_what_workers_run(
    standin: StandIn, change: dict[str, Any], releases: int
) -> None:
    before = standin.http.post("/v2/serverless", json=base(env={"A": "1"})).json()
    after = standin.patch(before["id"], **change)
    for field, value in change.items():
        if isinstance(value, dict) and field != "env":
            assert after[field] == {**before[field], **value}
        else:
            assert after[field] == value
    assert {k: v for k, v in after.items() if k not in change} == {k: v for k, v in before.items() if k not in change}
    found = standin.http.get(f"/v2/serverless/{before['id']}/releases").json()
    assert len(found["releases"]) == found["endpointVersion"] == releases


def test_pools_replace_the_whole_selection_and_empty_forms_unset(standin: StandIn) -> None:
    gpu = {"pools": ["AMPERE_24"], "excludedTypes": ["NVIDIA L4"], "minCudaVersion": "12.4"}
    endpoint = standin.http.post("/v2/serverless", json=base(gpu=gpu)).json()["id"]
    kept = standin.patch(endpoint, gpu={"minCudaVersion": "12.8"})["gpu"]
    assert (kept["excludedTypes"], kept["minCudaVersion"]) == (["NVIDIA L4"], "12.8")
    cleared = standin.patch(endpoint, gpu={"pools": ["AMPERE_24", "ADA_24"]})["gpu"]
    assert "excludedTypes" not in cleared
    assert standin.patch(endpoint, gpu={"minCudaVersion": ""})["gpu"]["minCudaVersion"] is None
    lonely = standin.http.patch(f"/v2/serverless/{endpoint}", json={"gpu": {"excludedTypes": ["NVIDIA L4"]}})
    assert "'pools' required" in refused(lonely, 422)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"type": "LOAD_BALANCER"}, 422, "'type' not allowed"),
        ({"cpu": [{"id": "cpu5c", "vcpuCount": 4}]}, 400, "compute family"),
        ({"workers": {"max": 11}}, 400, "quota"),
        ({"name": ""}, 422, "$.name"),
        ({"gpu": None}, 422, "$.gpu"),
    ],
)
def test_a_patch_that_breaks_a_rule_changes_nothing(
    standin: StandIn, change: dict[str, Any], status: int, words: str
) -> None:
    before = standin.http.post("/v2/serverless", json=base()).json()
    assert words in refused(standin.http.patch(f"/v2/serverless/{before['id']}", json=change), status)
    assert standin.http.get(f"/v2/serverless/{before['id']}").json() == before


def test_the_quota_counts_all_endpoints_and_is_free_again_after_a_delete(standin: StandIn) -> None:
    first = standin.create(workers={"max": 6})["id"]
    assert "other endpoints use 6" in refused(standin.http.post("/v2/serverless", json=base(workers={"max": 5})), 400)
    limits = standin.http.get("/v2/account/limits").json()
    assert limits["serverlessWorkers"] == {"limit": 10, "used": 6}
    assert standin.http.delete(f"/v2/serverless/{first}").status_code == 204
    standin.create(workers={"max": 5})


def test_a_deleted_endpoint_is_gone_everywhere_and_its_name_may_be_used_twice(standin: StandIn) -> None:
    one, two = standin.create(name="same")["id"], standin.create(name="same")["id"]
    assert one != two
    assert standin.http.delete(f"/v2/serverless/{one}").status_code == 204
    for call in (
        standin.http.get(f"/v2/serverless/{one}"),
        standin.http.delete(f"/v2/serverless/{one}"),
        standin.http.get(f"/v2/{one}/health"),
        standin.http.post(f"/v2/{one}/run", json={"input": {"a": 1}}),
    ):
        assert call.status_code == 404
    assert [each["id"] for each in standin.http.get("/v2/serverless").json()["endpoints"]] == [two]


def test_env_is_returned_in_clear_and_secrets_never_are(standin: StandIn) -> None:
    made = standin.http.post(
        "/v2/account/secrets", json={"name": "upload_key", "value": "s3cret-value", "description": "for tests"}
    )
    assert made.status_code == 201
    secret = made.json()
    assert set(secret) == {"id", "name", "description", "createdAt", "valueLastUpdatedAt"}
    taken = standin.http.post("/v2/account/secrets", json={"name": "upload_key", "value": "x"})
    assert "already exists" in refused(taken, 409)
    reserved = standin.http.post("/v2/account/secrets", json={"name": "runpod_x", "value": "x"})
    assert "reserved" in refused(reserved, 422)
    one = f"/v2/account/secrets/{secret['id']}"
    assert "minProperties" in refused(standin.http.patch(one, json={}), 422)
    assert standin.http.patch(one, json={"description": ""}).json()["description"] is None
    by_name = standin.http.get("/v2/account/secrets", params={"name": "UPLOAD_KEY"}).json()
    assert [each["id"] for each in by_name["secrets"]] == [secret["id"]]
    env = {"KEY": "{{ RUNPOD_SECRET_upload_key }}"}
    endpoint = standin.create(env=env)["id"]
    assert standin.http.get(f"/v2/serverless/{endpoint}").json()["env"] == env
    for path in ("/v2/account/secrets", one, "/v2/serverless"):
        assert "s3cret-value" not in standin.http.get(path).text


@pytest.mark.slow
def test_a_rotated_secret_reaches_the_next_worker_and_not_the_running_one(standin: StandIn) -> None:
    secret = standin.http.post("/v2/account/secrets", json={"name": "token", "value": "one"}).json()["id"]
    endpoint = standin.create(env={"TOKEN": "Bearer {{ RUNPOD_SECRET_token }}"})["id"]

    def token() -> str:
        job = standin.finish(endpoint, standin.run(endpoint, input={"env": ["TOKEN"]}))
        return job["output"]["TOKEN"]

    assert token() == "Bearer one"
    standin.http.patch(f"/v2/account/secrets/{secret}", json={"value": "two"})
    assert token() == "Bearer one"
    for process in standin.processes():
        standin.http.post(f"/_control/workers/{process['id']}/kill")
    assert token() == "Bearer two"


def test_registry_credentials_never_come_back_and_have_unique_names(standin: StandIn) -> None:
    body = {"name": "ghcr", "username": "robot", "password": "hunter2hunter2"}
    made = standin.http.post("/v2/registries", json=body)
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name"}
    assert "already exists" in refused(standin.http.post("/v2/registries", json=body), 400)
    endpoint = standin.create(registry=made.json()["id"])
    assert endpoint["registry"] == made.json()["id"]
    assert standin.http.patch(f"/v2/registries/{made.json()['id']}", json={}).status_code == 405
    assert standin.http.delete(f"/v2/registries/{made.json()['id']}").status_code == 204
    assert standin.http.get(f"/v2/serverless/{endpoint['id']}").json()["registry"] is None


def test_a_private_image_needs_the_credential_at_create_at_change_and_at_start(standin: StandIn) -> None:
    def credential(name: str, password: str) -> str:
        body = {"name": name, "username": "robot", "password": password}
        return standin.http.post("/v2/registries", json=body).json()["id"]

    image = f"{REPOSITORY}-private:v1"
    wrong, right, newer = credential("wrong", "x"), credential("right", "pa55"), credential("newer", "pa55")
    for registry in (None, wrong):
        answer = standin.http.post("/v2/serverless", json=base(image=image, registry=registry))
        assert "refused the credential" in refused(answer, 400)
    endpoint = standin.create(image=image, registry=right)["id"]
    answer = standin.http.patch(f"/v2/serverless/{endpoint}", json={"registry": wrong})
    assert "refused the credential" in refused(answer, 400)
    # The rotation: create new, point the endpoint at it, delete old.
    assert standin.patch(endpoint, registry=newer)["registry"] == newer
    assert standin.http.delete(f"/v2/registries/{right}").status_code == 204
    standin.patch(endpoint, workers={"min": 1})
    until(lambda: standin.workers(endpoint)["summary"]["idle"], lambda idle: idle == 1)
    # And the mistake: deleting the one in use. Running workers stay, new ones cannot pull.
    assert standin.http.delete(f"/v2/registries/{newer}").status_code == 204
    worker = standin.processes()[0]["id"]
    standin.http.post(f"/_control/workers/{worker}/kill")
    standin.clock(advance_s=5)
    until(lambda: standin.workers(endpoint)["summary"]["unhealthy"], lambda count: count == 1)


def test_an_unused_endpoint_loses_its_workers_after_days_until_they_are_raised_again(standin: StandIn) -> None:
    standin.settings(idle_scale_down=True)
    endpoint = standin.create(workers={"min": 0, "max": 5})["id"]

    def most() -> int:
        return standin.http.get(f"/v2/serverless/{endpoint}").json()["workers"]["max"]

    standin.clock(advance_s=2.9 * 86_400)
    assert most() == 5
    standin.clock(advance_s=0.2 * 86_400)
    assert most() == 2
    standin.clock(advance_s=4 * 86_400)
    assert most() == 0
    standin.patch(endpoint, workers={"max": 5})
    standin.clock(advance_s=86_400)
    assert most() == 5


@pytest.mark.parametrize("kind", ["serverless", "network-volumes"])
def test_a_slow_body_undoes_no_change_that_came_meanwhile(standin: StandIn, kind: str) -> None:
    if kind == "serverless":
        one = standin.create(name="first", timeout=60_000)
    else:
        one = standin.http.post("/v2/network-volumes", json={"name": "v", "size": 50, "dataCenter": "EU-RO-1"}).json()
    path = f"/v2/{kind}/{one['id']}"
    field, value = ("timeout", 70_000) if kind == "serverless" else ("size", 60)

    def slowly() -> Iterator[bytes]:
        yield b'{"name": '
        assert standin.http.patch(path, json={field: value}).status_code == 200
        yield b'"second"}'

    after = standin.http.patch(path, content=slowly()).json()
    assert (after["name"], after[field]) == ("second", value)


def test_volumes_grow_only_and_pin_their_data_centre(standin: StandIn) -> None:
    body = {"name": "v", "size": 50, "dataCenter": "EU-RO-1"}
    volume = standin.http.post("/v2/network-volumes", json=body).json()
    assert volume["type"] == "STANDARD"
    assert "valid ones: " in refused(
        standin.http.post("/v2/network-volumes", json={**body, "dataCenter": "MOON-1"}), 400
    )
    one = f"/v2/network-volumes/{volume['id']}"
    assert "only grow" in refused(standin.http.patch(one, json={"size": 40}), 400)
    assert standin.http.patch(one, json={"size": 60, "name": "w"}).json()["size"] == 60
    elsewhere = standin.http.post("/v2/serverless", json=base(networkVolumes=[volume["id"]], dataCenterIds=["US-KS-2"]))
    assert "outside dataCenterIds" in refused(elsewhere, 400)
    assert standin.create(networkVolumes=[volume["id"]])["networkVolumes"] == [volume["id"]]


def test_the_catalogue_has_the_published_rates_and_wants_a_product_for_availability(standin: StandIn) -> None:
    gpus = {one["id"]: one for one in standin.http.get("/v2/catalog/gpus").json()["gpus"]}
    assert gpus["NVIDIA GeForce RTX 4090"]["pool"] == "ADA_24"
    assert gpus["NVIDIA GeForce RTX 4090"]["price"]["serverless"] == pytest.approx(0.00031 * 3600)
    assert "availability" not in gpus["NVIDIA GeForce RTX 4090"]
    assert gpus["NVIDIA GeForce RTX 3080"]["pool"] is None
    assert "serverless" not in gpus["NVIDIA GeForce RTX 3080"]["price"]
    assert not any("T4" in name for name in gpus)
    assert "requires product" in refused(standin.http.get("/v2/catalog/gpus?include=AVAILABILITY"), 400)
    stocked = standin.http.get("/v2/catalog/gpus?include=AVAILABILITY&product=SERVERLESS").json()["gpus"]
    assert {one["availability"] for one in stocked} <= {"NONE", "LOW", "MEDIUM", "HIGH"}


def test_rate_limit_headers_count_down_and_end_in_429(standin: StandIn) -> None:
    standin.clock(advance_s=90_000)
    standin.settings(rate_limit_minute=3)
    remaining = []
    for _ in range(3):
        answer = standin.http.get("/v2/serverless")
        assert '"minute";q=3;w=60' in answer.headers["ratelimit-policy"]
        remaining.append(answer.headers["ratelimit"].split(";")[1])
    assert remaining == ["r=2", "r=1", "r=0"]
    over = standin.http.get("/v2/serverless")
    assert over.status_code == 429
    assert 0 < int(over.headers["retry-after"]) <= 60
    standin.clock(advance_s=61)
    assert standin.http.get("/v2/serverless").status_code == 200


def test_a_lost_answer_leaves_its_effect(standin: StandIn) -> None:
    standin.fault(kind="lost_answer", route="POST /v2/serverless")
    with pytest.raises(Exception, match=r"(?i)reset|disconnected"):
        standin.http.post("/v2/serverless", json=base(name="made anyway"))
    assert [one["name"] for one in standin.http.get("/v2/serverless").json()["endpoints"]] == ["made anyway"]


def test_a_late_answer_has_its_effect_at_once(standin: StandIn) -> None:
    standin.fault(kind="late_answer", route="POST /v2/registries", latency_s=0.3)
    late = threading.Thread(
        target=standin.http.post,
        args=["/v2/registries"],
        kwargs={"json": {"name": "r", "username": "u", "password": "p"}},
    )
    late.start()
    until(lambda: standin.http.get("/v2/registries").json()["registries"], bool, 5)
    assert late.is_alive()  # the effect is there, the answer is not
    late.join()


def test_http_faults_strike_the_nth_call_only(standin: StandIn) -> None:
    standin.fault(kind="status", route="GET /v2/serverless", nth=2, status=503)
    standin.fault(kind="status", route="GET /v2/registries", status=429, retry_after_s=7)
    standin.fault(kind="reset", route="GET /v2/network-volumes")
    standin.fault(kind="latency", route="GET /v2/account/secrets", latency_s=0.3)
    assert [standin.http.get("/v2/serverless").status_code for _ in range(3)] == [200, 503, 200]
    limited = standin.http.get("/v2/registries")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    with pytest.raises(Exception, match=r"(?i)reset|disconnected"):
        standin.http.get("/v2/network-volumes")
    assert standin.http.get("/v2/account/secrets").elapsed.total_seconds() >= 0.3
    listed = standin.http.get("/_control/faults").json()["faults"]
    assert [(one["matched"], one["struck"]) for one in listed] == [(3, 1), (1, 1), (1, 1), (1, 1)]


@pytest.mark.parametrize("last_n", ["0", "-1", "x", "1.5", "٣", "20001", "9" * 5000])
def test_an_absurd_number_of_buckets_is_refused(standin: StandIn, last_n: str) -> None:
    refused(standin.http.get("/v2/billing", params={"lastN": last_n}), 400 if last_n[0] in "29" else 422)
    assert standin.http.get("/v2/billing", params={"lastN": "0003"}).status_code == 200


def test_the_clock_stays_inside_the_calendar(standin: StandIn) -> None:
    for advance_s in (1e18, 3e11):
        answer = standin.http.patch("/_control/clock", json={"advance_s": advance_s})
        assert "where dates end" in refused(answer, 422)
    assert standin.http.get("/v2/billing").status_code == 200


@pytest.mark.slow
def test_billing_adds_up_from_worker_seconds(standin: StandIn) -> None:
    endpoint = standin.create(workers={"min": 1, "max": 1}, disk=20)["id"]
    until(lambda: standin.workers(endpoint)["summary"]["idle"], lambda idle: idle == 1)
    standin.clock(advance_s=3 * 86_400)
    standin.http.delete(f"/v2/serverless/{endpoint}")
    daily = standin.http.get("/v2/billing/serverless", params={"lastN": 10}).json()
    hourly = standin.http.get("/v2/billing/serverless", params={"lastN": 240, "bucketSize": "hour"}).json()
    for found in (daily, hourly):
        totals = found["metadata"]["totals"]
        for part in ("totalAmount", "gpuAmount", "diskAmount"):
            assert sum(one[part] for one in found["records"]) == pytest.approx(totals[part])
        assert totals["totalAmount"] == pytest.approx(totals["gpuAmount"] + totals["diskAmount"])
        assert found["metadata"]["recordCount"] == len(found["records"])
    seconds = daily["metadata"]["totals"]["gpuAmount"] / 0.00031
    assert seconds == pytest.approx(round(seconds), abs=1e-6)
    assert 3 * 86_400 <= seconds <= 3 * 86_400 + 30
    everything = standin.http.get("/v2/billing", params={"lastN": 10}).json()["metadata"]["totals"]
    assert everything["serverlessGpuAmount"] == pytest.approx(daily["metadata"]["totals"]["gpuAmount"])


@pytest.mark.slow
def test_worker_logs_stream_as_events_and_resume(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    standin.finish(endpoint, standin.run(endpoint, input={"n": 1}))
    worker = standin.workers(endpoint)["workers"][0]["id"]
    path = f"/v2/serverless/{endpoint}/workers/{worker}/logs"
    events: list[dict[str, str]] = []
    threading.Timer(1.0, lambda: standin.http.post(f"/_control/workers/{worker}/kill")).start()
    with standin.http.stream("GET", path, params={"tail": 5000}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-cache"
        for block in "".join(response.iter_text()).split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if lines:
                events.append({"id": lines["id"], **json.loads(lines["data"])})
    assert events[0]["source"] == "system"
    assert any("Starting Serverless Worker" in one["line"] for one in events)
    assert [one["id"].split("/")[1] for one in events] == [f"{n:012d}" for n in range(1, len(events) + 1)]
    assert standin.http.get(path, params={"tail": 5001}).status_code in (404, 422)


@pytest.mark.slow
def test_a_new_image_rolls_out_idle_workers_at_once_and_busy_ones_after_their_job(standin: StandIn) -> None:
    endpoint = standin.create(workers={"min": 2, "max": 2, "idleTimeout": 60})["id"]
    until(lambda: standin.workers(endpoint)["summary"]["idle"], lambda idle: idle == 2)
    old = {one["id"] for one in standin.workers(endpoint)["workers"]}
    job = standin.run(endpoint, input={"sleep_s": 5})
    busy = until(lambda: standin.status(endpoint, job), lambda one: one["status"] == "IN_PROGRESS")["workerId"]
    standin.patch(endpoint, image=f"{REPOSITORY}:v2")

    def rollout() -> dict[str, Any]:
        return standin.http.get(f"/v2/serverless/{endpoint}/releases").json()["rollout"]

    half = until(rollout, lambda one: one["workersOnLatest"] == 1 and one["workersTotal"] == 2)
    assert (half["inProgress"], half["percentOnLatest"]) == (True, 50)
    assert standin.status(endpoint, job)["status"] == "IN_PROGRESS"
    assert [w["id"] for w in standin.workers(endpoint)["workers"] if w["isStale"]] == [busy]
    done = standin.finish(endpoint, job)
    assert (done["status"], done["workerId"]) == ("COMPLETED", busy)
    whole = until(rollout, lambda one: one["workersOnLatest"] == one["workersTotal"] == 2)
    assert whole["inProgress"] is False
    assert not old & {one["id"] for one in standin.workers(endpoint)["workers"]}
    diff = standin.http.get(f"/v2/serverless/{endpoint}/releases").json()["releases"][0]["diff"]
    assert diff == [{"field": "template.imageName", "old": standin_image(), "new": f"{REPOSITORY}:v2"}]


def standin_image() -> str:
    return f"{REPOSITORY}@sha256:{'a' * 64}"
