"""From photos to a scene on one machine: real engine, real worker process, real bytes in the bucket.
Not tested here: a GPU, and the real clouds."""

from __future__ import annotations

import json
import os
import struct
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.conftest import JOB_LIMIT_S, ROOT, LocalStack, need

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.timeout(JOB_LIMIT_S + 300)]

# edge_worker/shared/photo-types.ts
PART_BYTES = 8 << 20


@pytest.fixture(scope="module")
def finished(local_stack: LocalStack) -> subprocess.CompletedProcess[str]:
    """One job from the command line, as a user runs it."""
    return local_stack.splat(
        "reconstruct", str(local_stack.photos_dir), "--name", "From the command line", "--json", limit_s=JOB_LIMIT_S
    )


def test_stdout_holds_the_report_and_nothing_else(finished: subprocess.CompletedProcess[str]) -> None:
    assert finished.returncode == 0, finished.stderr
    report = json.loads(finished.stdout)
    assert report["version"] == 1


def test_every_sample_photo_is_registered(finished: subprocess.CompletedProcess[str], local_stack: LocalStack) -> None:
    photos = json.loads(finished.stdout)["photos"]
    assert photos["given"] == len(list(local_stack.photos_dir.iterdir()))
    assert photos["registered"] == photos["given"], photos["rejected"]


def test_the_scene_looks_like_the_held_out_photos(finished: subprocess.CompletedProcess[str]) -> None:
    metrics = json.loads(finished.stdout)["metrics"]
    # A grey picture has about 11 dB here, a picture blurred beyond recognition about 16.
    assert metrics["psnr_db"] > 19
    assert 0.5 < metrics["ssim"] < 1
    assert metrics["held_out"]


def test_the_price_is_an_estimate_that_adds_up(finished: subprocess.CompletedProcess[str]) -> None:
    report = json.loads(finished.stdout)
    price = report["price"]
    assert price["estimate"] is True
    assert price["usd"] == pytest.approx(price["usd_per_s"] * price["billed_s"], rel=1e-3)
    assert price["billed_s"] >= sum(stage["seconds"] for stage in report["stages"]) * 0.95
    assert [stage["stage"] for stage in report["stages"]] == ["download", "photos", "sfm", "train", "export", "upload"]


def test_the_artifacts_are_in_the_bucket_and_whole(
    finished: subprocess.CompletedProcess[str], local_stack: LocalStack, tmp_path: Path
) -> None:
    project = json.loads(local_stack.splat("scenes", "--json").stdout)[0]
    assert local_stack.splat("download", project["id"], str(tmp_path)).returncode == 0
    names = {path.name for path in tmp_path.iterdir()}
    scene = tmp_path / project["name"]
    assert {f"{scene.name}{end}" for end in (".ply", "-poster.webp", "-cameras.json", "-report.json")} <= names
    assert names & {f"{scene.name}.sog", f"{scene.name}.spz"}
    header = Path(f"{scene}.ply").read_bytes()[:400]
    assert header.startswith(b"ply\nformat binary_little_endian")
    gaussians = json.loads(finished.stdout)["metrics"]["gaussians"]
    assert f"element vertex {gaussians}".encode() in header
    poster = Path(f"{scene}-poster.webp").read_bytes()
    assert poster[8:12] == b"WEBP"
    assert struct.unpack("<I", poster[4:8])[0] + 8 == len(poster)
    cameras = json.loads(Path(f"{scene}-cameras.json").read_text())
    assert len(cameras["cameras"]) == len(list(local_stack.photos_dir.iterdir()))


def test_an_edit_is_applied_to_every_file_by_a_job_without_training(
    finished: subprocess.CompletedProcess[str], local_stack: LocalStack, tmp_path: Path
) -> None:
    before = json.loads(finished.stdout)["metrics"]["gaussians"]
    project = json.loads(local_stack.splat("scenes", "--json").stdout)[0]
    crop = {"shape": "sphere", "centre": [0, 0, 0], "radius": 1.2, "keep": "inside", "soft": 0.1}
    recipe = {"version": 2, "up": None, "start": None, "cover": None, "crops": [crop], "floaters": None}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe))
    edited = local_stack.splat(
        "edit", project["id"], str(tmp_path / "recipe.json"), "--also", "glb", "--also", "html", limit_s=JOB_LIMIT_S
    )
    assert edited.returncode == 0, edited.stderr
    assert f"of {before} Gaussians are left" in edited.stderr
    out = tmp_path / "out"
    assert local_stack.splat("download", project["id"], str(out)).returncode == 0
    name = project["name"]
    report = json.loads((out / f"{name}-report.json").read_text())
    left = report["metrics"]["gaussians"]
    assert (0 < left < before, report["edited"]["base"], report["edited"]["gaussians_before"]) == (True, 1, before)
    assert [stage["stage"] for stage in report["stages"]] == ["download", "export", "upload"]
    assert f"element vertex {left}".encode() in (out / f"{name}.ply").read_bytes()[:400]
    files = {path.name.removeprefix(name): path for path in out.iterdir()}
    assert {".ply", ".sog", ".spz", ".glb", ".html", "-poster.webp", "-cameras.json"} <= set(files)
    glb = files[".glb"].read_bytes()
    assert glb[:4] == b"glTF"
    assert b"KHR_gaussian_splatting" in glb[:4000]
    jobs = json.loads(local_stack.splat("jobs", "--json").stdout)
    assert [job["attempt"] for job in jobs if job["project_id"] == project["id"]] == [2, 1]


