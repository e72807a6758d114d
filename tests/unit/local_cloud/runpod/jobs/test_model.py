"""The states of a job: which transitions are allowed, and when a job expires."""

from __future__ import annotations

import pytest

from local_cloud.runpod.jobs.model import FINAL, MISSING, Policy, Status

from ..samples import job


@pytest.mark.parametrize("final", sorted(FINAL))
def test_only_a_retry_leaves_a_final_state(final: Status) -> None:
    one = job()
    one.start("w", now_s=101, wall_s=1)
    one.progress({"half": True})
    one.finish(final, now_s=102)
    assert one.output is MISSING
    for again in (
        lambda: one.finish(Status.COMPLETED, now_s=103),
        lambda: one.progress("late"),
        lambda: one.start("v", now_s=103, wall_s=1),
        one.put_back,
    ):
        with pytest.raises(ValueError, match=one.id):
            again()
    assert one.status is final


def test_a_lost_worker_leaves_no_partial_output() -> None:
    one = job()
    one.start("w", now_s=101, wall_s=1)
    one.progress("half")
    one.chunks.append("part")
    one.put_back()
    assert (one.status, one.worker_id, one.output, one.chunks) == (Status.IN_QUEUE, None, MISSING, [])
    assert one.redispatches == 1


def test_the_ttl_counts_from_submission_and_retention_from_the_end() -> None:
    one = job(policy=Policy(ttl_ms=10_000))
    assert one.expires_s() == 110.0
    kept = job(kept_s=60.0)
    kept.start("w", now_s=101, wall_s=1)
    kept.finish(Status.COMPLETED, now_s=200)
    assert kept.expires_s() == 260.0
