"""The unmodified runpod SDK as worker and as client against the stand-in.
No double on either side: real worker processes, the SDK's own client, HTTP between them."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import runpod

from .conftest import KEY, REPOSITORY, StandIn, Warm, until

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


@pytest.fixture
def sdk(standin: StandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The SDK's client with the documented variable for its base URL."""
    monkeypatch.setenv("RUNPOD_ENDPOINT_BASE_URL", f"{standin.url}/v2")
    module = importlib.reload(runpod)
    monkeypatch.setattr(module, "api_key", KEY)
    return module


def test_an_async_handler_returns_its_result_with_its_times(warm: Warm) -> None:
    job = warm.finish(warm.run(input={"text": "hello", "sleep_s": 0.3}))
    assert job["status"] == "COMPLETED"
    assert job["output"]["echo"] == {"text": "hello", "sleep_s": 0.3}
    assert job["output"]["worker"] == job["workerId"]
    assert job["executionTime"] >= 300
    assert job["delayTime"] >= 0  # a worker that waits takes the job within its first millisecond


def test_the_client_of_the_sdk_runs_and_reads_a_job(standin: StandIn, sdk: Any) -> None:
    endpoint = sdk.Endpoint(standin.create(image=f"{REPOSITORY}-sync:v1")["id"])
    assert endpoint.run_sync({"input": {"n": 1}}, timeout=60)["echo"] == {"n": 1}
    request = endpoint.run({"n": 2})
    assert request.output(timeout=60)["echo"] == {"n": 2}
    assert request.status() == "COMPLETED"
    health = endpoint.health()
    assert health["jobs"]["completed"] == 2
    assert health["workers"]["ready"] == 1


@pytest.mark.parametrize(
    ("kind", "parts", "output"),
    [
        ("generator", [{"number": 0}, {"number": 1}, {"number": 2}], [{"number": 0}, {"number": 1}, {"number": 2}]),
        ("async_generator", ["part 0", "part 1", "part 2"], []),
    ],
)
def test_a_generator_streams_its_parts_in_order_through_the_sdks_client(
    standin: StandIn, sdk: Any, kind: str, parts: list[Any], output: list[Any]
) -> None:
    endpoint = sdk.Endpoint(standin.create(image=f"{REPOSITORY}-{kind}:v1")["id"])
    request = endpoint.run({"count": 3, "pause_s": 0.2})
    assert list(request.stream()) == parts
    assert request.output() == output


def test_a_raising_handler_fails_the_job_with_the_sdks_error_text(warm: Warm) -> None:
    job = warm.finish(warm.run(input={"raise": "no luck"}))
    assert job["status"] == "FAILED"
    assert "no luck" in job["error"]
    assert "error_traceback" in job["error"]


def test_a_returned_error_fails_the_job_and_keeps_the_rest_of_the_output(warm: Warm) -> None:
    job = warm.finish(warm.run(input={"error": {"code": "X"}}))
    assert (job["status"], job["error"], job["output"]) == ("FAILED", {"code": "X"}, {"rest": 1})


def test_a_raising_generator_fails_the_job(standin: StandIn) -> None:
    endpoint = standin.create(image=f"{REPOSITORY}-generator:v1")["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"count": 1, "raise": "half way"}))
    assert job["status"] == "FAILED"
    assert "half way" in job["error"]


def test_progress_shows_in_status_and_never_after_the_result(warm: Warm) -> None:
    job_id = warm.run(input={"progress": [{"at": 1}, {"at": 2}], "sleep_s": 0.1})
    seen = until(lambda: warm.status(job_id), lambda job: job.get("output") is not None)
    assert seen["status"] == "IN_PROGRESS"
    assert seen["output"] in ({"at": 1}, {"at": 2})
    assert "echo" in warm.finish(job_id)["output"]
    time.sleep(0.5)
    assert "echo" in warm.status(job_id)["output"]


def test_a_cancelled_running_job_stops_in_the_worker_which_then_takes_the_next(standin: StandIn, sdk: Any) -> None:
    endpoint_id = standin.create()["id"]
    request = sdk.Endpoint(endpoint_id).run({"sleep_s": 600})
    until(lambda: standin.status(endpoint_id, request.job_id)["status"], lambda one: one == "IN_PROGRESS")
    worker = standin.workers(endpoint_id)["workers"][0]["id"]
    assert request.cancel()["status"] == "CANCELLED"
    job = standin.finish(endpoint_id, standin.run(endpoint_id, input={"next": True}), limit_s=10)
    assert job["status"] == "COMPLETED"
    assert job["workerId"] == worker


def test_a_killed_worker_loses_no_job(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    standin.fault(kind="worker_killed", after_s=0.2)
    job = standin.finish(endpoint, standin.run(endpoint, input={"sleep_s": 1.0}))
    assert job["status"] == "COMPLETED"
    assert job["retries"] == 1
    assert standin.http.get(f"/v2/{endpoint}/health").json()["jobs"]["retried"] == 1


def test_a_job_whose_worker_dies_twice_fails(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"exit": 1}))
    assert (job["status"], job["error"]) == ("FAILED", "job timed out after 1 retries")


