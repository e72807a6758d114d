"""The next major version of the runpod SDK as worker: what the handler relies on holds on both versions.
The pinned version has all the tests of test_worker_protocol.py."""

from __future__ import annotations

import pytest

from tests.conftest import need

from .conftest import NEXT_SDK, REPOSITORY, StandIn, until

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


@pytest.fixture(autouse=True)
def installed() -> None:
    need(NEXT_SDK / "runpod/__init__.py", hint="run scripts/bootstrap --test")


def test_results_errors_progress_and_cancels_are_as_on_the_pinned_version(standin: StandIn) -> None:
    """One worker for all of it, since a start takes seconds."""
    endpoint = standin.create(image=f"{REPOSITORY}-async-next:v1")["id"]
    good = standin.finish(endpoint, standin.run(endpoint, input={"text": "hello"}))
    assert (good["status"], good["output"]["echo"]) == ("COMPLETED", {"text": "hello"})

    failed = standin.finish(endpoint, standin.run(endpoint, input={"raise": "no luck"}))
    assert failed["status"] == "FAILED"
    assert "no luck" in str(failed["error"])

    moving = standin.run(endpoint, input={"progress": [{"step": n} for n in range(20)]})
    until(lambda: standin.status(endpoint, moving).get("output"), lambda output: bool(output) and "step" in output)
    assert standin.finish(endpoint, moving)["status"] == "COMPLETED"

    long = standin.run(endpoint, input={"sleep_s": 600})
    until(lambda: standin.status(endpoint, long)["status"], lambda state: state == "IN_PROGRESS")
    assert standin.http.post(f"/v2/{endpoint}/cancel/{long}").json()["status"] == "CANCELLED"
    again = standin.finish(endpoint, standin.run(endpoint, input={"n": 2}))
    # The same process, whose handler was cancelled.
    assert (again["status"], again["output"]["pid"]) == ("COMPLETED", good["output"]["pid"])


def test_a_generator_streams_its_parts_in_order(standin: StandIn) -> None:
    endpoint = standin.create(image=f"{REPOSITORY}-generator-next:v1")["id"]
    job = standin.finish(endpoint, standin.run(endpoint, input={"count": 3}))
    assert job["output"] == [{"number": 0}, {"number": 1}, {"number": 2}]
