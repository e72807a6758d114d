"""Registry credential and account secret rotated by the real engine while real workers do jobs.
A watcher reads the account all the time: the endpoint never names a credential or a secret that is not there."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.contract.runpod.conftest import KEY, LOGINS, REPOSITORY, StandIn, until
from tests.stack.runpod.conftest import Declared, Objects

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]

FIRST, SECOND = "first-value", "second-value"
PAUSE_S = 0.05


def declared(*, password: str, value: str) -> Declared:
    return {
        "RegistryCredential": {
            "login": {"base_name": "login", "owner": "o", "username": "robot", "password": password}
        },
        "AccountSecret": {"token": {"base_name": "token", "owner": "o", "value": value}},
        "Endpoint": {
            "endpoint": {
                "name": "rotating",
                "image": f"{REPOSITORY}-private@sha256:{'a' * 64}",
                "registry": "@login",
                "gpu_names": ["RTX 4090"],
                "workers_min": 1,
                "workers_max": 2,
                "idle_timeout_s": 60,
                "queue_delay_s": 1,
                "timeout_ms": 600_000,
                "flashboot": "OFF",
                "disk_gb": 20,
                "env": {"SPLAT_DEPLOYMENT": "rotation.gpu", "TOKEN": "@@token"},
            }
        },
    }


class Watcher(threading.Thread):
    """Notes every moment at which the endpoint names a credential or secret that is not there."""

    def __init__(self, standin: StandIn, endpoint: str) -> None:
        super().__init__()
        self._standin, self._endpoint = standin, endpoint
        self.done = threading.Event()
        self.gaps: list[str] = []
        self.registries: list[str] = []
        self.looks = 0

    def run(self) -> None:
        while not self.done.wait(PAUSE_S):
            before = self._names()
            there = self._there()
            if before == self._names():  # else it was re-pointed between the two reads: look again
                self.looks += 1
                self.registries.append(before[0])
                self.gaps += [name for name in before if name not in there]

    def _names(self) -> tuple[str, str]:
        body = self._standin.http.get(f"/v2/serverless/{self._endpoint}").json()
        return str(body["registry"]), body["env"]["TOKEN"].removeprefix("{{ RUNPOD_SECRET_").removesuffix(" }}")

    def _there(self) -> set[str]:
        get = self._standin.http.get
        return {one["id"] for one in get("/v2/registries").json()["registries"]} | {
            one["name"] for one in get("/v2/account/secrets").json()["secrets"]
        }


class Load(threading.Thread):
    """One job after another, each telling which value its worker was given."""

    def __init__(self, standin: StandIn, endpoint: str) -> None:
        super().__init__()
        self._standin, self._endpoint = standin, endpoint
        self.done = threading.Event()
        self.jobs: list[dict[str, Any]] = []

    def run(self) -> None:
        while not self.done.is_set():
            job = self._standin.run(self._endpoint, input={"env": ["TOKEN"], "sleep_s": 0.2})
            self.jobs.append(self._standin.finish(self._endpoint, job))

    @property
    def values(self) -> list[str]:
        return [job["output"]["TOKEN"] for job in self.jobs]


def test_a_rotation_under_load_loses_no_job_and_leaves_no_moment_without_a_valid_value(objects: Objects) -> None:
    standin = objects.standin
    objects.declare(declared(password=LOGINS[0]["password"], value=FIRST))
    objects.up()
    old = objects.ids()
    endpoint = old["endpoint"]
    watcher, load = Watcher(standin, endpoint), Load(standin, endpoint)
    watcher.start()
    load.start()
    try:
        until(lambda: len(load.jobs), lambda count: count >= 2)
        long = standin.run(endpoint, input={"env": ["TOKEN"], "sleep_s": 12})
        until(lambda: standin.status(endpoint, long)["status"], lambda one: one == "IN_PROGRESS")

        objects.declare(declared(password=LOGINS[1]["password"], value=SECOND))
        objects.up()

        until(lambda: load.values[-1], lambda value: value == SECOND)
        across = standin.finish(endpoint, long)
    finally:
        load.done.set()
        load.join()
        watcher.done.set()
        watcher.join()

    new = objects.ids()
    assert (new["endpoint"], len({old["login"], new["login"], old["token"], new["token"]})) == (endpoint, 4)
    assert objects.seen().keys() == set(new.values())  # the old ones are gone
    assert watcher.gaps == []
    assert watcher.looks > 20
    assert list(dict.fromkeys(watcher.registries)) == [old["login"], new["login"]]
    assert (across["status"], across["output"]["TOKEN"]) == ("COMPLETED", FIRST)  # begun before, done after
    assert {job["status"] for job in load.jobs} == {"COMPLETED"}
    assert not any("retries" in job for job in [*load.jobs, across])
    assert load.values == sorted(load.values)  # first, then second, never back
    # A worker that starts now pulls with the new login: the old one is not there any more.
    for worker in standin.processes():
        standin.http.post(f"/_control/workers/{worker['id']}/kill")
    again = standin.finish(endpoint, standin.run(endpoint, input={"env": ["TOKEN"]}))
    assert again["output"]["TOKEN"] == SECOND
    for secret in (KEY, FIRST, SECOND, LOGINS[0]["password"], LOGINS[1]["password"]):
        state = "".join(
            file.read_text("utf-8", "replace") for file in objects.folder.glob("state/**/*") if file.is_file()
        )
        assert secret not in state
