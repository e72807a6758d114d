"""When a trial lets an image through, when it stops, and that it always leaves nothing: on a small account in memory.
The same on the stand-in, with workers that crash and the real engine: tests/stack/test_image_update.py."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from infra.runpod import errors, model
from infra.runpod.client import RunPodClient
from infra.runpod.jobs import JobApi
from infra.runpod.provider import MARKER
from infra.runpod.trial import (
    LIMIT_S,
    REMEMBERED,
    ImageBroken,
    ImageTrialProvider,
    Trial,
    last_words,
    prove,
    subject,
)

KEY = "rpa_key_of_the_test"
NEW, OLD = ("ghcr.io/team/worker@sha256:" + letter * 64 for letter in "ba")
TRIAL = Trial(endpoint=model.Endpoint(name="splat-trial", image=NEW, env={MARKER: "abc.trial"}), serving=OLD)
PROPS = {
    "name": "splat-trial", "marker": "abc.trial", "image": OLD, "gpuNames": ["RTX 4090"], "gpuCount": 1.0,
    "minCudaVersion": "13.0", "disk": 30.0, "dataCenterIds": [], "enabled": True, "proved": [],
}  # fmt: skip
GPUS = [
    {"id": "NVIDIA GeForce RTX 4090", "name": "RTX 4090", "pool": "ADA_24", "memory": 24, "price": {"serverless": 1.1}},
    {"id": "NVIDIA A100 80GB PCIe", "name": "A100", "pool": "AMPERE_80", "memory": 80, "price": {"serverless": 2.7}},
]


class Account:
    """Endpoints by id; each look at the job moves to the next of `steps`: (job, workers)."""

    def __init__(
        self,
        *steps: tuple[dict[str, Any], list[dict[str, Any]]],
        log: str = "",
        without_log: frozenset[str] = frozenset(),
    ) -> None:
        self.endpoints: dict[str, dict[str, Any]] = {"real": {"id": "real", "env": {MARKER: "abc.gpu"}}}
        self.made: list[dict[str, Any]] = []
        self.inputs: list[Any] = []
        self._steps, self._log, self._without_log, self._now = list(steps), log, without_log, 0.0
        transport = httpx.MockTransport(self._answer)
        self.client = RunPodClient(api_key=KEY, api_url="https://api.example/v2", transport=transport)
        self.jobs = JobApi(
            api_key=KEY, job_url="https://jobs.example/v2", api_url="https://api.example/v2", transport=transport
        )

    def prove(self) -> None:
        prove(self.client, self.jobs, TRIAL, sleep=self._pass, now=lambda: self._now)

    def provider(self) -> ImageTrialProvider:
        provider = ImageTrialProvider()
        provider._client, provider._jobs = self.client, self.jobs
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
                self.endpoints["trial"] = {"id": "trial", **body}
                return httpx.Response(201, json=self.endpoints["trial"])
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
    account.prove()
    assert account.inputs == [{"selftest": True}]
    assert account.made[0]["image"] == NEW
    assert list(account.endpoints) == ["real"]


def test_what_a_run_that_was_cut_off_left_is_gone_first() -> None:
    account = Account((DONE, []))
    account.endpoints["left"] = {"id": "left", "env": {MARKER: "abc.trial"}}
    account.prove()
    assert list(account.endpoints) == ["real"]


CRASH = 'loading\nTraceback (most recent call last):\n  File "handler.py", line 1\nImportError: no module named torch'


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([(QUEUED, [worker(one, "UNHEALTHY")]) for one in "ab"], "ImportError: no module named torch"),
        ([(QUEUED, [worker(str(n), "INITIALIZING")]) for n in range(9)], "its workers end without taking a job"),
        ([({"status": "FAILED", "error": '{"message": "kernels: none"}'}, [])], "  | kernels: none"),
        ([({"status": "FAILED", "error": "worker exited"}, [])], "  | worker exited"),
        ([({"status": "TIMED_OUT"}, [])], "ended as TIMED_OUT"),
        ([(QUEUED, [worker("a", "THROTTLED")])], f"no card was free within {LIMIT_S:.0f} s"),
        ([({"status": "IN_PROGRESS"}, [worker("a", "RUNNING")])], f"did not finish its self-test within {LIMIT_S:.0f}"),
    ],
)  # fmt: skip
def test_a_broken_image_is_told_with_its_own_words_and_what_serves_on(steps: list[Any], says: str) -> None:
    account = Account(*steps, log=CRASH)
    with pytest.raises(ImageBroken) as broken:
        account.prove()
    text = str(broken.value)
    assert says in text
    assert f"Nothing was changed: the endpoint goes on with {OLD}" in text
    assert "Traceback" not in text
    assert "handler.py" not in text
    assert list(account.endpoints) == ["real"]


def test_workers_that_are_gone_before_their_log_is_read_do_not_hide_what_the_next_one_says() -> None:
    steps = [(QUEUED, [worker(id_, "UNHEALTHY")]) for id_ in ("w1", "w2", "w3")]
    account = Account(*steps, log="ImportError: no module named trainer", without_log=frozenset({"w1", "w2"}))
    with pytest.raises(ImageBroken, match=r"do not come up.*\n.*ImportError: no module named trainer"):
        account.prove()


def test_workers_that_never_leave_a_log_end_the_trial_too() -> None:
    ids = ("w1", "w2", "w3", "w4")
    account = Account(*[(QUEUED, [worker(id_, "UNHEALTHY")]) for id_ in ids], without_log=frozenset(ids))
    with pytest.raises(ImageBroken, match="its workers do not come up"):
        account.prove()


def test_one_lost_worker_is_the_hosts_fault_and_not_the_images() -> None:
    Account((QUEUED, [worker("a", "UNHEALTHY")]), (QUEUED, [worker("b", "RUNNING")]), (DONE, [])).prove()


def test_an_account_that_cannot_be_asked_leaves_no_trial_and_says_so() -> None:
    account = Account(({"status": "IN_QUEUE"}, []))
    account.jobs = JobApi(
        api_key=KEY, job_url="https://jobs.example/v2", api_url="https://api.example/v2",
        transport=httpx.MockTransport(lambda _: httpx.Response(401, text="no")),
    )  # fmt: skip
    with pytest.raises(errors.RunPodError, match="401"):
        account.prove()
    assert list(account.endpoints) == ["real"]


def test_the_first_image_is_not_held_up_and_a_changed_one_is() -> None:
    account = Account((DONE, []))
    created = account.provider().create(PROPS)
    assert account.inputs == []
    updated = account.provider().update("id", {**PROPS, **created.outs}, {**PROPS, "image": NEW})
    assert account.inputs == [{"selftest": True}]
    assert updated.outs["proved"] == [f"{OLD} on 1 x RTX 4090", f"{NEW} on 1 x RTX 4090"]


def test_the_way_back_to_the_first_image_waits_for_no_trial() -> None:
    account = Account((DONE, []))
    first = {**PROPS, **account.provider().create(PROPS).outs}
    second = account.provider().update("id", first, {**PROPS, "image": NEW}).outs
    account.inputs.clear()
    account.provider().update("id", second, PROPS)
    assert account.inputs == []


def test_a_trial_meets_what_the_endpoint_would_meet_with_one_worker_of_its_own() -> None:
    """Cards, driver, disk, places and credential: what a host's fault or a missing right would be found by."""
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


