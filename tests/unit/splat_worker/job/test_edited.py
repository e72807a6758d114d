"""A job that applies an edit, against a real bucket's protocol. Silent failures: a format that keeps the scene before,
cameras or a start view in the old frame, a report that hides the edit."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from splat_worker.contract.edit import StartView, parse_edit
from splat_worker.contract.job_input import EditJobInput, parse_input
from splat_worker.contract.job_report import Report
from splat_worker.edit.recipe import apply_edit
from splat_worker.edit.turn import rotation_of, upright
from splat_worker.errors import Code, JobError, Stage
from splat_worker.export.files import read_back
from splat_worker.export.ply import read_ply, write_ply
from splat_worker.job.edited.run import run_edit
from splat_worker.job.edited.views import start_camera
from splat_worker.progress import Event
from splat_worker.transfer.transfer import Transfer

sys.path.insert(0, str(Path(__file__).parents[1] / "train"))
from scenes import blobs, looking_at_origin

EXAMPLES = Path(__file__).parents[4] / "docs/contracts"
UP = [0.6, -0.8, 0.0]
START = {"position": [0.0, -0.5, -3.0], "target": [0.0, 0.0, 0.0], "fov": 60.0}
RECIPE: dict[str, Any] = {
    "version": 2,
    "up": UP,
    "start": START,
    "cover": 3,
    "crops": [{"shape": "sphere", "centre": [0, 0, 0], "radius": 0.7, "keep": "inside", "soft": 0.0}],
    "floaters": None,
}
SUBJECT = {"centre": [0.1, 0.2, 0.3], "half": [0.5, 0.5, 0.5], "quat": [1, 0, 0, 0], "soft": 0.1, "alone": False}
TILTED = "The scene may be tilted: the photos do not show clearly which way is up."


def bucket_with_scene(server: Any, folder: Path) -> None:
    """Attempt 1 of a project, as a worker left it."""
    camera = looking_at_origin(0.4, 96, 64)
    pose = {"position": camera.centre.tolist(), "rotation": camera.world_to_camera[:3, :3].T.tolist()}
    lens = {"width": 96, "height": 64, "fx": camera.k[0, 0], "fy": camera.k[1, 1], "cx": 48, "cy": 32}
    cameras = {"version": 1, "up": [0, -1, 0], "up_known": False, "target": [0, 0, 0], "start": "1.jpg"}
    cameras |= {"cameras": [{"name": "1.jpg", **pose, **lens}], "subject": SUBJECT, "scene_to_enu": np.eye(4).tolist()}
    report = json.loads((EXAMPLES / "job-report.json").read_text())
    report |= {"project_id": "p", "warnings": [TILTED, "Another warning."]}
    write_ply(folder / "scene.ply", blobs(400))
    server.objects |= {
        "/1/scene.ply": (folder / "scene.ply").read_bytes(),
        "/1/cameras.json": json.dumps(cameras).encode(),
        "/1/report.json": json.dumps(report).encode(),
    }


def job_for(server: Any, recipe: dict[str, Any]) -> EditJobInput:
    given = json.loads((EXAMPLES / "job-input-edit.json").read_text())
    files = {"scene_url": "scene.ply", "cameras_url": "cameras.json", "report_url": "report.json"}
    given["edit"] |= {"recipe": recipe, **{key: f"{server.url}/1/{name}" for key, name in files.items()}}
    given |= {"project_id": "p", "outputs": {name: f"{server.url}/2/{name}" for name in given["outputs"]}}
    job = parse_input(given)
    assert isinstance(job, EditJobInput)
    return job


@pytest.fixture
def transfer(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    with Transfer(allow_private=True, sleep=lambda _: None) as opened:
        yield opened


def test_every_format_cameras_poster_and_report_hold_the_edited_scene(  # type: ignore[no-untyped-def]
    runpod_server, transfer: Transfer, tmp_path: Path
) -> None:
    bucket_with_scene(runpod_server, tmp_path)
    events: list[Event] = []
    (tmp_path / "scratch").mkdir()
    report = run_edit(job_for(runpod_server, RECIPE), tmp_path / "scratch", events.append, transfer)

    made = {path.removeprefix("/2/"): body for path, body in runpod_server.objects.items() if path.startswith("/2/")}
    assert set(made) == {
        *("scene.ply", "scene.sog", "scene.spz", "scene.glb", "scene.html"),
        *("poster.webp", "thumbnail.webp", "cameras.json", "report.json"),
    }
    for name, body in made.items():
        (tmp_path / name).write_bytes(body)
    wanted = apply_edit(blobs(400), parse_edit(RECIPE))
    assert 0 < len(wanted) < 400
    for name in ("scene.ply", "scene.sog", "scene.spz"):
        back = read_ply(tmp_path / name) if name == "scene.ply" else read_back(tmp_path / name, tmp_path, threads=1)
        assert np.sort(back.means[:, 0]) == pytest.approx(np.sort(wanted.means[:, 0]), abs=2e-3)
    with Image.open(tmp_path / "poster.webp") as poster:
        corner, middle = poster.convert("RGBA").getpixel((2, 2)), poster.convert("RGBA").getpixel((480, 320))
        assert isinstance(corner, tuple)
        assert isinstance(middle, tuple)
        assert corner[3] == 0, "nothing is left around a crop"
        assert middle[3] > 200

    turn = rotation_of(upright(UP))
    cameras = json.loads(made["cameras.json"])
    assert np.array(cameras["subject"]["centre"]) == pytest.approx(turn @ SUBJECT["centre"], abs=1e-6)
    assert rotation_of(cameras["subject"]["quat"]) == pytest.approx(turn, abs=1e-6)
    # A turned point is where it was on Earth.
    assert np.array(cameras["scene_to_enu"])[:3, :3] @ turn == pytest.approx(np.eye(3), abs=1e-6)

    assert Report.model_validate_json(made["report.json"]) == report
    assert report.edited is not None
    assert (report.attempt, report.edited.base, report.edited.gaussians_before) == (2, 1, 400)
    assert report.edited.recipe == parse_edit(RECIPE)
    assert report.edited.start is not None
    assert report.edited.start.position == pytest.approx(turn @ START["position"], abs=1e-5)
    assert (report.metrics.gaussians, report.metrics.psnr_db) == (len(wanted), 26.41)
    assert set(report.metrics.export_fidelity_db) == {"scene.sog", "scene.spz"}
    assert report.up is not None
    assert (report.up.source, report.up.known) == ("edit", True)
    assert report.warnings == ("Another warning.",)
    assert report.size is None, "width and height were measured before the turn"
    assert report.price is not None
    assert [stage.stage for stage in report.stages] == [Stage.DOWNLOAD, Stage.EXPORT, Stage.UPLOAD]
    assert report.price.billed_s == pytest.approx(sum(stage.seconds for stage in report.stages), abs=0.1)
    assert events[-1].message == "Done"


@pytest.mark.parametrize(
    ("break_it", "code", "words"),
    [
        (lambda objects: objects.pop("/1/scene.ply"), Code.DOWNLOAD_FAILED, "Could not download scene.ply"),
        (lambda objects: objects.update({"/1/scene.ply": b"ply\nnot"}), Code.BAD_INPUT, "damaged or incomplete"),
        (lambda objects: objects.update({"/1/cameras.json": b'{"cameras": []}'}), Code.BAD_INPUT, "damaged"),
    ],
    ids=["no scene", "a damaged scene", "no cameras"],
)
def test_a_scene_that_cannot_be_read_fails_with_a_code_and_leaves_nothing(  # type: ignore[no-untyped-def]  # noqa: PLR0917
    runpod_server, transfer: Transfer, tmp_path: Path, break_it: Any, code: Code, words: str
) -> None:
    bucket_with_scene(runpod_server, tmp_path)
    break_it(runpod_server.objects)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(JobError) as caught:
        run_edit(job_for(runpod_server, RECIPE), tmp_path / "scratch", lambda _: None, transfer)
    assert (caught.value.code, words in caught.value.message) == (code, True)
    assert not [path for path in runpod_server.objects if path.startswith("/2/")]


def test_a_known_length_is_in_cameras_and_report(runpod_server, transfer: Transfer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bucket_with_scene(runpod_server, tmp_path)
    (tmp_path / "scratch").mkdir()
    recipe = {**RECIPE, "up": None, "crops": [], "scale": {"points": [[0, 0, 0], [0, 0, 2]], "metres": 26}}
    job = job_for(runpod_server, recipe)
    wanted = {name: url for name, url in job.outputs.items() if name in {"scene.ply", "cameras.json", "report.json"}}
    report = run_edit(job.model_copy(update={"outputs": wanted}), tmp_path / "scratch", lambda _: None, transfer)
    assert json.loads(runpod_server.objects["/2/cameras.json"])["metres_per_unit"] == 13
    assert report.size is not None
    # Before, the photos' positions gave 6.5 m a unit.
    assert (report.size.width_m, report.size.height_m) == (pytest.approx(24.62), pytest.approx(8.04))
    assert (report.size.error, report.size.used) == (None, 0)


def test_a_crop_that_leaves_nothing_fails_with_the_crop(runpod_server, transfer: Transfer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    bucket_with_scene(runpod_server, tmp_path)
    (tmp_path / "scratch").mkdir()
    far = {**RECIPE, "crops": [{**RECIPE["crops"][0], "centre": [99, 0, 0]}]}
    with pytest.raises(JobError) as caught:
        run_edit(job_for(runpod_server, far), tmp_path / "scratch", lambda _: None, transfer)
    assert "edit.crops.0: nothing of the scene is left" in caught.value.message


def test_a_start_view_is_upright_has_its_angle_along_the_longer_side_and_looks_at_its_target() -> None:
    photo = {"name": "1.jpg", "width": 600, "height": 400, "fx": 9, "fy": 9, "cx": 300, "cy": 200}
    start = StartView(position=(1.0, -2.0, -3.0), target=(0.2, 0.1, 0.0), fov=80.0)
    camera = start_camera({"cameras": [photo]}, start)
    assert camera.centre == pytest.approx([1, -2, -3])
    seen = camera.world_to_camera @ [0.2, 0.1, 0.0, 1.0]
    assert seen[:2] == pytest.approx([0, 0], abs=1e-9)
    assert seen[2] > 0
    assert camera.world_to_camera[0, 1] == pytest.approx(0, abs=1e-9), "the horizon is level"
    assert camera.world_to_camera[1, 1] > 0, "down is down"
    assert 2 * np.degrees(np.arctan(300 / camera.k[0, 0])) == pytest.approx(80)
