"""A plain endpoint and a plain job of the stand-in for tests; each field can be changed."""

from __future__ import annotations

from typing import Any

from local_cloud.runpod.account.state import EndpointSpec, GpuSpec
from local_cloud.runpod.jobs.model import Job, Policy


def spec(**changes: Any) -> EndpointSpec:
    fields: dict[str, Any] = {
        "name": "e",
        "image": "i",
        "args": "",
        "disk_gb": 20,
        "ports": (),
        "env": {},
        "registry": None,
        "gpu": GpuSpec(pools=("ADA_24",)),
        "workers_min": 0,
        "workers_max": 3,
        "idle_timeout_s": 10,
        "queue_delay_s": 4,
        "data_center_ids": (),
        "timeout_ms": 1,
        "flashboot": "OFF",
    }
    return EndpointSpec(**(fields | changes))


def job(number: int = 0, **changes: Any) -> Job:
    fields: dict[str, Any] = {
        "id": f"job-{number}",
        "endpoint_id": "e",
        "request": {"input": {"n": number}},
        "policy": Policy(),
        "sync": False,
        "kept_s": 1800.0,
        "submitted_s": 100.0,
    }
    return Job(**(fields | changes))
