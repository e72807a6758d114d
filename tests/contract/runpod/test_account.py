"""Management API beside endpoints: credentials, catalogue, billing, rate limits, and its faults.
The fixture checks every answer against the published document, too."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from .conftest import REPOSITORY, StandIn, base, refused, until

pytestmark = pytest.mark.local_cloud


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


def test_a_slow_body_undoes_no_change_that_came_meanwhile(standin: StandIn) -> None:
    path = f"/v2/serverless/{standin.create(name='first', timeout=60_000)['id']}"

    def slowly() -> Iterator[bytes]:
        yield b'{"name": '
        assert standin.http.patch(path, json={"timeout": 70_000}).status_code == 200
        yield b'"second"}'

    after = standin.http.patch(path, content=slowly()).json()
    assert (after["name"], after["timeout"]) == ("second", 70_000)


def test_the_catalogue_lists_cards_outside_serverless_and_rejects_filters(standin: StandIn) -> None:
    gpus = {one["id"]: one for one in standin.http.get("/v2/catalog/gpus").json()["gpus"]}
    assert "availability" not in gpus["NVIDIA GeForce RTX 4090"]
    assert gpus["NVIDIA GeForce RTX 3080"]["pool"] is None
    assert "serverless" not in gpus["NVIDIA GeForce RTX 3080"]["price"]
    assert not any("T4" in name for name in gpus)
    filtered = standin.http.get("/v2/catalog/gpus?include=AVAILABILITY&product=SERVERLESS&count=2")
    assert "does not model the catalogue filter count" in refused(filtered, 400)


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


def test_a_failed_answer_leaves_its_effect(standin: StandIn) -> None:
    standin.fault(kind="failed_answer", route="POST /v2/serverless", status=502)
    assert standin.http.post("/v2/serverless", json=base(name="made anyway")).status_code == 502
    assert [one["name"] for one in standin.http.get("/v2/serverless").json()["endpoints"]] == ["made anyway"]


def test_a_revoked_key_is_refused_by_both_apis_until_it_is_valid_again(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    standin.settings(key_revoked=True)
    answers = [standin.http.get("/v2/serverless"), standin.http.get(f"/v2/{endpoint}/health")]
    standin.settings(key_revoked=False)
    assert [one.status_code for one in answers] == [401, 401]
    assert standin.http.get(f"/v2/{endpoint}/health").status_code == 200


def test_http_faults_strike_the_nth_call_only(standin: StandIn) -> None:
    standin.fault(kind="status", route="GET /v2/serverless", nth=2, status=503)
    standin.fault(kind="status", route="GET /v2/registries", status=429, retry_after_s=7)
    standin.fault(kind="reset", route="GET /v2/billing")
    standin.fault(kind="latency", route="GET /v2/account/limits", latency_s=0.3)
    assert [standin.http.get("/v2/serverless").status_code for _ in range(3)] == [200, 503, 200]
    limited = standin.http.get("/v2/registries")
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")
    with pytest.raises(Exception, match=r"(?i)reset|disconnected"):
        standin.http.get("/v2/billing")
    assert standin.http.get("/v2/account/limits").elapsed.total_seconds() >= 0.3
    listed = standin.http.get("/_control/faults").json()["faults"]
    assert [(one["matched"], one["struck"]) for one in listed] == [(3, 1), (1, 1), (1, 1), (1, 1)]


@pytest.mark.parametrize("last_n", ["0", "-1", "x", "1.5", "٣", "20001", "9" * 5000])
def test_an_absurd_number_of_buckets_is_refused(standin: StandIn, last_n: str) -> None:
    refused(standin.http.get("/v2/billing", params={"lastN": last_n}), 400 if last_n[0] in "29" else 422)
    assert standin.http.get("/v2/billing", params={"lastN": "0003"}).status_code == 200


def test_the_clock_stays_inside_the_calendar(standin: StandIn) -> None:
    for advance_s in (1e18, 3e11):
        answer = standin.http.patch("/_control/clock", json={"advance_s": advance_s})
        assert "the last supported date" in refused(answer, 422)
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
