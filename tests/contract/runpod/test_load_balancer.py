"""Load balancing endpoints: requests straight to the workers' own HTTP servers, by their health."""

from __future__ import annotations

import threading
import time
from typing import Any

import httpx
import pytest

from .conftest import KEY, REPOSITORY, StandIn, until

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


def balanced(standin: StandIn, **changes: Any) -> dict[str, Any]:
    kind: dict[str, Any] = {
        "type": "LOAD_BALANCER",
        "image": f"{REPOSITORY}-server:v1",
        "scaling": {"type": "REQUEST_COUNT", "requestCount": 1},
        "workers": {"min": 0, "max": 1, "idleTimeout": 60},
    }
    return standin.create(**(kind | changes))


def ask(standin: StandIn, url: str, method: str = "GET", **given: Any) -> httpx.Response:
    return standin.http.request(method, url, **given)


def test_a_request_starts_a_worker_and_comes_back_as_the_worker_answered(standin: StandIn) -> None:
    made = balanced(standin)
    base = made["requestUrls"]["base"]
    assert made["requestUrls"] == {"base": base, "health": f"{base}/ping"}
    answer = ask(standin, f"{base}/any/path%20here?a=1&b=2", "PUT", content=b"body", headers={"x-mine": "yes"})
    assert answer.status_code == 418
    assert answer.headers["x-server"] == "own"
    told = answer.json()
    assert told["line"] == "PUT /any/path%20here?a=1&b=2"
    assert (told["body"], told["mine"]) == ("body", "yes")
    assert told["port"] not in ("80", None)
    # The address of the platform works too where only the host is changed by resolution.
    named = ask(standin, f"{standin.url}/hello", headers={"host": f"{made['id']}.api.runpod.ai"})
    assert named.json()["line"] == "GET /hello"


def test_a_worker_takes_no_request_before_its_health_check_passes(standin: StandIn) -> None:
    made = balanced(standin, env={"WARM_UP_S": "1.5", "HEALTH_CHECK_PATH": "healthz"})
    assert made["requestUrls"]["health"].endswith("/healthz")
    began = time.monotonic()
    assert ask(standin, made["requestUrls"]["base"] + "/").json()["warm"] is True
    assert time.monotonic() - began >= 1.5


def test_an_unhealthy_worker_leaves_the_pool_and_comes_back(standin: StandIn) -> None:
    standin.settings(balanced_wait_s=0.3)
    made = balanced(standin, workers={"min": 1, "max": 1, "idleTimeout": 60})
    base = made["requestUrls"]["base"]
    until(lambda: standin.workers(made["id"])["summary"]["idle"], lambda idle: idle == 1)
    ask(standin, f"{base}/sick/1.5")
    until(lambda: standin.workers(made["id"])["summary"]["unhealthy"], lambda count: count == 1)
    refused = ask(standin, f"{base}/")
    assert (refused.status_code, refused.json()) == (400, {"error": "no workers available"})
    until(lambda: ask(standin, f"{base}/").status_code, lambda status: status == 418)


def test_many_requests_at_once_get_more_workers_which_leave_after_the_idle_timeout(standin: StandIn) -> None:
    made = balanced(standin, workers={"min": 0, "max": 2, "idleTimeout": 30})
    base = made["requestUrls"]["base"]
    pids: set[str] = set()
    threads = [
        threading.Thread(target=lambda: pids.add(ask(standin, f"{base}/slow/3").json()["pid"])) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    until(lambda: standin.workers(made["id"])["summary"]["total"], lambda total: total == 2)
    for thread in threads:
        thread.join()
    ask(standin, f"{base}/")
    standin.clock(advance_s=20)
    assert standin.workers(made["id"])["summary"]["total"] == 2
    standin.clock(advance_s=20)
    until(lambda: standin.workers(made["id"])["summary"]["total"], lambda total: total == 0)


def test_an_answer_is_relayed_part_by_part(standin: StandIn) -> None:
    base = balanced(standin)["requestUrls"]["base"]
    # A client of its own: the shared one reads every answer whole, to judge it.
    headers = {"Authorization": f"Bearer {KEY}"}
    with (
        httpx.Client(trust_env=False, timeout=60) as http,
        http.stream("GET", f"{base}/parts", headers=headers) as answer,
    ):
        moments = [time.monotonic() for part in answer.iter_raw() if part]
    assert len(moments) >= 3
    assert moments[-1] - moments[0] >= 0.5


def test_the_job_api_knows_no_load_balancer_and_the_balancer_no_queue(standin: StandIn) -> None:
    made, queue = balanced(standin), standin.create()
    for call in ("run", "runsync", "purge-queue"):
        answer = standin.http.post(f"/v2/{made['id']}/{call}", json={"input": {"n": 1}})
        assert (answer.status_code, answer.json()) == (404, {"error": "endpoint not found"})
    assert standin.http.get(f"/v2/{made['id']}/health").status_code == 404
    assert ask(standin, f"{standin.url}/lb/{queue['id']}/ping").status_code == 404
    with httpx.Client(trust_env=False) as stranger:
        assert stranger.get(f"{made['requestUrls']['base']}/ping").status_code == 401
    assert standin.workers(made["id"])["summary"]["total"] == 0
    assert KEY not in str(standin.processes())


def test_a_body_above_30_mb_is_refused_and_a_dead_server_is_502(standin: StandIn) -> None:
    base = balanced(standin)["requestUrls"]["base"]
    assert ask(standin, base + "/", "POST", content=b"x" * 30_000_001).status_code == 413
    assert ask(standin, f"{base}/die").status_code == 502
