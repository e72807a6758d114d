"""A bucket cannot move: every change of its place is rejected."""

from __future__ import annotations

import pytest

from infra.cloudflare.bucket_placement import BucketPlacementProvider

PLACE = {"accountId": "a" * 32, "bucket": "splats", "jurisdiction": "eu", "location": "weur"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("accountId", "b" * 32, "photo-splat:cloudflareAccountId was aaaa"),
        ("bucket", "scenes", "photo-splat:bucketName was splats and cannot become scenes: a bucket cannot be renamed"),
        ("jurisdiction", "default", "photo-splat:jurisdiction was eu and cannot become default: Cloudflare fixes it"),
        ("location", "enam", "photo-splat:bucketLocation was weur and cannot become enam: it applies only when"),
        ("location", "", "photo-splat:bucketLocation was weur and cannot become not set"),
    ],
)
def test_a_bucket_that_would_have_to_move_is_rejected_with_the_reason(name: str, value: str, says: str) -> None:
    [failure] = BucketPlacementProvider().check(PLACE, {**PLACE, name: value}).failures or []
    assert failure.property == name
    assert failure.reason.startswith(says)
    assert "create a second stack there and copy the objects" in failure.reason


def test_a_new_or_unchanged_bucket_is_accepted() -> None:
    assert not BucketPlacementProvider().check({}, PLACE).failures
    assert not BucketPlacementProvider().check(PLACE, dict(PLACE)).failures
