"""Faults mixed from a seed, as long as SPLAT_SOAK_MINUTES. SPLAT_SOAK_STEP runs one step only."""

from __future__ import annotations

import os
import time

import pytest

from tests.chaos.cloud import Cloud
from tests.chaos.soak import carry_out, plan

MINUTES = float(os.environ.get("SPLAT_SOAK_MINUTES", "1"))
SEED = int(os.environ.get("SPLAT_SOAK_SEED", "1"))
STEP = os.environ.get("SPLAT_SOAK_STEP")
STEP_LIMIT_S = 900


@pytest.mark.local_cloud
@pytest.mark.slow
@pytest.mark.timeout(MINUTES * 60 + STEP_LIMIT_S)
def test_every_mix_of_faults_ends_whole(cloud: Cloud) -> None:
    end = time.monotonic() + MINUTES * 60
    number = int(STEP or 0)
    while True:
        step = plan(SEED, number)
        try:
            print(f"{step} -> {carry_out(cloud, step)}", flush=True)
        except Exception as error:
            pytest.fail(f"{step}\n{error}\nReplay: scripts/test soak --seed {SEED} --step {number}", pytrace=True)
        number += 1
        if STEP is not None or time.monotonic() > end:
            return


def test_a_seed_and_a_step_are_always_the_same_mix() -> None:
    assert [plan(7, n) for n in range(50)] == [plan(7, n) for n in range(50)]
    assert {str(plan(7, n)) for n in range(50)} != {str(plan(8, n)) for n in range(50)}
    assert {step.stage for step in (plan(7, n) for n in range(100))} >= {"download", "train", "result"}
