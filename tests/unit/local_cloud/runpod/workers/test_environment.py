"""The variables of a worker: the platform's own on top, nothing of this machine."""

from __future__ import annotations

from pathlib import Path

from local_cloud.runpod.account.state import Endpoint, Release
from local_cloud.runpod.workers.environment import worker_environment
from local_cloud.runpod.workers.logs import WorkerLog
from local_cloud.runpod.workers.model import Placement, Worker

from ..samples import spec


def test_the_platforms_variables_win_and_the_urls_fit_the_sdk(tmp_path: Path) -> None:
    release = Release(id="r", version=1, created_at_s=0, diff=())
    endpoint = Endpoint(
        id="ep", spec=spec(env={"RUNPOD_POD_ID": "forged", "A": "1"}), created_at_s=0, releases=(release,)
    )
    log = WorkerLog(tmp_path / "log", lambda: 0.0)
    worker = Worker(
        id="wk",
        endpoint_id="ep",
        version=1,
        image="i",
        disk_gb=1,
        placement=Placement(
            gpu_type_id="NVIDIA GeForce RTX 4090",
            gpu_count=1,
            data_center_id="US-KS-2",
            gpu_usd_per_s=0.1,
        ),
        key="rpw_key",
        created_s=0,
        log=log,
    )
    env = worker_environment(
        host={"PATH": "/bin", "RUNPOD_API_KEY": "account key", "AWS_SECRET_ACCESS_KEY": "x"},
        image_env={"IMAGE": "1", "A": "image"},
        endpoint=endpoint,
        worker=worker,
        base_url="http://127.0.0.1:1",
        ping_interval_ms=10_000,
        home="/scratch",
    )
    log.close()
    assert env["RUNPOD_POD_ID"] == "wk"
    assert (env["A"], env["IMAGE"], env["PATH"], env["HOME"]) == ("1", "1", "/bin", "/scratch")
    assert not {"RUNPOD_API_KEY", "AWS_SECRET_ACCESS_KEY"} & set(env)
    # rp_job: the stop URL is derived by replacing /job-take/, and &job_in_progress= is appended.
    take = env["RUNPOD_WEBHOOK_GET_JOB"]
    assert take == "http://127.0.0.1:1/v2/ep/job-take/$ID?gpu=NVIDIA+GeForce+RTX+4090"
    assert env["RUNPOD_WEBHOOK_POST_OUTPUT"].startswith("http://127.0.0.1:1/v2/ep/job-done/$RUNPOD_POD_ID/$ID?")
    assert env["RUNPOD_WEBHOOK_POST_STREAM"].startswith("http://127.0.0.1:1/v2/ep/job-stream/$RUNPOD_POD_ID/$ID?")
    assert env["RUNPOD_WEBHOOK_PING"].startswith("http://127.0.0.1:1/v2/ep/ping/$RUNPOD_POD_ID?")