def test_destroying_a_stack_takes_away_the_trial_of_a_run_that_was_cut_off() -> None:
    account = Account((DONE, []))
    account.endpoints["left"] = {"id": "left", "env": {MARKER: "abc.trial"}}
    account.provider().delete("id", PROPS)
    assert list(account.endpoints) == ["real"]


@pytest.mark.parametrize(
    "news",
    [
        {"image": NEW, "enabled": False},  # let through untried
        {"disk": 40.0},  # nothing that a self-test would notice
        {"image": NEW, "olds_proved": [f"{NEW} on 1 x RTX 4090"]},  # a roll back
    ],
)
def test_no_trial_is_run_where_none_is_needed(news: dict[str, Any]) -> None:
    account = Account((DONE, []))
    olds = {**PROPS, "proved": news.pop("olds_proved", [])}
    account.provider().update("id", olds, {**PROPS, **news})
    assert account.inputs == []


def test_another_card_is_tried_too_and_only_so_many_are_remembered() -> None:
    account = Account((DONE, []))
    olds = {**PROPS, "proved": [str(n) for n in range(REMEMBERED)]}
    proved = account.provider().update("id", olds, {**PROPS, "gpuCount": 2.0}).outs["proved"]
    assert account.inputs == [{"selftest": True}]
    assert (len(proved), proved[-1]) == (REMEMBERED, f"{OLD} on 2 x RTX 4090")
    assert subject({**PROPS, "gpuCount": 2.0}) == proved[-1]


def test_last_words_are_the_end_without_the_steps_of_a_traceback() -> None:
    assert last_words(tuple(CRASH.splitlines())) == ("loading", "ImportError: no module named torch")