def test_a_second_preview_reports_no_change(local_stack: LocalStack) -> None:
    done = local_stack.splat("pulumi", "preview", "--expect-no-changes", "--diff")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_api_rejects_a_request_without_a_token(local_stack: LocalStack) -> None:
    answer = httpx.get(f"{local_stack.app_url}/api/projects", trust_env=False)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "UNAUTHENTICATED"


def test_a_sign_in_link_works_once(local_stack: LocalStack) -> None:
    link = local_stack.login_url()
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        assert browser.get(link).status_code == 200
        assert browser.get(f"{local_stack.app_url}/api/session").status_code == 200
    with httpx.Client(trust_env=False, follow_redirects=True) as other:
        other.get(link)
        assert other.get(f"{local_stack.app_url}/api/session").status_code == 401


def test_an_expired_upload_link_is_rejected_with_a_clear_message(local_stack: LocalStack, small_photos: Path) -> None:
    from scripts.splat_cli.edge_client import EdgeClient, Upload
    from scripts.splat_cli.errors import ServiceError
    from scripts.splat_cli.photos import Photo

    photo_path = sorted(small_photos.iterdir())[0]
    with EdgeClient(local_stack.app_url, local_stack.token()) as client:
        project = client.create_project("expired")
        photo = Photo(path=photo_path, name=photo_path.name, type="image/jpeg", size_bytes=photo_path.stat().st_size)
        fresh = client.request_uploads(project.id, [photo])[0]
        # The same URL, as if it had been signed in 2020: long past its X-Amz-Expires.
        url = httpx.URL(fresh.url)
        scope = url.params["X-Amz-Credential"].replace(url.params["X-Amz-Date"][:8], "20200101")
        stale = url.copy_merge_params({"X-Amz-Date": "20200101T000000Z", "X-Amz-Credential": scope})
        answer = httpx.put(stale, content=photo_path.read_bytes(), headers=fresh.headers, trust_env=False)
        assert (answer.status_code, "ExpiredRequest" in answer.text) == (403, True), answer.text
        with pytest.raises(ServiceError, match="was not uploaded: the storage answered 403") as caught:
            client.put(Upload(name=fresh.name, as_=fresh.as_, url=str(stale), headers=fresh.headers), photo_path)
        assert "X-Amz" not in str(caught.value)
        client.delete_project(project.id)


@pytest.fixture(scope="module")
def filmed(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """One job from a clip of a walk along the drawn scene, with a still and a shaken part. It goes up in two parts:
    padding makes it larger than one."""
    clip = tmp_path_factory.mktemp("film") / "walk.mp4"
    draw = (
        "from pathlib import Path; from tests.unit.splat_worker.video.drawn_clip import encode, film; "
        f"encode(Path({str(clip)!r}), film(width=320, height=240, steps=54).frames)"
    )
    python = ROOT / ".venv-worker/bin/python"
    need(python, hint="run scripts/bootstrap")
    path = f"{ROOT}:{ROOT / 'worker_image/src'}"
    subprocess.run([str(python), "-c", draw], cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, check=True)
    with clip.open("ab") as file:
        file.write(struct.pack(">I4s", PART_BYTES, b"free") + bytes(PART_BYTES - 8))
    return local_stack.splat("reconstruct", str(clip), "--json", limit_s=JOB_LIMIT_S)


def test_a_clip_becomes_a_scene(filmed: subprocess.CompletedProcess[str]) -> None:
    assert filmed.returncode == 0, filmed.stderr
    assert "up to 20 frames of 1 clip, preset preview: about" in filmed.stderr
    report = json.loads(filmed.stdout)
    # A grey picture of this scene has about 11 dB.
    assert report["metrics"]["psnr_db"] > 19
    assert report["photos"]["registered"] == report["photos"]["given"], report["photos"]["rejected"]


def test_the_report_lists_the_seconds_that_were_used_and_why_others_were_not(
    filmed: subprocess.CompletedProcess[str],
) -> None:
    [video] = json.loads(filmed.stdout)["videos"]
    assert 12 <= len(video["used_s"]) <= 20
    still, shaken = (1.2, 3.2), (4.4, 5.4)
    assert sum(still[0] < moment < still[1] for moment in video["used_s"]) <= 1
    assert not any(shaken[0] + 0.1 < moment < shaken[1] - 0.1 for moment in video["used_s"])
    reasons = {one["code"]: (one["from_s"], one["to_s"]) for one in video["dropped"]}
    assert reasons["BLURRED"] == pytest.approx(shaken, abs=0.15)
    assert len(reasons) == 2, video["dropped"]


def test_a_known_length_sets_the_real_size(
    filmed: subprocess.CompletedProcess[str], local_stack: LocalStack, tmp_path: Path
) -> None:
    assert filmed.returncode == 0, filmed.stderr
    scene = json.loads(local_stack.splat("scenes", "--json").stdout)[0]["id"]
    done = local_stack.splat("scale", scene, "--length", "3", "--from", "-0.5,0,0", "--to", "1,0,0")
    assert "One unit of the scene is 2.0 m." in done.stderr, done.stderr
    assert local_stack.splat("edit", scene, "--out", str(tmp_path / "out")).returncode == 0
    assert json.loads((tmp_path / "out/cameras.json").read_text())["metres_per_unit"] == 2
