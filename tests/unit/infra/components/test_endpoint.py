"""Settings as inputs of an endpoint: one row per setting, each with the field that it reaches."""

from __future__ import annotations

from typing import Any

import pytest

from infra.components.endpoint import endpoint_inputs
from infra.settings.load import read_settings
from tests.unit.infra.settings.test_model import BASE

IMAGE = "ghcr.io/team/splat-worker@sha256:" + "a" * 64


def inputs(**changes: str) -> dict[str, Any]:
    settings = read_settings({**BASE, **{f"photo-splat:{key}": value for key, value in changes.items()}})
    return endpoint_inputs(
        settings.gpu,
        settings.scaling,
        gpu_names=list(settings.gpu.names),
        name="photo-splat-dev",
        marker="abc.endpoint",
        image=IMAGE,
        min_cuda_version="13.0",
    )


def test_the_least_configuration_as_inputs() -> None:
    assert inputs() == {
        "name": "photo-splat-dev",
        "type": "QUEUE",
        "image": IMAGE,
        "gpuNames": ["RTX 4090"],
        "gpuCount": 1,
        "minCudaVersion": "13.0",
        "dataCenterIds": [],
        "disk": 30,
        "workers": {"min": 0, "max": 2, "idleTimeout": 15},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4.0},
        "timeout": 5_400_000,
        "flashboot": "FLASHBOOT",
        "env": {"SPLAT_DEPLOYMENT": "abc.endpoint"},
    }


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("gpu", "L40S, RTX 4090", "gpuNames", ["L40S", "RTX 4090"]),
        ("gpuCount", "2", "gpuCount", 2),
        ("diskGb", "45", "disk", 45),
        ("dataCenters", "EU-RO-1, US-TX-3", "dataCenterIds", ["EU-RO-1", "US-TX-3"]),
        ("adoptEndpointId", "ep2", "adoptId", "ep2"),
        ("scaling", "large", "workers", {"min": 1, "max": 10, "idleTimeout": 60}),
        ("workersMax", "4", "workers", {"min": 0, "max": 4, "idleTimeout": 15}),
        ("idleTimeoutS", "7", "workers", {"min": 0, "max": 2, "idleTimeout": 7}),
        ("queueDelayS", "9.5", "scaling", {"type": "QUEUE_DELAY", "queueDelay": 9.5}),
        ("executionTimeoutS", "7200", "timeout", 7_200_000),
        ("flashboot", "OFF", "flashboot", "OFF"),
    ],
)
def test_each_setting_reaches_its_field_and_no_other(key: str, value: str, field: str, expected: Any) -> None:
    before, after = inputs(), inputs(**{key: value})
    assert after[field] == expected
    assert {name for name in before | after if before.get(name) != after.get(name)} == {field}
