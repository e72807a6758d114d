"""Management API: what each call changes, refuses and answers, beyond the shape of its bodies.
What a live service can show is checked by `splat verify-live`: tests/live runs those checks on the stand-in.
The fixture checks every answer against the published document, too."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import REPOSITORY, StandIn, base, refused, until

pytestmark = pytest.mark.local_cloud


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"gpu": {"pools": ["ADA_24"], "excludedTypes": ["NVIDIA L4"]}}, 400, "not a GPU type in one of the pools"),
        ({"gpu": {"pools": ["ADA_24"], "minCudaVersion": "99.0"}}, 400, "no longer any instances available"),
        ({"networkVolumes": ["any"]}, 400, "does not model network volumes"),
        ({"workers": {"max": 11}}, 400, "workers quota (10)"),
        ({"workers": {"min": 3, "max": 2}}, 400, "above workers.max"),
        ({"type": "LOAD_BALANCER"}, 400, "does not model LOAD_BALANCER endpoints"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1}}, 400, "does not model REQUEST_COUNT scaling"),
        ({"workers": {"bogus": 1}}, 422, "$.workers: additional properties 'bogus' not allowed"),
        ({"flashboot": True}, 422, "$.flashboot"),
        ({"workers": {"idleTimeout": 3601}}, 422, "$.workers.idleTimeout"),
        ({"env": {"A": 1}}, 422, "$.env.A"),
        ({"scaling": {"type": "QUEUE_DELAY", "queueDelay": 0.4}}, 422, "$.scaling.queueDelay"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1, "queueDelay": 4}}, 422, "$.scaling"),
    ],
)
def test_a_create_that_breaks_a_rule_is_refused_with_the_reason(
    standin: StandIn, changes: dict[str, Any], status: int, words: str
) -> None:
    assert words in refused(standin.http.post("/v2/serverless", json=base(**changes)), status)
    assert standin.http.get("/v2/serverless").json()["endpoints"] == []


def test_an_endpoint_without_a_gpu_is_not_modelled(standin: StandIn) -> None:
    body = base(cpu=[{"id": "cpu5c", "vcpuCount": 4}])
    del body["gpu"]
    assert "does not model CPU endpoints" in refused(standin.http.post("/v2/serverless", json=body), 400)


@pytest.mark.parametrize(
    "path",
    [
        *("/v2/network-volumes", "/v2/account/secrets", "/v2/catalog/cpus", "/v2/catalog/datacenters"),
        *("/v2/billing/network-volumes", "/v2/pods", "/v2/registries/delegations", "/v1/pods", "/graphql"),
    ],
)
def test_a_path_that_is_not_modelled_is_404_with_the_reason(standin: StandIn, path: str) -> None:
    for verb in ("GET", "POST"):
        answer = standin.http.request(verb, path, json={})
        assert "the stand-in does not model" in refused(answer, 404)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v2/endpoints", "/v1/endpoints", "/graphql"])
def test_a_path_of_an_older_guide_names_todays(standin: StandIn, path: str) -> None:
    assert "/v2/serverless" in refused(standin.http.post(path, json={"gpu_type_id": "NVIDIA L4"}), 404)


def test_a_body_above_the_limit_is_refused_and_not_stored(standin: StandIn) -> None:
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
    refused(standin.http.post("/v2/registries", content=endless()), 413)
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


def test_long_lists_come_in_pages(standin: StandIn) -> None:
    made = [standin.create(name=f"endpoint {number}")["id"] for number in range(3)]
    for disk in (11, 12):
        standin.patch(made[0], disk=disk)
    standin.settings(list_page_max=2)
    releases = f"/v2/serverless/{made[0]}/releases"
    assert [one["id"] for one in walked(standin, "/v2/serverless", "endpoints")] == made
    assert [one["version"] for one in walked(standin, releases, "releases", limit=1)] == [3, 2, 1]

    foreign = standin.http.get("/v2/serverless").json()["pagination"]["nextCursor"]
    assert "not a cursor of this list" in refused(standin.http.get(releases, params={"cursor": foreign}), 422)
    for limit in ("0", "1001", "many", ""):
        assert "limit" in refused(standin.http.get("/v2/serverless", params={"limit": limit}), 422)


def walked(standin: StandIn, path: str, wrapper: str, limit: int = 1000) -> list[dict[str, Any]]:
    """All items of a list of three, whose pages are counted: the first is never the whole."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    pages = 0
    while cursor is not None:
        answer = standin.http.get(path, params={"limit": limit, **({"cursor": cursor} if cursor else {})}).json()
        found += answer[wrapper]
        cursor, pages = answer["pagination"]["nextCursor"], pages + 1
        assert answer["pagination"]["hasNextPage"] == (cursor is not None)
    assert pages == (2 if limit > 2 else 3)
    return found


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
        ({"workers": {"max": 11}}, 400, "quota"),
        ({"name": ""}, 422, "$.name"),
        ({"gpu": None}, 422, "$.gpu"),
        ({"networkVolumes": ["any"]}, 400, "does not model network volumes"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1}}, 400, "does not model REQUEST_COUNT scaling"),
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
