"""One lens in photos of both orientations: a camera turned by 90 degrees has the same focal length and distortion.
COLMAP's cameras have a size, so it estimates one for portraits and one for landscapes; here their lens is fitted once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping.lenses import GROUPED_ERROR_RISE, adjust


def turned_lenses(photos: Sequence[Photo]) -> dict[str, str]:
    """Lens by file name, of the photos whose lens took portraits and landscapes; the others are left out."""
    shapes: dict[str, set[bool]] = {}
    for photo in photos:
        shapes.setdefault(photo.lens_key, set()).add(photo.width < photo.height)
    return {photo.path.name: photo.lens_key for photo in photos if len(shapes[photo.lens_key]) > 1}


def share_turned_lenses(model: pycolmap.Reconstruction, lens_of: Mapping[str, str]) -> bool:
    """Fits one focal length and one distortion to the photos of each lens, and adjusts the model to them. Leaves it as
    it is, and returns False, where no lens has photos of both orientations or the matches fit worse.

    A photo turned by 90 degrees differs from its neighbour by the place of its middle alone, since distortion is
    radial. In a copy of the model, every photo of such a lens lies in the middle of one square, and one camera of that
    square sees them all.
    """
    if not lens_of:
        return False
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda image: image.image_id)
    shapes: dict[str, set[bool]] = {}
    for image in images:
        if image.name in lens_of:
            shapes.setdefault(lens_of[image.name], set()).add(image.camera.width < image.camera.height)
    mixed = {lens for lens, found in shapes.items() if len(found) > 1}
    if not mixed or model.num_points3D() == 0:
        return False
    square, ids = _in_squares(model, images, {name: lens for name, lens in lens_of.items() if lens in mixed})
    before = model.compute_mean_reprojection_error()
    adjust(square)
    if square.compute_mean_reprojection_error() > GROUPED_ERROR_RISE * before:
        return False
    _take(model, square, ids)
    return True


def _in_squares(
    model: pycolmap.Reconstruction, images: Sequence[pycolmap.Image], lens_of: Mapping[str, str]
) -> tuple[pycolmap.Reconstruction, dict[int, int]]:
    """The copy, and its point ids by those of the model."""
    copy = pycolmap.Reconstruction()
    keys = {image.name: lens_of.get(image.name, image.camera_id) for image in images}
    camera_ids: dict[object, int] = {}
    for image in images:
        key, camera = keys[image.name], image.camera
        size = np.array([camera.width, camera.height])
        if image.name in lens_of:
            size = np.array([size.max(), size.max()])
        if key not in camera_ids:
            camera_ids[key] = len(camera_ids) + 1
            # The focal length and the distortion of most photos of this lens.
            focal, _, _, k1 = np.median([other.camera.params for other in images if keys[other.name] == key], axis=0)
            middle = size / 2 if image.name in lens_of else camera.params[1:3]
            shared = pycolmap.Camera(
                camera_id=camera_ids[key],
                model=camera.model,
                width=int(size[0]),
                height=int(size[1]),
                params=[focal, *middle, k1],
            )
            shared.has_prior_focal_length = camera.has_prior_focal_length
            copy.add_camera_with_trivial_rig(shared)
        pixels = np.array([point.xy for point in image.points2D], dtype=np.float64).reshape(-1, 2)
        if image.name in lens_of:
            pixels += size / 2 - np.asarray(camera.params[1:3])
        copy.add_image_with_trivial_frame(
            pycolmap.Image(name=image.name, keypoints=pixels, camera_id=camera_ids[key], image_id=image.image_id),
            image.cam_from_world(),
        )
    ids = {}
    for point_id in sorted(model.points3D):
        point = model.points3D[point_id]
        ids[point_id] = copy.add_point3D(point.xyz, point.track, point.color)
    return copy, ids


def _take(model: pycolmap.Reconstruction, square: pycolmap.Reconstruction, ids: Mapping[int, int]) -> None:
    """Gives the model the lenses, poses and points of its copy; its photos keep their size and their middle."""
    for image_id, found in square.images.items():
        image = model.images[image_id]
        image.frame.set_cam_from_world(image.camera_id, found.cam_from_world())
        camera = model.cameras[image.camera_id]
        camera.params = [found.camera.params[0], *camera.params[1:3], found.camera.params[3]]
    for point_id, copied in ids.items():
        model.points3D[point_id].xyz = square.points3D[copied].xyz
    model.update_point_3d_errors()
