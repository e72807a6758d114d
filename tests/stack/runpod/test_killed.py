"""The engine killed with SIGKILL while it waits for the answer to its POSTs, which have taken effect.
The next `up` finds and records what was created; nothing exists twice."""

from __future__ import annotations

import pytest

from tests.contract.runpod.conftest import REPOSITORY, until
from tests.stack.runpod.conftest import PATHS, Declared, Objects
from tests.stack.support.killing import kill_all

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]

ONE_OF_EACH: Declared = {
    "RegistryCredential": {"login": {"base_name": "login", "owner": "o", "username": "u", "password": "p"}},
    "Endpoint": {
        "endpoint": {
            "name": "endpoint",
            "image": f"{REPOSITORY}@sha256:{'a' * 64}",
            "gpuNames": ["RTX 4090"],
            "gpuCount": 1,
            "workers": {"min": 0, "max": 1, "idleTimeout": 10},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
            "timeout": 600_000,
            "disk": 20,
            "env": {"SPLAT_DEPLOYMENT": "killed.endpoint"},
        }
    },
}
NEVER_S = 600


def test_an_engine_killed_between_post_and_answer_leaves_one_of_each_and_the_next_up_has_it(objects: Objects) -> None:
    standin = objects.standin
    faults = [
        standin.fault(kind="late_answer", route=f"POST {path}", latency_s=NEVER_S, times=None)
        for path, _ in PATHS.values()
    ]
    objects.declare(ONE_OF_EACH)
    process = objects.start("up")
    try:
        until(objects.seen, lambda seen: len(seen) == len(PATHS))
        assert process.poll() is None
    finally:
        kill_all(process)
    made = objects.seen()
    for fault in faults:
        standin.http.delete(f"/_control/faults/{fault}")
    objects.unlock()
    assert objects.ids() == {}  # the state names none of them

    objects.up()

    assert objects.seen() == made
    assert set(objects.ids().values()) == made.keys()
    objects.stack.preview(expect_no_changes=True, suppress_progress=True)
