"""Job objects for a worker, a caller and a webhook."""

from __future__ import annotations

import json

import pytest

from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import JobApiError
from local_cloud.runpod.jobs import wire
from local_cloud.runpod.jobs.model import Status

from ..samples import job


def test_a_worker_gets_every_key_of_the_body_but_the_callers_id() -> None:
    one = job(request={"input": {"a": 1}, "webhook": "http://x", "s3Config": {"b": 2}, "id": "mine"})
    assert wire.job_for_worker(one) == {
        "id": one.id,
        "input": {"a": 1},
        "webhook": "http://x",
        "s3Config": {"b": 2},
    }


def test_an_empty_input_is_dropped_on_the_way() -> None:
    assert wire.job_for_worker(job(request={"input": {}})) == {"id": "job-0"}


def test_a_job_object_has_only_known_fields() -> None:
    one = job()
    assert wire.job_to_wire(one, now_s=103) == {"id": "job-0", "status": "IN_QUEUE", "delayTime": 3000}
    one.start("w", now_s=104.5, wall_s=0)
    assert wire.job_to_wire(one, now_s=110) == {
        "id": "job-0",
        "status": "IN_PROGRESS",
        "delayTime": 4500,
        "workerId": "w",
    }
    one.finish(Status.COMPLETED, now_s=106, output=None)
    told = wire.job_to_wire(one, now_s=110)
    assert (told["executionTime"], told["output"]) == (1500, None)
    assert "error" not in told


def test_a_long_text_part_is_split_into_parts_that_fit() -> None:
    text = "ä\U0001f600" * limits.STREAM_CHUNK_MAX_BYTES
    parts = wire.split_chunk(text)
    assert "".join(parts) == text
    assert max(len(part.encode()) for part in parts) <= limits.STREAM_CHUNK_MAX_BYTES
    assert wire.split_chunk({"a": 1}) == [{"a": 1}]


@pytest.mark.parametrize("text", ["NaN", '{"a": Infinity}', "[]", "1", "", "{" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(text: str) -> None:
    with pytest.raises(JobApiError):
        wire.parse_object(text.encode())


def test_the_ttl_of_the_query_wins_over_the_bodys() -> None:
    raw = json.dumps({"input": {"a": 1}, "policy": {"ttl": 20_000}}).encode()
    assert wire.parse_submission(raw, ttl_query="30000").policy.ttl_ms == 30_000
    assert wire.parse_submission(raw, ttl_query=None).policy.ttl_ms == 20_000
