"""Everything that a run creates is removed: at its end, after Ctrl-C, after a failure, and by the next run after a
crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import httpx
import pytest

from scripts.splat_cli.verify_live.accounts import Cloudflare, NotRemoved, Runpod
from scripts.splat_cli.verify_live.budget import Budget, OverBudget
from scripts.splat_cli.verify_live.run import Verification
from tests.live.conftest import ACCOUNT_ID, CLOUDFLARE_TOKEN, IMAGE, ROOT, RUNPOD_KEY, Platforms

pytestmark = pytest.mark.local_cloud

# A run in a process of its own, on the addresses that it is given.
RUN = f"""
import signal, sys
from common.stop_signals import stop_as_ctrl_c
from scripts.splat_cli.verify_live.accounts import Cloudflare, Runpod
from scripts.splat_cli.verify_live.budget import Budget
from scripts.splat_cli.verify_live.run import Verification
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
stop_as_ctrl_c()
runpod_url, control_url, app_url, stage = sys.argv[1:]
Verification(
    runpod=Runpod(key={RUNPOD_KEY!r}, api_url=runpod_url + "/v2", job_url=runpod_url + "/v2"),
    cloudflare=Cloudflare(
        account_id={ACCOUNT_ID!r}, token={CLOUDFLARE_TOKEN!r}, api_url=control_url,
        s3_url=app_url + "/cdn-cgi/local/r2/s3", app_url=app_url,
    ),
    image={IMAGE!r}, pool="ADA_24", budget=Budget(limit_usd=1.0), stages=("buckets", stage),
    say=lambda line: print(line, flush=True),
).run()
"""


def started(platforms: Platforms, stage: str) -> subprocess.Popen[str]:
    """A run of the buckets and another stage, once both have created something."""
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, platforms.runpod_url, platforms.control_url, platforms.app_url, stage],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    until = time.monotonic() + 60
    while not any("verify-live-" in name for name in platforms.names()):
        assert time.monotonic() < until, "the run created nothing"
        assert process.poll() is None, "the run ended early"
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_removes_what_it_created(platforms: Platforms, number: signal.Signals) -> None:
    process = started(platforms, "worker")
    process.send_signal(number)
    time.sleep(0.2)
    process.send_signal(number)  # impatience changes nothing
    assert process.wait(timeout=60) != 0
    assert process.stdout is not None
    process.stdout.close()
    assert platforms.names() == []


def test_the_next_run_removes_what_a_killed_run_left(platforms: Platforms) -> None:
    process = started(platforms, "worker")
    process.kill()
    process.wait(timeout=30)
    assert process.stdout is not None
    process.stdout.close()
    assert platforms.names() != []
    platforms.verification().run()
    assert platforms.names() == []
    assert any("of an earlier run that was interrupted" in line for line in platforms.said)


def test_nothing_of_other_names_is_touched(platforms: Platforms) -> None:
    runpod, cloudflare = platforms.runpod(), platforms.cloudflare()
    body = {"name": "production", "type": "QUEUE", "image": IMAGE, "gpu": {"pools": ["ADA_24"]}}
    made = runpod.call("POST", "/serverless", json={**body, "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4}})
    cloudflare.call("POST", "/r2/buckets", json={"name": "verify-live-photos"})
    platforms.verification("changes").run()
    assert sorted(platforms.names()) == ["production", "verify-live-photos"]
    runpod.remove("endpoint", made.json()["id"])
    cloudflare.remove("bucket:default", "verify-live-photos")


def test_what_cannot_be_removed_is_named(platforms: Platforms, monkeypatch: pytest.MonkeyPatch) -> None:
    run = platforms.verification(cloudflare=None)
    body = {"name": f"{run.name}-x", "type": "QUEUE", "image": IMAGE, "gpu": {"pools": ["ADA_24"]}}
    runpod = platforms.runpod()
    made = runpod.call("POST", "/serverless", json={**body, "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4}})
    removing = Runpod.remove

    def refused(*_: object) -> None:
        raise NotRemoved("answered 500")

    monkeypatch.setattr(Runpod, "remove", refused)
    run.run()
    assert [one for one in run.left if f"endpoint {run.name}-x" in one] != []
    removing(runpod, "endpoint", made.json()["id"])


def test_a_stage_that_could_cost_too_much_is_skipped_with_the_figures(platforms: Platforms) -> None:
    run = platforms.verification("jobs", budget=Budget(limit_usd=0.05))
    results = run.run()
    assert {one.verdict for one in results} == {"not observed"}
    assert "can cost $0.47, and $0.05 of $0.05 are left. Raise --max-cost" in results[0].reason
    assert run.budget.spent_usd == 0


def test_a_stage_gives_back_what_it_did_not_use() -> None:
    budget = Budget(limit_usd=1.0)
    budget.reserve("a stage", seconds=1000, usd_per_s=0.0005)
    with pytest.raises(OverBudget, match=r"another stage can cost \$0\.60, and \$0\.50 of \$1\.00 are left"):
        budget.reserve("another stage", seconds=1200, usd_per_s=0.0005)
    budget.give_back(seconds=900, usd_per_s=0.0005)
    assert budget.spent_usd == pytest.approx(0.05)


def test_a_lost_connection_is_no_difference(platforms: Platforms) -> None:
    def broken(request: httpx.Request, *_: object) -> httpx.Response | None:
        if request.method == "PATCH":
            raise httpx.ConnectError("reset", request=request)
        return None

    platforms.proxy.change = broken
    results = {one.check: one for one in platforms.verification("changes", cloudflare=None).run()}
    assert (results["unset-args"].verdict, results["unset-args"].reason) == (
        "not observed",
        "no answer (ConnectError)",
    )
    assert results["delete"].verdict == "same"


def test_a_run_outside_the_main_thread_removes_everything_too(platforms: Platforms) -> None:
    thread = threading.Thread(target=platforms.verification("account").run)
    thread.start()
    thread.join(timeout=60)
    assert platforms.names() == []


def test_keys_are_in_no_repr() -> None:
    runpod = Runpod(key="rpa_SECRET")
    cloudflare = Cloudflare(account_id="a", token="SECRET")
    run = Verification(
        runpod=runpod, cloudflare=cloudflare, image="i", pool="p", budget=Budget(limit_usd=1), say=lambda _: None
    )
    assert "SECRET" not in repr(run)
    runpod.close()
    cloudflare.close()
