"""The input of a job: both forms, with fields that are missing, doubled, of another type, too long or too deep."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from splat_worker.contract.job_input import JobInput, parse_input
from splat_worker.errors import Code, JobError
from tests.fuzz.mutate import damage_value

FULL: dict[str, Any] = json.loads((Path(__file__).parents[2] / "docs/contracts/job-input.json").read_text())
SIGNED = "https://bucket.example/photo.jpg?X-Amz-Signature=SECRET0SIGNATURE"
PLAIN: dict[str, Any] = {
    "project_id": "p_1",
    "image_urls": [SIGNED, SIGNED.replace("photo", "other")],
    "upload_url": SIGNED,
    "iterations": 7000,
    "webhook_url": SIGNED,
}


def make(rng: random.Random) -> bytes:
    return json.dumps(damage_value(rng, [FULL, PLAIN])).encode()


def check(case: bytes, _: Path) -> None:
    """It is read, or refused with a sentence that holds no address."""
    try:
        assert isinstance(parse_input(json.loads(case)), JobInput)
        return
    except JobError as error:
        refused = error
    assert refused.code is Code.BAD_INPUT
    assert 5 < len(refused.message) < 600, refused.message
    assert "Traceback" not in refused.message
    assert "SECRET0SIGNATURE" not in refused.message
