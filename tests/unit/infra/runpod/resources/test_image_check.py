"""When the image check passes, when it fails, and that it always deletes its endpoint: on a small account in memory.
The same on the stand-in, with workers that crash and the real engine: tests/stack/test_image_update.py."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from infra.runpod import errors
from infra.runpod.client import RunPodClient
from infra.runpod.model import MARKER
from infra.runpod.resources.image_check import (
    LIMIT_S,
    REMEMBERED,
    ImageBroken,
    ImageCheckProvider,
    check_image,
    last_lines,
    subject,
)

KEY = "rpa_key_of_the_test"
NEW, OLD = ("ghcr.io/team/worker@sha256:" + letter * 64 for letter in "ba")
CHECKED = {"name": "splat-check", "image": NEW, "env": {MARKER: "abc.check"}}
PROPS = {
    "name": "splat-check", "env": {MARKER: "abc.check"}, "image": OLD, "gpuNames": ["RTX 4090"], "gpuCount": 1.0,
    "minCudaVersion": "13.0", "disk": 30.0, "dataCenterIds": [], "enabled": True, "passed": [],
}  # fmt: skip
GPUS = [
    {"id": "NVIDIA GeForce RTX 4090", "name": "RTX 4090", "pool": "ADA_24", "memory": 24, "price": {"serverless": 1.1}},
    {"id": "NVIDIA A100 80GB PCIe", "name": "A100", "pool": "AMPERE_80", "memory": 80, "price": {"serverless": 2.7}},
]


class Account:
    """Endpoints by id; each query of the job moves to the next of `steps`: (job, workers)."""

    def __init__(
        self,
        *steps: tuple[dict[str, Any], list[dict[str, Any]]],
        log: str = "",
        without_log: frozenset[str] = frozenset(),
    ) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {"real": {"id": "real", "env": {MARKER: "abc.endpoint"}}}
        self.made: list[dict[str, Any]] = []
        self.inputs: list[Any] = []
        self.refuses_jobs = False
        self._steps, self._log, self._without_log, self._now = list(steps), log, without_log, 0.0
        self.client = RunPodClient(
            api_key=KEY,
            api_url="https://api.example/v2",
            job_url="https://jobs.example/v2",
            transport=httpx.MockTransport(self._answer),
        )

    def check(self) -> None:
        check_image(self.client, CHECKED, serving=OLD, sleep=self._pass, now=lambda: self._now)

    def provider(self) -> ImageCheckProvider:
        provider = ImageCheckProvider()
        provider._client = self.client
        return provider

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        if len(self._steps) > 1:
            self._steps.pop(0)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, body = request.url.path.removeprefix("/v2"), json.loads(request.content or b"null")
        match request.method, path.strip("/").split("/"):
            case "GET", ["serverless"]:
                return httpx.Response(200, json={"endpoints": list(self.endpoints.values())})
            case "POST", ["serverless"]:
                self.made.append(body)
                self.endpoints["check"] = {"id": "check", **body}
                return httpx.Response(201, json=self.endpoints["check"])
            case "DELETE", ["serverless", id_]:
                del self.endpoints[id_]
                return httpx.Response(204)
            case "GET", ["serverless", _, "workers"]:
                return httpx.Response(200, json={"workers": self._steps[0][1]})
            case "GET", ["serverless", _, "workers", gone, "logs"] if gone in self._without_log:
                return httpx.Response(404, json={"title": "Not Found", "status": 404})
            case "GET", ["serverless", _, "workers", _, "logs"]:
                return httpx.Response(
                    200, text="".join(f"data: {json.dumps({'line': x})}\n\n" for x in self._log.splitlines())
                )
            case "GET", ["catalog", "gpus"]:
                return httpx.Response(200, json={"gpus": GPUS})
            case "POST", [_, "run"] if self.refuses_jobs:
                return httpx.Response(401, text="no")
            case "POST", [_, "run"]:
                self.inputs.append(body["input"])
                return httpx.Response(200, json={"id": "job"})
            case "GET", [_, "status", _]:
                return httpx.Response(200, json=self._steps[0][0])
        raise AssertionError(f"{request.method} {request.url}")


def worker(id_: str, status: str) -> dict[str, Any]:
    return {"id": id_, "status": status}


QUEUED, DONE = {"status": "IN_QUEUE"}, {"status": "COMPLETED", "output": {"ok": True}}


def test_an_image_that_passes_leaves_nothing_behind() -> None:
    account = Account((QUEUED, [worker("w", "INITIALIZING")]), (DONE, []))
    account.check()
    assert account.inputs == [{"selftest": True}]
    assert account.made[0]["image"] == NEW
    assert list(account.endpoints) == ["real"]


def test_the_endpoint_of_an_interrupted_run_is_deleted_first() -> None:
    account = Account((DONE, []))
    account.endpoints["left"] = {"id": "left", "env": {MARKER: "abc.check"}}
    account.check()
    assert list(account.endpoints) == ["real"]


CRASH = 'loading\nTraceback (most recent call last):\n  File "handler.py", line 1\nImportError: no module named torch'


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([(QUEUED, [worker(one, "UNHEALTHY")]) for one in "ab"], "ImportError: no module named torch"),
        (
            [(QUEUED, [worker(str(n), "INITIALIZING")]) for n in range(9)],
            "test workers exited before they accepted a job",
        ),
        ([({"status": "FAILED", "error": '{"message": "kernels: none"}'}, [])], "  | kernels: none"),
        ([({"status": "FAILED", "error": "worker exited"}, [])], "  | worker exited"),
        ([({"status": "TIMED_OUT"}, [])], "ended as TIMED_OUT"),
        ([(QUEUED, [worker("a", "THROTTLED")])], f"no card was free within {LIMIT_S:.0f} s"),
        ([({"status": "IN_PROGRESS"}, [worker("a", "RUNNING")])], f"did not finish its self-test within {LIMIT_S:.0f}"),
    ],
)  # fmt: skip
def test_a_broken_image_is_reported_with_its_log_and_the_image_that_serves(steps: list[Any], says: str) -> None:
    account = Account(*steps, log=CRASH)
    with pytest.raises(ImageBroken) as broken:
        account.check()
    text = str(broken.value)
    assert says in text
    assert f"Nothing was changed: the endpoint still runs {OLD}" in text
    assert "Traceback" not in text
    assert "handler.py" not in text
    assert list(account.endpoints) == ["real"]


def test_workers_without_a_readable_log_do_not_hide_the_log_of_the_next() -> None:
    steps = [(QUEUED, [worker(id_, "UNHEALTHY")]) for id_ in ("w1", "w2", "w3")]
    account = Account(*steps, log="ImportError: no module named trainer", without_log=frozenset({"w1", "w2"}))
    with pytest.raises(ImageBroken, match=r"did not start.*\n.*ImportError: no module named trainer"):
        account.check()


def test_workers_without_any_log_end_the_check_too() -> None:
    ids = ("w1", "w2", "w3", "w4")
    account = Account(*[(QUEUED, [worker(id_, "UNHEALTHY")]) for id_ in ids], without_log=frozenset(ids))
    with pytest.raises(ImageBroken, match="test workers did not start"):
        account.check()


def test_one_lost_worker_is_the_hosts_fault_and_not_the_images() -> None:
    Account((QUEUED, [worker("a", "UNHEALTHY")]), (QUEUED, [worker("b", "RUNNING")]), (DONE, [])).check()


def test_a_job_api_that_rejects_the_key_leaves_no_endpoint() -> None:
    account = Account(({"status": "IN_QUEUE"}, []))
    account.refuses_jobs = True
    with pytest.raises(errors.Unauthorized, match="401"):
        account.check()
    assert list(account.endpoints) == ["real"]


def test_only_a_changed_image_is_checked() -> None:
    account = Account((DONE, []))
    created = account.provider().create(PROPS)
    assert account.inputs == []
    updated = account.provider().update("id", {**PROPS, **created.outs}, {**PROPS, "image": NEW})
    assert account.inputs == [{"selftest": True}]
    assert updated.outs["passed"] == [f"{OLD} on 1 x RTX 4090", f"{NEW} on 1 x RTX 4090"]


def test_a_return_to_the_first_image_needs_no_check() -> None:
    account = Account((DONE, []))
    first = {**PROPS, **account.provider().create(PROPS).outs}
    second = account.provider().update("id", first, {**PROPS, "image": NEW}).outs
    account.inputs.clear()
    account.provider().update("id", second, PROPS)
    assert account.inputs == []


def test_the_check_has_the_endpoints_inputs_and_one_worker() -> None:
    """Cards, driver, disk, data centres and credential."""
    account = Account((DONE, []))
    cards = {"gpuNames": ["A100"], "gpuCount": 2.0}
    news = {**PROPS, **cards, "image": NEW, "disk": 45.0, "dataCenterIds": ["EU-RO-1"], "registry": "cred_1"}
    account.provider().update("id", PROPS, news)
    (made,) = account.made
    assert made["image"] == NEW
    assert (made["gpu"]["count"], made["gpu"]["minCudaVersion"]) == (2, "13.0")
    assert made["gpu"]["pools"] == ["AMPERE_80"]
    assert (made["disk"], made["dataCenterIds"], made["registry"]) == (45, ["EU-RO-1"], "cred_1")
    assert (made["workers"]["min"], made["workers"]["max"]) == (0, 1)


def test_destroying_a_stack_deletes_the_endpoint_of_an_interrupted_check() -> None:
    account = Account((DONE, []))
    account.endpoints["left"] = {"id": "left", "env": {MARKER: "abc.check"}}
    account.provider().delete("id", PROPS)
    assert list(account.endpoints) == ["real"]


@pytest.mark.parametrize(
    "news",
    [
        {"image": NEW, "enabled": False},  # checks are off
        {"disk": 40.0},  # a self-test would not notice
        {"image": NEW, "olds_passed": [f"{NEW} on 1 x RTX 4090"]},  # a rollback
    ],
)
def test_no_check_runs_when_none_is_needed(news: dict[str, Any]) -> None:
    account = Account((DONE, []))
    olds = {**PROPS, "passed": news.pop("olds_passed", [])}
    account.provider().update("id", olds, {**PROPS, **news})
    assert account.inputs == []


def test_another_card_is_checked_too_and_the_list_of_passed_images_is_bounded() -> None:
    account = Account((DONE, []))
    olds = {**PROPS, "passed": [str(n) for n in range(REMEMBERED)]}
    passed = account.provider().update("id", olds, {**PROPS, "gpuCount": 2.0}).outs["passed"]
    assert account.inputs == [{"selftest": True}]
    assert (len(passed), passed[-1]) == (REMEMBERED, f"{OLD} on 2 x RTX 4090")
    assert subject({**PROPS, "gpuCount": 2.0}) == passed[-1]


def test_the_last_lines_have_no_traceback_steps() -> None:
    assert last_lines(tuple(CRASH.splitlines())) == ("loading", "ImportError: no module named torch")
