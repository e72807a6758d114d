"""The checks of `splat verify-live` on the stand-ins: each gives what it declares, and nothing is left."""

from __future__ import annotations

import pytest

from scripts.splat_cli.verify_live.run import STAGES
from tests.live.conftest import Platforms

pytestmark = pytest.mark.local_cloud


@pytest.mark.parametrize("stage", ["management", "changes", "account"])
def test_the_stand_in_does_what_the_checks_of_a_stage_declare(platforms: Platforms, stage: str) -> None:
    results = platforms.verification(stage).run()
    assert [(one.check, one.platform, one.reason) for one in results if one.verdict != "same"] == []
    assert len(results) == len(STAGES[stage].checks)


def test_the_stand_ins_do_what_the_checks_of_bucket_worker_and_jobs_declare(platforms: Platforms) -> None:
    """Together: the Worker gets the webhook of the job, and the bucket gets its scene."""
    stages = ("buckets", "worker", "jobs")
    results = platforms.verification(*stages).run()
    assert [(one.check, one.platform, one.reason) for one in results if one.verdict != "same"] == []
    assert len(results) == sum(len(STAGES[stage].checks) for stage in stages)
