"""Portraits and landscapes of one phone have one lens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from splat_worker.photos.validation import Photo
from splat_worker.progress import silent
from splat_worker.sfm.features.extract import _write_camera
from splat_worker.sfm.mapping import ladder
from splat_worker.sfm.mapping.ladder import Ladder
from splat_worker.sfm.mapping.turned import turned_lenses
from splat_worker.sfm.matching.verified import read_verified
from tests.unit.splat_worker.drawn_scene import orbit

LONG, SHORT, FOCAL_PX, K1 = 1000, 750, 860.0, 0.04
PORTRAITS = (2, 7)  # of twelve


def photo_of(number: int, key: str = "maker|phone|4.2|26.0", *, portrait: bool) -> Photo:
    width, height = (SHORT, LONG) if portrait else (LONG, SHORT)
    return Photo(
        name=f"{number:02d}.jpg", path=Path(f"{number:02d}.jpg"), width=width, height=height, sharpness=1.0,
        camera_key=f"{key}|{width}x{height}",
    )  # fmt: skip


def test_only_a_lens_with_photos_of_both_orientations_is_turned() -> None:
    phone = [photo_of(0, portrait=False), photo_of(1, portrait=True)]
    other = [photo_of(2, "maker|other|4.2|26.0", portrait=False)]
    zoomed = [photo_of(3, "maker|phone|9.0|77.0", portrait=True)]
    assert set(turned_lenses([*phone, *other, *zoomed])) == {"00.jpg", "01.jpg"}
    assert turned_lenses([*phone[:1], *other, *zoomed]) == {}


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[Photo, ...], Path, np.ndarray]:
    """Photos, their match database and the true camera centres: an orbit of which some photos are portraits."""
    database = tmp_path_factory.mktemp("mixed") / "set.db"
    rng = np.random.default_rng(3)
    poses = orbit(12)
    points = rng.uniform([-0.9, -0.6, -0.9], [0.9, 0.0, 0.9], (700, 3))
    photos = tuple(photo_of(number, portrait=number in PORTRAITS) for number in range(len(poses)))
    camera_of = {
        key: _write_camera(database, [p for p in photos if p.camera_key == key])
        for key in sorted({p.camera_key for p in photos})
    }
    seen = []
    for photo, pose in zip(photos, poses, strict=True):
        local = points @ pose[:3, :3].T + pose[:3, 3]
        flat = local[:, :2] / local[:, 2:]
        bent = flat * (1 + K1 * (flat**2).sum(1, keepdims=True))
        px = FOCAL_PX * bent + [photo.width / 2, photo.height / 2] + rng.normal(0, 0.5, (len(points), 2))
        inside = ((px > 0) & (px < [photo.width, photo.height])).all(1) & (rng.random(len(points)) < 0.5)
        seen.append((np.flatnonzero(inside), px[inside]))
    with pycolmap.Database.open(database) as db:
        rigs = {rig.ref_sensor_id.id: rig.rig_id for rig in db.read_all_rigs()}
        ids = []
        for photo, (_, px) in zip(photos, seen, strict=True):
            camera_id = camera_of[photo.camera_key]
            ids.append(db.write_image(pycolmap.Image(name=photo.path.name, camera_id=camera_id)))
            frame = pycolmap.Frame(rig_id=rigs[camera_id])
            frame.add_data_id(pycolmap.data_t(db.read_camera(camera_id).sensor_id, ids[-1]))
            db.write_frame(frame)
            db.write_keypoints(ids[-1], px.astype(np.float32))
        for a in range(len(ids)):
            for b in range(a + 1, min(a + 4, len(ids))):
                _, one, other = np.intersect1d(seen[a][0], seen[b][0], return_indices=True)
                geometry = pycolmap.TwoViewGeometry()
                geometry.config = pycolmap.TwoViewGeometryConfiguration.UNCALIBRATED
                geometry.inlier_matches = np.column_stack([one, other]).astype(np.uint32)
                db.write_matches(ids[a], ids[b], geometry.inlier_matches)
                db.write_two_view_geometry(ids[a], ids[b], geometry)
    return photos, database, -np.einsum("nij,ni->nj", poses[:, :3, :3], poses[:, :3, 3])


def search(mixed: tuple[tuple[Photo, ...], Path, np.ndarray], work: Path) -> tuple[dict[str, float], float]:
    """The focal length by orientation, and the largest error of a camera centre in % of the extent."""
    photos, database, centres = mixed
    found = Ladder(
        photos=photos, database=database, work_dir=work, pairs=read_verified(database),
        positions={}, on_progress=silent,
    ).climb().best  # fmt: skip
    assert found is not None
    assert found.placed == len(photos)
    images = sorted(found.model.images.values(), key=lambda image: image.name)
    aligned = pycolmap.align_reconstruction_to_locations(
        found.model, [image.name for image in images], centres, 3, pycolmap.RANSACOptions(max_error=10.0)
    )
    assert aligned is not None
    errors = [
        np.linalg.norm(aligned * image.projection_center() - centre)
        for image, centre in zip(images, centres, strict=True)
    ]
    focals = {
        "portrait" if camera.width < camera.height else "landscape": float(camera.params[0])
        for camera in found.model.cameras.values()
    }
    return focals, 100 * max(errors) / float(np.linalg.norm(np.ptp(centres, axis=0)))


def test_portraits_and_landscapes_get_one_focal_length_and_better_cameras(
    mixed: tuple[tuple[Photo, ...], Path, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "together").mkdir()
    focals, error = search(mixed, tmp_path / "together")
    monkeypatch.setattr(ladder, "turned_lenses", lambda photos: {})
    (tmp_path / "apart").mkdir()
    apart, error_apart = search(mixed, tmp_path / "apart")
    assert focals["portrait"] == focals["landscape"] == pytest.approx(FOCAL_PX, rel=0.01)
    assert apart["portrait"] != apart["landscape"]
    assert error < 0.7 * error_apart
