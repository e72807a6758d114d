"""The job contract: the worker accepts and produces the examples under docs/contracts.
Silent failures: an edge that sends a field the worker rejects, a message that quotes a presigned URL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from splat_worker.contract.job_input import CONTENT_TYPES, JobInput, Preset, parse_input
from splat_worker.contract.job_report import FailedOutput, Failure, Report
from splat_worker.contract.schema import SCHEMAS, schema_text
from splat_worker.errors import HINTS, Code, JobError, Stage
from splat_worker.progress import Event, Preview

CONTRACTS = Path(__file__).parents[4] / "docs/contracts"
SECRET = "X-Amz-Signature=deadbeef"


def example(name: str) -> Any:
    return json.loads((CONTRACTS / name).read_text())


def plain(**changes: Any) -> dict[str, Any]:
    base = {
        "project_id": "p1",
        "image_urls": [f"https://photos.example/{i}?{SECRET}" for i in range(5)],
        "upload_url": f"https://bucket.example/scene?{SECRET}",
    }
    return {**base, **changes}


def test_the_published_job_input_is_accepted_without_loss() -> None:
    given = example("job-input.json")
    job = parse_input(given)
    assert job.model_dump(mode="json", include=set(given), exclude_unset=True) == given


def test_a_report_serialises_to_the_published_example() -> None:
    given = example("job-report.json")
    written = Report.model_validate(given).model_dump(mode="json")
    assert {key: written[key] for key in given if key not in ("metrics", "stages", "price")} == {
        key: given[key] for key in given if key not in ("metrics", "stages", "price")
    }
    assert given["metrics"].items() <= written["metrics"].items()
    assert given["price"].items() <= written["price"].items()
    assert [stage["stage"] for stage in written["stages"]] == [stage.value for stage in Stage]


def test_a_failure_serialises_to_the_published_example() -> None:
    given = example("job-failure.json")
    error = JobError(Code.TOO_FEW_PHOTOS, given["error"]["message"], stage=Stage.PHOTOS)
    assert FailedOutput(error=Failure.of(error)).model_dump(mode="json") == given


def test_an_event_serialises_to_the_published_progress_message() -> None:
    given = example("progress.json")
    event = Event(stage=Stage.TRAIN, fraction=0.42, message=given["message"], eta_s=71.2)
    job = {"project_id": "p_7f3kq2m9x4", "attempt": 1, "runpod_id": given["runpod_id"]}
    assert {**job, "seq": 12, **event.wire()} == given


def test_a_preview_in_a_progress_message_names_its_artifact_and_number() -> None:
    event = Event(stage=Stage.TRAIN, fraction=2.0, message="", preview=Preview(artifact="preview.sog", seq=3))
    wire = event.wire()
    assert wire["preview"] == {"artifact": "preview.sog", "seq": 3}
    assert wire["fraction"] == 1.0


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_schema_equals_the_generated_schema(name: str) -> None:
    assert (CONTRACTS / name).read_text() == schema_text(SCHEMAS[name]), (
        "run: python -m splat_worker.contract.schema docs/contracts"
    )


def test_every_artifact_of_the_example_has_a_content_type() -> None:
    assert set(example("job-input.json")["outputs"]) <= set(CONTENT_TYPES)


def test_the_plain_form_expands_to_the_full_form_with_one_output() -> None:
    job = parse_input(plain(iterations=700, webhook_url="https://hook.example/x"))
    assert isinstance(job, JobInput)
    assert [photo.name for photo in job.photos] == ["0001", "0002", "0003", "0004", "0005"]
    assert set(job.outputs) == {"scene.ply"}
    assert job.train.as_dict() == {"steps": 700}
    assert job.preset is Preset.PREVIEW
    assert job.webhook_url == "https://hook.example/x"


BAD = [
    ("nothing", None, "input is NoneType"),
    ("a list", [], "input is list"),
    ("an empty object", {}, "version"),
    ("another version", {**example("job-input.json"), "version": 2}, "version"),
    ("no photos", {**example("job-input.json"), "photos": []}, "photos"),
    ("no outputs", {**example("job-input.json"), "outputs": {}}, "outputs"),
    ("an unknown output", {**example("job-input.json"), "outputs": {"scene.obj": "https://x.example"}}, "outputs"),
    ("an unknown key", {**example("job-input.json"), "quality": 3}, "quality"),
    ("an unknown preset", {**example("job-input.json"), "preset": "ultra"}, "preset"),
    ("a project id with a path", {**example("job-input.json"), "project_id": "../x"}, "project_id"),
    ("a negative limit", {**example("job-input.json"), "limits": {"max_seconds": -1}}, "limits.max_seconds"),
    ("NaN as a limit", {**example("job-input.json"), "limits": {"max_seconds": float("nan")}}, "limits.max_seconds"),
    ("steps beyond reason", {**example("job-input.json"), "train": {"steps": 10**9}}, "train.steps"),
    ("a cost ceiling without a rate", {**example("job-input.json"), "price": None}, "max_cost_usd"),
    ("a file address", plain(upload_url=f"file:///etc/passwd?{SECRET}"), "upload_url"),
    ("no upload address", {"project_id": "p", "image_urls": [f"https://x.example?{SECRET}"]}, "upload_url"),
    ("a secret of another kind", {**example("job-input.json"), "progress": {"url": "https://x.example", "secret": "s"}},
     "progress.secret"),
    ("a photo name with a slash",
     {**example("job-input.json"), "photos": [{"name": "a/b.jpg", "url": f"https://x.example?{SECRET}"}]},
     "photos.0.name"),
    ("one name twice",
     {**example("job-input.json"), "photos": [{"name": "a.jpg", "url": f"https://x.example?{SECRET}"}] * 2},
     "a.jpg"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "where"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_rejected_with_the_field_and_without_its_url(given: Any, where: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_input(given)
    assert caught.value.code is Code.BAD_INPUT
    assert where in caught.value.message
    assert "Signature" not in caught.value.message
    assert "://" not in caught.value.message


@pytest.mark.parametrize(
    ("given", "where", "form"),
    [
        ({"project_id": "p", "upload_url": "https://x.example"}, "image_urls", "plain"),
        ({"project_id": "p", "iterations": 7000}, "image_urls", "plain"),
        (plain(gpu="RTX 4090"), "gpu", "plain"),
        ({"photos": []}, "version", "full"),
        ({}, "version", "full"),
    ],
)
def test_an_error_in_a_job_by_hand_names_the_form_that_was_read_and_the_plain_form(
    given: Any, where: str, form: str
) -> None:
    with pytest.raises(JobError) as caught:
        parse_input(given)
    assert where in caught.value.message
    assert f"This is read as the {form} form." in caught.value.message
    assert "The plain form takes project_id, image_urls and upload_url" in str(caught.value.hint)


def test_the_repr_of_a_job_shows_no_url() -> None:
    text = repr(parse_input(example("job-input.json"))) + repr(parse_input(plain(webhook_url="https://h.example")))
    assert "://" not in text
    assert "whsec_" not in text


def test_every_failure_code_of_the_contract_exists_and_has_a_hint() -> None:
    prose = (CONTRACTS.parent / "contracts.md").read_text()
    line = next(line for line in prose.splitlines() if line.startswith("- Failure codes:"))
    assert all(f"`{code}`" in line for code in Code)
    assert line.split("The handler")[0].count("`") == 2 * len(Code)
    assert set(HINTS) == set(Code)
