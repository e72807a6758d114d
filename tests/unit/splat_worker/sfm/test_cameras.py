"""Structure from motion against exactly known cameras, and the frame of the scene.
Silent failures: a ladder that stops early, an upside-down scene, model 0 instead of the best model."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from splat_worker.errors import Code, JobError
from splat_worker.photos.sniff import meant_as_photo
from splat_worker.photos.validation import Photo, Source, prepare
from splat_worker.sfm.cameras import reconstruct, reusable, shaping_settings
from splat_worker.sfm.frame.evidence import UpFrom
from splat_worker.sfm.frame.similarity import UP, find_frame, transform
from splat_worker.sfm.mapping.ladder import LADDER
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.resume import PartialModel, Reusable, copy_database
from splat_worker.sfm.sparse import SparseModel
from splat_worker.sfm.undistort import posed_photos

ROOT = Path(__file__).parents[4]
pytestmark = pytest.mark.slow
SHARED = ROOT.parent / "shared/photos"


def aligned(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """`found` (N, 3) moved onto `truth` by the best similarity (Umeyama 1991)."""
    f, t = found - found.mean(0), truth - truth.mean(0)
    u, s, vt = np.linalg.svd(t.T @ f / len(f))
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    scale = (s * np.diag(sign)).sum() / f.var(0).sum()
    return scale * f @ rotation.T + truth.mean(0)


def error_of_extent(model: SparseModel, truth: dict[str, np.ndarray]) -> float:
    """Largest distance of a camera from its true place, as a share of the extent of all cameras."""
    names = [camera.name for camera in model.cameras]
    true = np.stack([truth[name] for name in names])
    found = aligned(np.stack([camera.centre for camera in model.cameras]), true)
    extent = np.linalg.norm(true.max(0) - true.min(0))
    return float(np.linalg.norm(found - true, axis=1).max() / extent)


def sources_of(folder: Path) -> list[Source]:
    return [Source(name=p.name, path=p) for p in sorted(folder.iterdir()) if meant_as_photo(p)]


def run(folder: Path, work: Path, *, side_px: int = 1000, preset: SfmPreset | None = None) -> tuple:
    prepared = prepare(sources_of(folder), work / "photos", side_max_px=side_px)
    return prepared, reconstruct(preset or SfmPreset(), prepared.photos, work / "sfm")


@pytest.fixture(scope="module")
def solved(still_life, tmp_path_factory):  # type: ignore[no-untyped-def]
    return run(still_life.folder, tmp_path_factory.mktemp("solved"))


@pytest.mark.parametrize(
    "by",
    [
        "COLMAP",
        "the ways of a large set",
        "the ways of a large set, with the GPU's features and matches",
    ],
)
def test_every_camera_of_the_drawn_scene_is_within_half_a_percent(  # type: ignore[no-untyped-def]
    by: str, still_life, solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, model = solved
    if by != "COLMAP":
        monkeypatch.setattr("splat_worker.sfm.matching.pairs.EXHAUSTIVE_MAX", 8)
        monkeypatch.setattr("splat_worker.sfm.mapping.mapper.LARGE_FROM_PHOTOS", 8)
        preset = SfmPreset(gpu="cpu" if "GPU" in by else None)
        _, model = run(still_life.folder, tmp_path, preset=preset)
        assert model.matching == "sequential + retrieval"
    assert len(model.cameras) == len(still_life.names)
    assert error_of_extent(model, dict(zip(still_life.names, still_life.centres, strict=True))) < 0.005
    assert model.reprojection_error_px < 1.0
    assert model.cameras[0].focal_px == pytest.approx(still_life.focal_px, rel=0.03)


def test_the_same_photos_give_bit_identical_cameras_with_any_number_of_threads(  # type: ignore[no-untyped-def]
    still_life, solved, tmp_path: Path
) -> None:
    _, first = solved
    _, again = run(still_life.folder, tmp_path, preset=SfmPreset(threads=3))
    assert [asdict(camera) | {"world_to_camera": 0} for camera in again.cameras] == [
        asdict(camera) | {"world_to_camera": 0} for camera in first.cameras
    ]
    for one, other in zip(first.cameras, again.cameras, strict=True):
        assert np.array_equal(one.world_to_camera, other.world_to_camera)
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.colours, again.colours)


class Stopped(Exception):
    pass


@pytest.mark.parametrize(
    ("after", "expected"),
    [(1, Reusable(photos=8, pairs=0)), (3, Reusable(photos=12, pairs=20)), (6, Reusable(photos=12, pairs=66))],
    ids=["while finding features", "while comparing photos", "while placing cameras"],
)
def test_an_interrupted_search_repeats_nothing_that_its_database_holds(  # noqa: PLR0917
    after: int, expected: Reusable, still_life, solved, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("splat_worker.sfm.matching.match.MATCH_CHUNK", 20)
    prepared = prepare(sources_of(still_life.folder), tmp_path / "photos", side_max_px=1000)
    kept, calls = tmp_path / "kept.db", []

    def keep(database: Path, *, complete: bool, partial: PartialModel | None = None) -> None:
        calls.append(complete)
        if len(calls) == after:
            copy_database(database, kept, descriptors=not complete)
            raise Stopped

    with pytest.raises(Stopped):
        reconstruct(SfmPreset(), prepared.photos, tmp_path / "first", on_matches=keep)
    assert calls == [False] * 5 + [True] if after == 6 else [False] * after
    assert reusable(prepared.photos, kept) == expected
    looked, compared = [], []
    extract, match = pycolmap.extract_features, pycolmap.match_image_pairs

    def extracting(*args, **options):  # type: ignore[no-untyped-def]
        looked.extend(options["image_names"])
        return extract(*args, **options)

    def matching(database, **options):  # type: ignore[no-untyped-def]
        compared.extend(options["pairing_options"].match_list_path.read_text().splitlines())
        return match(database, **options)

    monkeypatch.setattr(pycolmap, "extract_features", extracting)
    monkeypatch.setattr(pycolmap, "match_image_pairs", matching)
    progress: list[tuple[float, str]] = []
    model = reconstruct(
        SfmPreset(),
        prepared.photos,
        tmp_path / "second",
        resume_from=kept,
        on_progress=lambda f, m: progress.append((f, m)),
    )
    _, whole = solved
    assert (len(looked), len(compared)) == (12 - expected.photos, 66 - expected.pairs)
    assert progress[0][0] > 0.3, "progress resumes where the database ends"
    assert [camera.name for camera in model.cameras] == [camera.name for camera in whole.cameras]
    assert error_of_extent(model, dict(zip(still_life.names, still_life.centres, strict=True))) < 0.005
    assert model.reprojection_error_px == pytest.approx(whole.reprojection_error_px, abs=0.02)
    assert len({round(camera.focal_px, 3) for camera in model.cameras}) == 1, "all photos still share one camera"


@pytest.fixture(scope="module")
def lost_while_placing(still_life, tmp_path_factory):  # type: ignore[no-untyped-def]
    """The photos, and the database and partial model of a search that was interrupted while placing cameras."""
    folder = tmp_path_factory.mktemp("lost")
    prepared = prepare(sources_of(still_life.folder), folder / "photos", side_max_px=1000)
    found: list[PartialModel] = []

    def keep(database: Path, *, complete: bool, partial: PartialModel | None = None) -> None:
        if partial is None:
            copy_database(database, folder / "kept.db", descriptors=not complete)
            return
        found.append(partial)
        if len(found) == 2:
            raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("splat_worker.sfm.mapping.mapper.SNAPSHOT_EVERY_PHOTOS", 3)
        with pytest.raises(Stopped):
            reconstruct(SfmPreset(), prepared.photos, folder / "first", on_matches=keep)
    return prepared.photos, folder / "kept.db", found[1]


def placed_in(messages: list[str]) -> list[int]:
    """Photos placed, by progress message."""
    return [int(m.split()[2]) for m in messages if m.startswith("Placing cameras")]


def resume(
    photos: Sequence[Photo], database: Path, partial: PartialModel, folder: Path
) -> tuple[SparseModel, list[str]]:
    """The model and its progress messages."""
    progress: list[str] = []
    model = reconstruct(
        SfmPreset(),
        photos,
        folder,
        on_progress=lambda fraction, message: progress.append(message),
        resume_from=Path(shutil.copy(database, folder / "copy.db")),
        partial=partial,
    )
    return model, progress


def test_cameras_of_a_partial_model_are_not_placed_again(
    lost_while_placing, still_life, solved, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    photos, database, partial = lost_while_placing
    model, progress = resume(photos, database, partial, tmp_path)
    partial.write(tmp_path / "model")
    before = pycolmap.Reconstruction(tmp_path / "model").num_reg_images()
    assert before >= 6
    assert placed_in(progress) == list(range(before + 1, 13))
    _, whole = solved
    assert [camera.name for camera in model.cameras] == [camera.name for camera in whole.cameras]
    assert model.rung == whole.rung == partial.rung
    assert error_of_extent(model, dict(zip(still_life.names, still_life.centres, strict=True))) < 0.005
    assert model.reprojection_error_px == pytest.approx(whole.reprojection_error_px, abs=0.02)


@pytest.mark.parametrize("harm", ["no files", "truncated", "noise", "another rung's"])
def test_an_unusable_partial_model_is_ignored(harm: str, lost_while_placing, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photos, database, partial = lost_while_placing
    harmed = {
        "no files": PartialModel(rung=partial.rung, files={}),
        "truncated": PartialModel(
            rung=partial.rung, files={name: part[: len(part) // 2] for name, part in partial.files.items()}
        ),
        "noise": PartialModel(rung=partial.rung, files=dict.fromkeys(partial.files, b"\x01noise" * 50)),
        "another rung's": PartialModel(rung="global", files=partial.files),
    }[harm]
    model, progress = resume(photos, database, harmed, tmp_path)
    assert placed_in(progress) == list(range(3, 13))
    assert len(model.cameras) == 12


def test_the_shaping_settings_depend_on_the_feature_size_and_the_ladder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base = shaping_settings(SfmPreset())
    assert base == shaping_settings(SfmPreset(threads=7)), "threads do not shape the result"
    assert base != shaping_settings(SfmPreset(extract_max_px=800))
    monkeypatch.setattr("splat_worker.sfm.cameras.LADDER", LADDER[1:])
    assert base != shaping_settings(SfmPreset())


@pytest.fixture(scope="module")
def two_exposures(still_life, tmp_path_factory):  # type: ignore[no-untyped-def]
    """Every second photo at a third of the light, which a tone curve of 0.45 makes 0.6 times as bright."""
    folder = tmp_path_factory.mktemp("two exposures")
    for i, name in enumerate(still_life.names):
        photo = Image.open(still_life.folder / name)
        exif = photo.getexif()
        seconds = 0.01 * (0.6 ** (1 / 0.45) if i % 2 else 1.0)
        tags = {Base.ExposureTime: seconds, Base.FNumber: 8.0, Base.ISOSpeedRatings: 100}
        exif.get_ifd(IFD.Exif).update({int(tag): value for tag, value in tags.items()})
        photo.point(lambda v, share=0.6 if i % 2 else 1.0: v * share).save(folder / name, exif=exif, quality=95)
    return run(folder, tmp_path_factory.mktemp("work"))


def test_photos_of_two_exposures_have_the_gains_that_their_tags_and_matches_say(two_exposures) -> None:  # type: ignore[no-untyped-def]
    prepared, model = two_exposures
    posed = posed_photos(model, {photo.name: photo.path for photo in prepared.photos})
    gains = np.array([view.gain for view in posed.views])
    assert gains[1::2] / gains[::2] == pytest.approx(0.6, abs=0.03)
    assert [view.gain_of_tags for view in posed.views] == gains.tolist()
    assert SparseModel.from_bytes(model.to_bytes()).cameras[1].gain == gains[1]


def test_photos_of_one_exposure_have_no_gain(solved) -> None:  # type: ignore[no-untyped-def]
    assert {(camera.gain, camera.gain_of_tags) for camera in solved[1].cameras} == {(1.0, 1.0)}


def test_the_colour_of_a_point_is_the_mean_of_the_photos_that_see_it(two_exposures) -> None:  # type: ignore[no-untyped-def]
    """COLMAP takes the colour of the first photo, which of two exposures is either one by chance."""
    prepared, model = two_exposures
    posed = posed_photos(model, {photo.name: photo.path for photo in prepared.photos})
    often = model.tracks >= 8
    seen = np.full((len(posed.views), often.sum()), np.nan)
    for of_view, view in zip(seen, posed.views, strict=True):
        p = model.points[often] @ view.world_to_camera[:3, :3].T + view.world_to_camera[:3, 3]
        uv = ((p @ view.k.T)[:, :2] / p[:, 2:]).astype(int)
        height, width = view.image.shape[:2]
        inside = (p[:, 2] > 0) & (uv >= 0).all(axis=1) & (uv[:, 0] < width) & (uv[:, 1] < height)
        of_view[inside] = view.image[uv[inside, 1], uv[inside, 0]].mean(axis=1)
    dark, bright = np.nanmedian(seen[1::2], axis=0), np.nanmedian(seen[::2], axis=0)
    where = (model.colours[often].mean(axis=1) - dark) / (bright - dark)
    assert often.sum() > 50
    assert np.median(where) == pytest.approx(0.5, abs=0.15)
    assert np.percentile(np.abs(where - 0.5), 75) < 0.3


def test_features_of_a_smaller_copy_give_cameras_of_the_photos_size(still_life, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    _, model = run(still_life.folder, tmp_path, preset=SfmPreset(extract_max_px=400))
    assert len(model.cameras) == len(still_life.names)
    assert {(camera.width, camera.height) for camera in model.cameras} == {(480, 360)}
    assert error_of_extent(model, dict(zip(still_life.names, still_life.centres, strict=True))) < 0.01


def test_up_is_within_two_degrees_and_cameras_are_above_the_table(still_life, solved) -> None:  # type: ignore[no-untyped-def]
    _, model = solved
    placed = find_frame(model)
    standing = transform(model, placed)
    found = np.stack([camera.centre for camera in standing.cameras])
    truth = still_life.centres
    moved = aligned(truth, found)
    rotation = _rotation(truth, found)
    tilt_deg = np.degrees(np.arccos(np.clip((rotation @ [0, -1, 0]) @ UP, -1, 1)))
    assert tilt_deg < 2.0
    assert (found[:, 1] < 0).all()
    assert np.linalg.norm(moved - found, axis=1).max() < 0.05
    assert (placed.up.source, placed.up.known) == (UpFrom.PLANE, True)


def _rotation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    f, t = source - source.mean(0), target - target.mean(0)
    u, _, vt = np.linalg.svd(t.T @ f)
    return u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt


def test_the_frame_does_not_move_the_projection_of_a_point(solved) -> None:  # type: ignore[no-untyped-def]
    _, model = solved
    standing = transform(model, find_frame(model))
    for before, after in zip(model.cameras, standing.cameras, strict=True):
        pixels = []
        for camera, points in ((before, model.points), (after, standing.points)):
            p = points @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
            pixels.append(p[:, :2] / p[:, 2:] * camera.focal_px)
        assert np.abs(pixels[0] - pixels[1]).max() < 1e-2


def test_undistorted_photos_keep_their_poses_and_see_the_points(solved) -> None:  # type: ignore[no-untyped-def]
    prepared, model = solved
    posed = posed_photos(model, {photo.name: photo.path for photo in prepared.photos})
    view = posed.views[0]
    p = posed.points @ view.world_to_camera[:3, :3].T + view.world_to_camera[:3, 3]
    uv = p @ view.k.T
    uv = uv[:, :2] / uv[:, 2:]
    height, width = view.image.shape[:2]
    inside = (p[:, 2] > 0) & (uv > 0).all(axis=1) & (uv[:, 0] < width) & (uv[:, 1] < height)
    assert inside.mean() > 0.5
    seen = view.image[uv[inside, 1].astype(int), uv[inside, 0].astype(int)].astype(float)
    colours = posed.point_colours[inside].astype(float)
    strangers = np.random.default_rng(0).permutation(colours)
    assert np.corrcoef(seen.ravel(), colours.ravel())[0, 1] > 0.5
    assert np.corrcoef(seen.ravel(), strangers.ravel())[0, 1] < 0.3


def test_a_sparse_model_survives_its_own_bytes(solved) -> None:  # type: ignore[no-untyped-def]
    _, model = solved
    back = SparseModel.from_bytes(model.to_bytes())
    assert [c.name for c in back.cameras] == [c.name for c in model.cameras]
    assert np.array_equal(back.points, model.points)
    assert np.array_equal(back.cameras[3].world_to_camera, model.cameras[3].world_to_camera)
    assert (back.rung, back.tried, back.rejected) == (model.rung, model.tried, model.rejected)


def test_a_photo_of_another_place_is_left_out_with_a_reason(still_life, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "in"
    folder.mkdir()
    for name in still_life.names[:8]:
        (folder / name).write_bytes((still_life.folder / name).read_bytes())
    noise = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((480, 360), Image.Resampling.NEAREST).save(folder / "stranger.jpg", quality=92)
    smooth = np.linspace(60, 190, 480, dtype=np.uint8)[None, :, None].repeat(360, 0).repeat(3, 2)
    picture = Image.fromarray(smooth)
    picture.paste(Image.fromarray(noise[:30, :30]), (10, 10))
    picture.save(folder / "wall.jpg", quality=92)
    prepared, model = run(folder, tmp_path)
    reasons = {r.name: r.code for r in (*prepared.rejected, *model.rejected)}
    assert reasons == {"stranger.jpg": "NO_PARTNER", "wall.jpg": "FEW_KEYPOINTS"}
    assert len(model.cameras) == 8
    assert model.tried == {"default": 8}, "no rung can place a photo that no match connects"


def test_photos_without_overlap_fail_with_a_hint(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for i in range(6):
        noise = rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((480, 360), Image.Resampling.NEAREST).save(folder / f"{i}.jpg")
    with pytest.raises(JobError) as caught:
        run(folder, tmp_path)
    assert caught.value.code is Code.SFM_FAILED
    assert "0 of 6 photos" in caught.value.message
    assert "overlap too little" in caught.value.hint


def samples_truth() -> dict[str, np.ndarray]:
    """Camera centres of the repository's own sample set in metres, z up, by photo name."""
    rendered = json.loads((ROOT / "samples/cameras.json").read_text())["photos"]
    return {photo["name"]: np.array(photo["camera_to_world"])[:3, 3] for photo in rendered}


