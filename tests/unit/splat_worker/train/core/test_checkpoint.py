"""The trainer's state comes back as it was, and anything else is a reason to start from the beginning."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
import pytest

from splat_worker.train.core.checkpoint import CheckpointMismatch, Progress, RunId, pack, unpack
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset

RUN = RunId(backend="cpu", preset=resolve_preset(PresetName.PREVIEW, Device.CPU, 3), photos=("a", "b", "c"))
MEANS = np.arange(6, dtype=np.float32).reshape(2, 3)


def packed() -> bytes:
    return pack(RUN, Progress(rng=np.random.default_rng(7), step=30, queue=[0, 2], seconds=4.5), {"means": MEANS})


def with_facts(change: Any) -> bytes:
    with np.load(io.BytesIO(packed())) as archive:
        arrays = dict(archive)
    facts = change(json.loads(arrays["facts"].tobytes()))
    file = io.BytesIO()
    np.savez(file, **{**arrays, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)})
    return file.getvalue()


def test_a_state_comes_back_with_its_random_numbers() -> None:
    progress, state = unpack(packed(), RUN)
    assert (progress.step, progress.queue, progress.seconds) == (30, [0, 2], 4.5)
    assert progress.rng.random() == np.random.default_rng(7).random()
    assert np.array_equal(state["means"], MEANS)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda _: 5, id="facts that are a number"),
        pytest.param(lambda _: None, id="facts that are null"),
        pytest.param(lambda facts: [facts], id="facts in a list"),
        pytest.param(lambda facts: {key: facts[key] for key in facts if key != "run"}, id="no run"),
        pytest.param(lambda facts: {key: facts[key] for key in facts if key != "rng"}, id="no random numbers"),
        pytest.param(lambda facts: {**facts, "rng": {"bit_generator": "PCG64"}}, id="half of the random numbers"),
        pytest.param(lambda facts: {**facts, "rng": 5}, id="random numbers that are one"),
        pytest.param(lambda facts: {**facts, "stars": 5}, id="a field too many"),
        pytest.param(lambda facts: {**facts, "step": -1}, id="a negative step"),
        pytest.param(lambda facts: {**facts, "step": "30"}, id="a step as text"),
        pytest.param(lambda facts: {**facts, "queue": [3]}, id="a photo that is not there"),
        pytest.param(lambda facts: {**facts, "queue": None}, id="no queue"),
        pytest.param(lambda facts: {**facts, "seconds": [1]}, id="seconds that are a list"),
        pytest.param(lambda facts: {**facts, "version": 1}, id="another version"),
        pytest.param(lambda facts: {**facts, "run": {}}, id="another run"),
    ],
)
def test_other_facts_are_a_mismatch(change: Any) -> None:
    with pytest.raises(CheckpointMismatch):
        unpack(with_facts(change), RUN)


@pytest.mark.parametrize("data", [b"", b"PK", packed()[:-40], packed()[:200]], ids=["empty", "short", "cut", "head"])
def test_other_bytes_are_a_mismatch(data: bytes) -> None:
    with pytest.raises(CheckpointMismatch):
        unpack(data, RUN)