def test_a_silent_worker_is_lost_and_its_job_goes_to_another(standin: StandIn) -> None:
    standin.settings(ping_interval_ms=1000, lost_after_s=3)
    endpoint = standin.create()["id"]
    job_id = standin.run(endpoint, input={"sleep_s": 4})
    first = until(lambda: standin.status(endpoint, job_id), lambda job: job["status"] == "IN_PROGRESS")
    standin.fault(kind="reset", route=f"GET /v2/{endpoint}/ping/{first['workerId']}", times=None)
    job = standin.finish(endpoint, job_id)
    assert job["status"] == "COMPLETED"
    assert job["workerId"] != first["workerId"]


def test_a_blocking_handler_does_not_count_as_lost(standin: StandIn) -> None:
    standin.settings(ping_interval_ms=1000, lost_after_s=3)
    endpoint = standin.create(image=f"{REPOSITORY}-sync:v1")["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"block_s": 4}))
    assert job["status"] == "COMPLETED"
    assert "retries" not in job


def test_refresh_worker_in_a_result_gives_the_next_job_a_new_process(standin: StandIn) -> None:
    endpoint = standin.create()["id"]
    first = standin.finish(endpoint, standin.run(endpoint, input={"refresh": True}))
    second = standin.finish(endpoint, standin.run(endpoint, input={"n": 1}))
    assert first["output"] == {"pid": first["output"]["pid"]}
    assert second["output"]["pid"] != first["output"]["pid"]


def test_refresh_worker_in_the_workers_configuration_gives_every_job_a_new_process(standin: StandIn) -> None:
    endpoint = standin.create(image=f"{REPOSITORY}-refreshing:v1")["id"]
    jobs = [standin.finish(endpoint, standin.run(endpoint, input={"n": n})) for n in range(2)]
    assert len({job["output"]["pid"] for job in jobs}) == 2


async def test_the_sdks_asynchronous_client_runs_streams_and_cancels(standin: StandIn, sdk: Any) -> None:
    streaming, plain = standin.create(image=f"{REPOSITORY}-async_generator:v1")["id"], standin.create()["id"]
    async with aiohttp.ClientSession() as session:
        job = await sdk.AsyncioEndpoint(streaming, session).run({"count": 2})
        assert [part async for part in job.stream()] == ["part 0", "part 1"]
        long = await sdk.AsyncioEndpoint(plain, session).run({"sleep_s": 600})
        assert (await long.cancel())["status"] == "CANCELLED"
        assert await long.status() == "CANCELLED"


def test_an_empty_input_is_dropped_on_the_way_and_the_job_fails_after_one_retry(standin: StandIn) -> None:
    standin.settings(lost_after_s=1)
    endpoint = standin.create()["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={}))
    assert (job["status"], job["error"]) == ("FAILED", "job timed out after 1 retries")


def test_an_execution_timeout_stops_the_handler(warm: Warm) -> None:
    standin, endpoint = warm.standin, warm.endpoint
    job_id = standin.run(endpoint, input={"sleep_s": 600}, policy={"executionTimeout": 5000})
    until(lambda: standin.status(endpoint, job_id)["status"], lambda one: one == "IN_PROGRESS")
    standin.clock(advance_s=6)
    assert standin.status(endpoint, job_id)["status"] == "TIMED_OUT"
    assert standin.finish(endpoint, standin.run(endpoint, input={"n": 1}), 10)["status"] == "COMPLETED"


def test_a_worker_with_concurrency_takes_several_jobs_at_once(standin: StandIn) -> None:
    endpoint = standin.create(image=f"{REPOSITORY}-concurrent:v1")["id"]
    jobs = [standin.run(endpoint, input={"sleep_s": 1.5, "n": n}) for n in range(5)]
    done = [standin.finish(endpoint, job) for job in jobs]
    assert {job["status"] for job in done} == {"COMPLETED"}
    assert len({job["output"]["pid"] for job in done}) == 1


def test_the_worker_sees_the_variables_of_the_platform_and_the_endpoint_but_not_this_machines(
    standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = standin.create(env={"GREETING": "hi", "UNKNOWN": "{{ RUNPOD_SECRET_absent }}"})["id"]
    names = ["RUNPOD_ENDPOINT_ID", "RUNPOD_POD_ID", "GREETING", "UNKNOWN", "RUNPOD_API_KEY", "HOME"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"env": names}))
    seen = job["output"]
    assert seen["RUNPOD_ENDPOINT_ID"] == endpoint
    assert seen["RUNPOD_POD_ID"] == job["workerId"]
    assert seen["GREETING"] == "hi"
    assert seen["UNKNOWN"] == "{{ RUNPOD_SECRET_absent }}"
    assert seen["RUNPOD_API_KEY"] is None
    assert seen["HOME"] != os.environ["HOME"]


def test_no_process_is_left_when_the_stand_in_ends(own_standin: Any) -> None:
    with own_standin() as standin:
        endpoint = standin.create(workers={"min": 1, "max": 1})["id"]
        standin.run(endpoint, input={"sleep_s": 600})
        pid = until(standin.processes, lambda all_: all_ and all_[0]["jobs"])[0]["pid"]
        os.killpg(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)


def test_the_next_stand_in_keeps_the_endpoints_of_a_killed_one_and_ends_its_workers(own_standin: Any) -> None:
    with own_standin(ends_with=-signal.SIGKILL) as standin:
        before = standin.create(workers={"min": 1, "max": 1}, env={"A": "1"}, dataCenterIds=["US-KS-2"])
        endpoint = before["id"]
        until(lambda: standin.workers(endpoint)["summary"]["idle"], lambda idle: idle == 1)
        pid = standin.processes()[0]["pid"]
        standin.process.kill()
        standin.process.wait()
        os.killpg(pid, 0)
    with own_standin() as standin:
        assert pid not in {one["pid"] for one in standin.processes()}
        until(lambda: group_lives(pid), lambda lives: not lives, 5)
        after = standin.http.get(f"/v2/serverless/{endpoint}").json()
        assert {**after, "requestUrls": None} == {**before, "requestUrls": None}
        # The endpoint survived, so its minimum is met again.
        until(lambda: standin.workers(endpoint)["summary"]["idle"], lambda idle: idle == 1)


def group_lives(group: int) -> bool:
    """Whether a process group has a member that is not a zombie."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group and fields[0] != "Z":
                return True
    return False


def test_a_failed_fitness_check_shows_as_unhealthy_with_its_reason(standin: StandIn) -> None:
    # The SDK's own check, made impossible to pass: more memory than any machine has.
    endpoint = standin.create(
        image=f"{REPOSITORY}-checked:v1",
        env={"RUNPOD_MIN_MEMORY_GB": "1000000", "RUNPOD_SKIP_GPU_CHECK": "true"},
        workers={"min": 1, "max": 1},
    )["id"]
    until(lambda: standin.workers(endpoint)["summary"]["unhealthy"], lambda count: count == 1)
    worker = standin.processes()[0]["id"]
    assert "unhealthy: " in standin.http.get(f"/_control/workers/{worker}/log").text
    # It is replaced, as a crashed one is.
    standin.clock(advance_s=60)
    until(lambda: [one["id"] for one in standin.processes()], lambda ids: ids and worker not in ids)