def test_every_sample_photo_is_placed_within_one_percent_of_the_extent_and_the_scene_is_upright(
    tmp_path: Path,
) -> None:
    truth = samples_truth()
    _, model = run(ROOT / "samples/photos", tmp_path)
    assert {c.name for c in model.cameras} == set(truth)
    assert error_of_extent(model, truth) < 0.01
    standing = transform(model, find_frame(model))
    rotation = _rotation(
        np.stack([truth[c.name] for c in standing.cameras]), np.stack([c.centre for c in standing.cameras])
    )
    assert np.degrees(np.arccos(np.clip((rotation @ [0, 0, 1]) @ UP, -1, 1))) < 2.0


def test_a_sparse_round_of_photos_never_gives_a_folded_scene(tmp_path: Path) -> None:
    """Every second photo of the samples: the global mapper alone once placed twelve such photos, wrongly."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in sorted(samples_truth())[::2]:
        (folder / name).write_bytes((ROOT / "samples/photos" / name).read_bytes())
    found: SparseModel | None = None
    with contextlib.suppress(JobError):
        _, found = run(folder, tmp_path)
    assert found is None or error_of_extent(found, samples_truth()) < 0.02


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared photo sets are not on this machine")
@pytest.mark.parametrize(("photo_set", "side_px", "count"), [("lund", 1024, 29), ("seneca", 1000, 24)])
def test_every_photo_of_the_field_sets_is_placed(photo_set: str, side_px: int, count: int, tmp_path: Path) -> None:
    _, model = run(SHARED / photo_set, tmp_path, side_px=side_px)
    assert len(model.cameras) == count
