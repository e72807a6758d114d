"""What `splat adopt` finds, and what it rejects with which message."""

from __future__ import annotations

import pytest

from scripts.splat_cli.errors import CommandError, ServiceError
from tests.unit.scripts.splat_cli.adopt.services import find_existing


def test_all_three_are_found_with_the_keys_that_adopt_them() -> None:
    found = find_existing(endpoint="splat", bucket="splats", script="splat-api")
    assert found.keys == {
        "photo-splat:adoptEndpointId": "ep1",
        "photo-splat:bucketName": "splats",
        "photo-splat:adoptBucket": "true",
        "photo-splat:scriptName": "splat-api",
        "photo-splat:adoptScript": "true",
    }
    assert found.rows == (
        ("endpoint", "splat -fb (ep1)", "1 to 3 workers, image ghcr.io/team/hand:1"),
        ("bucket", "splats", "jurisdiction default, region WEUR, created 2026-04-02"),
        ("script", "splat-api", "bindings: BUCKET, RUNPOD_KEY"),
    )


def test_one_alone_can_be_adopted_and_an_endpoint_by_its_id() -> None:
    assert find_existing(endpoint="ep3").keys == {"photo-splat:adoptEndpointId": "ep3"}
    assert find_existing(bucket="european", jurisdiction="eu").keys["photo-splat:bucketName"] == "european"
    assert find_existing(bucket="ours2").keys["photo-splat:bucketName"] == "ours2"


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ({}, "There is nothing to adopt.", "--endpoint NAME_OR_ID"),
        (
            {"endpoint": "gone"},
            "no endpoint 'gone'. It has: balancer, ours, processors, splat -fb, twice",
            "right account",
        ),
        ({"endpoint": "twice"}, "2 endpoints are named 'twice': ep2 (created 2026-05-01), ep3", "--endpoint ID"),
        ({"endpoint": "ours"}, "Endpoint ep4 belongs to another stack of this project", "variable SPLAT_DEPLOYMENT"),
        ({"endpoint": "balancer"}, "Endpoint ep5 has type LOAD_BALANCER", "leave out --endpoint"),
        ({"endpoint": "processors"}, "Endpoint ep6 has type QUEUE and no GPU", "leave out --endpoint"),
        ({"bucket": "gone"}, "no bucket 'gone' in any jurisdiction", "cloudflareAccountId"),
        ({"bucket": "european"}, "'european' is in jurisdiction eu, but the stack uses default", "jurisdiction eu"),
        ({"script": "gone"}, "no script 'gone'. It has: blog, ours, splat-api", "name one of these"),
        (
            {"bucket": "ours"},
            "Bucket ours belongs to another stack of this project",
            "set bucketName and adoptBucket by hand",
        ),
        (
            {"script": "ours"},
            "Script ours belongs to another stack of this project",
            "set scriptName and adoptScript by hand",
        ),
    ],
)
def test_what_cannot_be_adopted_is_rejected_with_what_exists(wanted: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(CommandError) as caught:
        find_existing(**wanted)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"key": "rpa_WRONG", "endpoint": "splat"}, "runpod:apiKey"),
        ({"token": "wrong-token", "script": "splat-api"}, "cloudflare:apiToken needs edit on Workers Scripts"),
        ({"token": "wrong-token", "bucket": "splats"}, "cloudflare:apiToken needs edit on Workers R2 Storage"),
    ],
)
def test_a_wrong_key_is_reported_by_its_name_and_never_shown(given: dict[str, str], message: str) -> None:
    with pytest.raises(ServiceError) as caught:
        find_existing(**given)
    assert message in caught.value.message
    assert not any(value in caught.value.message for name, value in given.items() if name in {"key", "token"})
