"""Job API: limits, retention, policies, webhooks, scaling, as in the operation reference.
Workers are real. Tests of long times move the stand-in's clock."""

from __future__ import annotations

import http.server
import json
import shlex
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from .conftest import KEY, REPOSITORY, StandIn, Warm, until

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


class Receiver:
    """A webhook receiver that answers with the given statuses and records its requests."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any]]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                receiver.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    one.thread.start()
    yield one
    one.server.shutdown()
    one.thread.join()
    one.server.server_close()


def test_a_failed_job_calls_the_webhook_up_to_three_times(warm: Warm, receiver: Receiver) -> None:
    receiver.answers = [500, 302, 404, 200]
    job = warm.run(input={"raise": "x"}, webhook=receiver.url)
    assert warm.finish(job)["status"] == "FAILED"
    for tries in (1, 2, 3):
        until(lambda: len(receiver.got), lambda count, tries=tries: count == tries)
        warm.standin.clock(advance_s=10)
    time.sleep(0.5)
    assert [body["status"] for _, body in receiver.got] == ["FAILED"] * 3
    assert warm.status(job)["status"] == "FAILED"


def test_webhooks_can_be_dropped_and_doubled(warm: Warm, receiver: Receiver) -> None:
    warm.standin.fault(kind="webhook_dropped", endpoint=warm.endpoint)
    warm.finish(warm.run(input={"n": 1}, webhook=receiver.url))
    warm.standin.fault(kind="webhook_doubled", endpoint=warm.endpoint)
    job = warm.run(input={"n": 2}, webhook=receiver.url)
    until(lambda: len(receiver.got), lambda count: count == 2)
    assert [body["id"] for _, body in receiver.got] == [job, job]


def test_runsync_answers_in_time_or_the_job_goes_on(warm: Warm) -> None:
    standin, endpoint = warm.standin, warm.endpoint
    done = standin.http.post(f"/v2/{endpoint}/runsync", json={"input": {"n": 1}}).json()
    assert done["id"].startswith("sync-")
    assert done["output"]["echo"] == {"n": 1}
    slow = standin.http.post(f"/v2/{endpoint}/runsync?wait=1000", json={"input": {"sleep_s": 2.5}}).json()
    assert slow["status"] in ("IN_QUEUE", "IN_PROGRESS")
    assert "output" not in slow
    assert standin.finish(endpoint, slow["id"])["status"] == "COMPLETED"
    for wait in ("999", "300001", "x"):
        answer = standin.http.post(f"/v2/{endpoint}/runsync?wait={wait}", json={"input": {"n": 1}})
        assert answer.status_code == 400


@pytest.mark.parametrize(
    ("call", "query", "kept_s"), [("run", "", 1800), ("runsync", "", 60), ("runsync", "?wait=90000", 300)]
)
def test_a_result_is_available_for_the_documented_time(warm: Warm, call: str, query: str, kept_s: int) -> None:
    standin, endpoint = warm.standin, warm.endpoint
    job = standin.http.post(f"/v2/{endpoint}/{call}{query}", json={"input": {"n": 1}}).json()["id"]
    standin.finish(endpoint, job)
    standin.clock(advance_s=kept_s - 5)
    assert standin.status(endpoint, job)["status"] == "COMPLETED"
    standin.clock(advance_s=10)
    assert standin.http.get(f"/v2/{endpoint}/status/{job}").status_code == 404


def test_a_ttl_drops_the_job_in_any_state(warm: Warm) -> None:
    standin, endpoint = warm.standin, warm.endpoint
    running = standin.run(endpoint, input={"sleep_s": 600}, policy={"ttl": 20_000})
    until(lambda: standin.status(endpoint, running)["status"], lambda one: one == "IN_PROGRESS")
    waiting = standin.http.post(f"/v2/{endpoint}/run?ttl=20000", json={"input": {"n": 1}}).json()["id"]
    standin.clock(advance_s=21)
    for job in (running, waiting):
        assert standin.http.get(f"/v2/{endpoint}/status/{job}").status_code == 404
    assert standin.finish(endpoint, standin.run(endpoint, input={"n": 2}), 15)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"input": {"a": NaN}}',
        b'{"input": {"a": 1}, "webhook": "ftp://x"}',
        b'{"input": {"a": 1}, "policy": {"executionTimeout": 4999}}',
        b'{"input": {"a": 1}, "policy": {"executionTimeout": 604800001}}',
        b'{"input": {"a": 1}, "policy": {"lowPriority": 1}}',
        b'{"input": {"a": "' + b"x" * (10 * 1024 * 1024) + b'"}}',
    ],
    ids=lambda body: body[:60].decode(),
)
def test_a_body_that_breaks_a_rule_is_refused(standin: StandIn, body: bytes) -> None:
    endpoint = standin.create()["id"]
    answer = standin.http.post(f"/v2/{endpoint}/run", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_job_api_takes_the_key_with_and_without_bearer(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    codes = {}
    for header in (f"Bearer {KEY}", KEY, "Bearer wrong", "wrong", ""):
        with httpx.Client(base_url=standin.url, headers={"Authorization": header}, trust_env=False) as client:
            codes[header] = client.get(f"/v2/{endpoint}/health").status_code
    assert list(codes.values()) == [200, 200, 401, 401, 401]
    assert standin.http.get(f"/v2/{endpoint}/run").headers["allow"] == "POST"


def test_a_retry_of_a_failed_job_keeps_the_id(warm: Warm) -> None:
    def failed() -> int:
        return int(warm.standin.http.get(f"/v2/{warm.endpoint}/health").json()["jobs"]["failed"])

    before = failed()
    bad = warm.run(input={"raise": "x"})
    warm.finish(bad)
    again = warm.standin.http.post(f"/v2/{warm.endpoint}/retry/{bad}")
    assert again.json() == {"id": bad, "status": "IN_QUEUE"}
    assert warm.finish(bad)["status"] == "FAILED"
    assert failed() == before + 2


def test_purge_cancels_waiting_jobs_and_leaves_running_jobs(warm: Warm) -> None:
    standin, endpoint = warm.standin, warm.endpoint
    running = standin.run(endpoint, input={"sleep_s": 2})
    until(lambda: standin.status(endpoint, running)["status"], lambda one: one == "IN_PROGRESS")
    waiting = [standin.run(endpoint, input={"n": n}) for n in range(3)]
    answer = standin.http.post(f"/v2/{endpoint}/purge-queue")
    assert answer.json() == {"removed": 3, "status": "completed"}
    assert {standin.status(endpoint, job)["status"] for job in waiting} == {"CANCELLED"}
    assert standin.finish(endpoint, running)["status"] == "COMPLETED"


def test_nan_in_a_result_is_refused_and_the_job_is_lost(standin: StandIn) -> None:
    standin.settings(lost_after_s=1)
    endpoint = standin.create()["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"nan": True}))
    assert (job["status"], job["error"]) == ("FAILED", "job timed out after 1 retries")


def test_workers_start_on_demand_and_leave_after_the_idle_timeout(standin: StandIn) -> None:
    endpoint = standin.create(workers={"max": 2, "idleTimeout": 30})["id"]
    assert standin.workers(endpoint)["summary"]["total"] == 0
    job = standin.finish(endpoint, standin.run(endpoint, input={"n": 1}))
    assert job["delayTime"] > 0  # the start of the worker
    standin.clock(advance_s=20)
    assert standin.workers(endpoint)["summary"]["idle"] == 1
    standin.clock(advance_s=20)
    until(lambda: standin.workers(endpoint)["summary"]["total"], lambda total: total == 0)
    assert until(standin.processes, lambda left: left == []) == []


def test_a_waiting_job_gets_a_second_worker_after_the_queue_delay(standin: StandIn) -> None:
    endpoint = standin.create(workers={"max": 2, "idleTimeout": 60})["id"]
    first = standin.run(endpoint, input={"sleep_s": 600})
    until(lambda: standin.status(endpoint, first)["status"], lambda one: one == "IN_PROGRESS")
    second = standin.run(endpoint, input={"n": 1})
    time.sleep(0.5)
    assert standin.workers(endpoint)["summary"]["total"] == 1
    standin.clock(advance_s=5)
    assert standin.finish(endpoint, second)["status"] == "COMPLETED"
    assert standin.workers(endpoint)["summary"]["total"] == 2


def test_a_low_priority_job_starts_no_worker(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    low = standin.run(endpoint, input={"n": 1}, policy={"lowPriority": True})
    time.sleep(0.5)
    assert standin.workers(endpoint)["summary"]["total"] == 0
    standin.run(endpoint, input={"n": 2})
    assert standin.finish(endpoint, low)["status"] == "COMPLETED"


def test_flashboot_parks_an_idle_worker_and_wakes_the_same_process_faster(standin: StandIn) -> None:
    endpoint = standin.create(flashboot="FLASHBOOT", workers={"max": 1, "idleTimeout": 5})["id"]
    first = standin.finish(endpoint, standin.run(endpoint, input={"n": 1}))
    standin.clock(advance_s=10)
    until(lambda: standin.workers(endpoint)["summary"]["total"], lambda total: total == 0)
    assert [one["phase"] for one in standin.processes()] == ["PARKED"]
    second = standin.finish(endpoint, standin.run(endpoint, input={"n": 2}))
    assert second["output"]["pid"] == first["output"]["pid"]
    assert second["delayTime"] < first["delayTime"]


def test_a_broken_image_shows_as_unhealthy_and_does_not_spin(standin: StandIn) -> None:
    endpoint = standin.create(image=f"{REPOSITORY}-broken:v1")["id"]
    standin.run(endpoint, input={"n": 1})
    until(lambda: standin.workers(endpoint)["summary"]["unhealthy"], lambda count: count == 1)
    assert standin.http.get(f"/v2/{endpoint}/health").json()["workers"]["unhealthy"] == 1
    seen = {one["id"] for _ in range(40) for one in (time.sleep(0.05), standin.processes())[1]}
    assert len(seen) <= 3


def test_throttled_and_never_starting_workers_show_as_such(standin: StandIn) -> None:
    standin.settings(throttled_s=60, init_timeout_s=30)
    endpoint = standin.create()["id"]
    standin.fault(kind="worker_throttled", endpoint=endpoint)
    standin.fault(kind="worker_never_starts", endpoint=endpoint)
    job = standin.run(endpoint, input={"n": 1})
    until(lambda: standin.workers(endpoint)["summary"]["throttled"], lambda count: count == 1)
    standin.clock(advance_s=61)
    until(lambda: standin.workers(endpoint)["summary"]["initializing"], lambda count: count == 1)
    standin.clock(advance_s=31)
    until(lambda: standin.workers(endpoint)["summary"]["unhealthy"], lambda count: count == 1)
    assert standin.finish(endpoint, job)["status"] == "COMPLETED"


def test_the_curl_calls_of_the_guide_work_with_another_host(standin: StandIn) -> None:
    """The commands of the 2025 guide with their field names; the handler returns its input."""
    endpoint = standin.create(image=f"{REPOSITORY}-generator:v1")["id"]
    guide = """
    curl -X POST https://api.runpod.ai/v2/ENDPOINT_ID/run \\
      -H "Authorization: Bearer RUNPOD_API_KEY" -H "Content-Type: application/json" \\
      -d '{"input": {"project_id": "test-001", "image_urls": ["https://example.com/image1.jpg",
           "https://example.com/image2.jpg"], "iterations": 7000, "count": 2,
           "upload_url": "https://example.com/put", "webhook_url": "https://example.com/hook"}}'
    """
    job = curl(standin, endpoint, guide)
    assert job["status"] == "IN_QUEUE"
    stream: list[Any] = []
    until(
        lambda: stream.extend(curl(standin, endpoint, get("stream", job["id"]))["stream"]) or len(stream),
        lambda count: count == 2,
    )
    assert stream == [{"output": {"number": 0}}, {"output": {"number": 1}}]
    done = until(lambda: curl(standin, endpoint, get("status", job["id"])), lambda one: one["status"] == "COMPLETED")
    assert done["output"] == [{"number": 0}, {"number": 1}]


def get(operation: str, job_id: str) -> str:
    return f'curl https://api.runpod.ai/v2/ENDPOINT_ID/{operation}/{job_id} -H "Authorization: Bearer RUNPOD_API_KEY"'


def curl(standin: StandIn, endpoint: str, command: str) -> Any:
    command = command.replace("https://api.runpod.ai", standin.url).replace("ENDPOINT_ID", endpoint)
    argv = shlex.split(command.replace("RUNPOD_API_KEY", KEY).replace("\\\n", " "))
    run = subprocess.run([argv[0], "-sS", "--noproxy", "*", *argv[1:]], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)
