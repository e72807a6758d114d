"""Faults strike exactly the calls that they name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from local_cloud.runpod.faults.scripted import Fault, Faults, Kind


def test_a_fault_strikes_from_its_nth_match_on_for_its_times() -> None:
    faults = Faults()
    faults.add(Fault(kind=Kind.STATUS, route="GET /v2/*", nth=2, times=2))
    assert [len(faults.for_request("GET", "/v2/x")) for _ in range(5)] == [0, 1, 1, 0, 0]


def test_another_verb_or_path_neither_strikes_nor_counts() -> None:
    faults = Faults()
    armed = faults.add(Fault(kind=Kind.RESET, route="PATCH /v2/serverless/*"))
    assert faults.for_request("GET", "/v2/serverless/e") == []
    assert faults.for_request("PATCH", "/v2/registries/r") == []
    assert armed.matched == 0
    assert len(faults.for_request("PATCH", "/v2/serverless/e")) == 1


def test_a_fault_without_times_strikes_until_removed() -> None:
    faults = Faults()
    armed = faults.add(Fault(kind=Kind.WORKER_THROTTLED, endpoint="e*", times=None))
    assert all(faults.strike(Kind.WORKER_THROTTLED, "e1") for _ in range(10))
    assert faults.strike(Kind.WORKER_THROTTLED, "other") is None
    assert faults.remove(armed.id)
    assert faults.strike(Kind.WORKER_THROTTLED, "e1") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "status"},
        {"kind": "worker_killed", "route": "GET /x"},
        {"kind": "status", "route": "GET /x", "status": 200},
        {"kind": "explode"},
        {"kind": "worker_killed", "nth": 0},
    ],
)
def test_a_fault_that_cannot_strike_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Fault.model_validate(fields)
