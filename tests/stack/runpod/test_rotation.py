"""The registry credential is rotated by the real engine while real workers do jobs.
A watcher reads the account all the time: the endpoint never names a credential that does not exist."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.contract.runpod.conftest import KEY, LOGINS, REPOSITORY, StandIn, until
from tests.stack.runpod.conftest import Declared, Objects

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]

PAUSE_S = 0.05


def declared(password: str) -> Declared:
    return {
        "RegistryCredential": {
            "login": {"base_name": "login", "owner": "o", "username": "robot", "password": password}
        },
        "Endpoint": {
            "endpoint": {
                "name": "rotating",
                "image": f"{REPOSITORY}-private@sha256:{'a' * 64}",
                "registry": "@login",
                "gpuNames": ["RTX 4090"],
                "gpuCount": 1,
                "workers": {"min": 1, "max": 2, "idleTimeout": 60},
                "scaling": {"type": "QUEUE_DELAY", "queueDelay": 1},
                "timeout": 600_000,
                "disk": 20,
                "env": {"SPLAT_DEPLOYMENT": "rotation.endpoint"},
            }
        },
    }


class Watcher(threading.Thread):
    """Notes every moment at which the endpoint names a credential that does not exist."""

    def __init__(self, standin: StandIn, endpoint: str) -> None:
        super().__init__()
        self._standin, self._endpoint = standin, endpoint
        self.done = threading.Event()
        self.gaps: list[str] = []
        self.registries: list[str] = []
        self.reads = 0

    def run(self) -> None:
        while not self.done.wait(PAUSE_S):
            before = self._named()
            existing = {one["id"] for one in self._standin.http.get("/v2/registries").json()["registries"]}
            if before == self._named():  # else it was pointed to another credential between the two reads
                self.reads += 1
                self.registries.append(before)
                self.gaps += [] if before in existing else [before]

    def _named(self) -> str:
        return str(self._standin.http.get(f"/v2/serverless/{self._endpoint}").json()["registry"])


class Load(threading.Thread):
    """One job after another."""

    def __init__(self, standin: StandIn, endpoint: str) -> None:
        super().__init__()
        self._standin, self._endpoint = standin, endpoint
        self.done = threading.Event()
        self.jobs: list[dict[str, Any]] = []

    def run(self) -> None:
        while not self.done.is_set():
            job = self._standin.run(self._endpoint, input={"sleep_s": 0.2})
            self.jobs.append(self._standin.finish(self._endpoint, job))


def test_a_rotation_under_load_loses_no_job_and_never_leaves_the_endpoint_without_a_credential(
    objects: Objects,
) -> None:
    standin = objects.standin
    objects.declare(declared(LOGINS[0]["password"]))
    objects.up()
    old = objects.ids()
    endpoint = old["endpoint"]
    watcher, load = Watcher(standin, endpoint), Load(standin, endpoint)
    watcher.start()
    load.start()
    try:
        until(lambda: len(load.jobs), lambda count: count >= 2)
        long = standin.run(endpoint, input={"sleep_s": 12})
        until(lambda: standin.status(endpoint, long)["status"], lambda one: one == "IN_PROGRESS")

        objects.declare(declared(LOGINS[1]["password"]))
        objects.up()

        after = len(load.jobs)
        until(lambda: len(load.jobs), lambda count: count >= after + 2)
        across = standin.finish(endpoint, long)
    finally:
        load.done.set()
        load.join()
        watcher.done.set()
        watcher.join()

    new = objects.ids()
    assert (new["endpoint"], len({old["login"], new["login"]})) == (endpoint, 2)
    assert objects.seen().keys() == set(new.values())  # the old ones are gone
    assert watcher.gaps == []
    assert watcher.reads > 20
    assert list(dict.fromkeys(watcher.registries)) == [old["login"], new["login"]]
    assert across["status"] == "COMPLETED"  # started before, done after
    assert {job["status"] for job in load.jobs} == {"COMPLETED"}
    assert not any("retries" in job for job in [*load.jobs, across])
    # A worker that starts now pulls with the new login: the old credential no longer exists.
    for worker in standin.processes():
        standin.http.post(f"/_control/workers/{worker['id']}/kill")
    again = standin.finish(endpoint, standin.run(endpoint, input={"sleep_s": 0.1}))
    assert again["status"] == "COMPLETED"
    for secret in (KEY, LOGINS[0]["password"], LOGINS[1]["password"]):
        state = "".join(
            file.read_text("utf-8", "replace") for file in objects.folder.glob("state/**/*") if file.is_file()
        )
        assert secret not in state
