"""Which photos share a lens setting where their tags do not say so: one lens for all, one for each group, or one each.
Changes no model and no database that it is given.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.resume import copy_database

SAME_FOCAL = 0.04
"""Focal lengths that differ by at most 4 % count as one zoom setting."""
ZOOM_ERROR_DROP = 0.9
"""Share of the reprojection error with one lens, at or below which lenses of their own are worth their parameters. Sets
with one lens stay at 0.95 and more, two zooms fall to 0.44."""
GROUPED_ERROR_RISE = 1.03
"""Share of the reprojection error with a lens for each photo, up to which groups explain the matches as well."""
STEPS_MAX, PROBE_STEPS_MAX = 50, 12
SETTLED_AT = 1e-6


def untagged(photos: Sequence[Photo]) -> frozenset[str]:
    """File names of the photos that share a camera whose focal length no tag gives: the zoom may differ among them."""
    count = Counter(photo.camera_key for photo in photos if photo.focal_px is None)
    return frozenset(p.path.name for p in photos if p.focal_px is None and count[p.camera_key] > 1)


def write_own_lenses(database: Path, target: Path, names: frozenset[str]) -> Path:
    """A copy of the match database at `target` in which each of these photos has a camera of its own."""
    copy_database(database, target, descriptors=False)
    with contextlib.closing(sqlite3.connect(target)) as db, db:
        images = db.execute("SELECT image_id, name, camera_id FROM images ORDER BY image_id").fetchall()
        taken: set[int] = set()
        for image_id, name, camera_id in images:
            if name not in names:
                continue
            if camera_id not in taken:  # the first photo keeps the camera
                taken.add(camera_id)
                continue
            own = db.execute(
                "INSERT INTO cameras (model, width, height, params, prior_focal_length)"
                " SELECT model, width, height, params, prior_focal_length FROM cameras WHERE camera_id = ?",
                (camera_id,),
            ).lastrowid
            rig = db.execute(
                "INSERT INTO rigs (ref_sensor_id, ref_sensor_type)"
                " SELECT ?, ref_sensor_type FROM rigs WHERE ref_sensor_id = ?",
                (own, camera_id),
            ).lastrowid
            frame = db.execute("SELECT frame_id FROM frame_data WHERE data_id = ?", (image_id,)).fetchone()[0]
            db.execute("UPDATE images SET camera_id = ? WHERE image_id = ?", (own, image_id))
            db.execute("UPDATE frame_data SET sensor_id = ? WHERE frame_id = ?", (own, frame))
            db.execute("UPDATE frames SET rig_id = ? WHERE frame_id = ?", (rig, frame))
    return target


def zoom_suspected(model: pycolmap.Reconstruction, names: frozenset[str]) -> bool:
    """Whether these photos fit clearly better with a lens each than with the lenses that they share in the model."""
    own = with_lenses(model, {name: name for name in names}, steps_max=PROBE_STEPS_MAX)
    return own.compute_mean_reprojection_error() <= ZOOM_ERROR_DROP * model.compute_mean_reprojection_error()


def grouped(model: pycolmap.Reconstruction, names: frozenset[str]) -> pycolmap.Reconstruction:
    """The model with one lens for each zoom setting among these photos, or as it is if that fits worse."""
    if model.num_points3D() == 0:
        return model
    focals = {
        image.name: float(model.cameras[image.camera_id].params[0])
        for image in model.images.values()
        if image.has_pose and image.name in names
    }
    together = with_lenses(model, {name: str(group) for name, group in zoom_settings(focals).items()})
    rise = together.compute_mean_reprojection_error() / max(model.compute_mean_reprojection_error(), 1e-9)
    return together if rise <= GROUPED_ERROR_RISE else model


def zoom_settings(focals_px: Mapping[str, float]) -> dict[str, int]:
    """Number of the zoom setting by file name. A setting begins where the next longer focal length differs by more than
    SAME_FOCAL from the median of the setting so far."""
    settings: dict[str, int] = {}
    members: list[float] = []
    number = 0
    for name, focal in sorted(focals_px.items(), key=lambda item: (item[1], item[0])):
        if members and focal > (1 + SAME_FOCAL) * float(np.median(members)):
            number, members = number + 1, []
        members.append(focal)
        settings[name] = number
    return settings


def with_lenses(
    model: pycolmap.Reconstruction, lens_of: Mapping[str, str], *, steps_max: int = STEPS_MAX
) -> pycolmap.Reconstruction:
    """A copy of the model in which photos of one lens, by file name, share one camera, adjusted to fit. Photos that
    lens_of lacks keep their camera."""
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda image: image.image_id)
    sizes = {image.name: (image.camera.width, image.camera.height) for image in images}
    keys = {image.name: (lens_of.get(image.name, image.camera_id), sizes[image.name]) for image in images}
    copy = pycolmap.Reconstruction()
    ids: dict[object, int] = {}
    for image in images:
        key = keys[image.name]
        if key not in ids:
            ids[key] = len(ids) + 1
            params = np.median([other.camera.params for other in images if keys[other.name] == key], axis=0)
            camera = pycolmap.Camera(
                camera_id=ids[key],
                model=image.camera.model,
                width=image.camera.width,
                height=image.camera.height,
                params=params,
            )
            camera.has_prior_focal_length = image.camera.has_prior_focal_length
            copy.add_camera_with_trivial_rig(camera)
        pixels = np.array([point.xy for point in image.points2D], dtype=np.float64).reshape(-1, 2)
        copy.add_image_with_trivial_frame(
            pycolmap.Image(name=image.name, keypoints=pixels, camera_id=ids[key], image_id=image.image_id),
            image.cam_from_world(),
        )
    for point_id in sorted(model.points3D):
        point = model.points3D[point_id]
        copy.add_point3D(point.xyz, point.track, point.color)
    adjust(copy, steps_max=steps_max)
    return copy


def adjust(model: pycolmap.Reconstruction, *, steps_max: int = STEPS_MAX) -> None:
    """Bundle adjustment of all cameras and points, by one thread, so that the same model gives the same result."""
    options = pycolmap.BundleAdjustmentOptions()
    options.print_summary = False
    solver = options.ceres.solver_options
    solver.num_threads, solver.max_num_iterations, solver.function_tolerance = 1, steps_max, SETTLED_AT
    pycolmap.bundle_adjustment(model, options)
    model.update_point_3d_errors()
