"""The placed photos as a COLMAP model, with the rigs and frames of the match database.
Reads a COLMAP database and changes none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.sfm.global_mapper.mapper import Whole


def model_of(whole: Whole, database: Path) -> pycolmap.Reconstruction:
    """All photos of the database, those that were placed with their pose, and the points with their tracks."""
    model = pycolmap.Reconstruction()
    bundle, found = whole.bundle, whole.matches
    lenses = dict(zip(found.camera_ids, bundle.lenses.cpu().numpy(), strict=True))
    with pycolmap.Database.open(database) as db:
        for camera in db.read_all_cameras():
            camera.params = lenses[camera.camera_id]
            model.add_camera(camera)
        for rig in db.read_all_rigs():
            model.add_rig(rig)
        images = {image.image_id: image for image in db.read_all_images()}
        frame_of = {}
        for frame in db.read_all_frames():
            for data in frame.data_ids:
                frame_of[data.id] = frame.frame_id
            model.add_frame(frame)
    keypoints, first = found.keypoints.cpu().numpy(), found.first_keypoint.tolist()
    for row, image_id in enumerate(found.image_ids):
        image = pycolmap.Image(
            name=found.names[row],
            keypoints=keypoints[first[row] : first[row + 1]],
            camera_id=images[image_id].camera_id,
            image_id=image_id,
        )
        image.frame_id = frame_of[image_id]
        model.add_image(image)
    poses = np.concatenate([bundle.rotations.cpu().numpy(), bundle.shifts.cpu().numpy()[:, :, None]], 2)
    placed = [found.image_ids[row] for row in whole.photos.tolist()]
    for image_id, pose in zip(placed, poses, strict=True):
        frame = model.frame(frame_of[image_id])
        frame.set_cam_from_world(images[image_id].camera_id, pycolmap.Rigid3d(pose))
        model.register_frame(frame.frame_id)
    photo = bundle.structure.photo.tolist()
    number = (whole.keypoints - found.first_keypoint[whole.photos[bundle.structure.photo]]).tolist()
    ends = np.concatenate([[0], np.cumsum(bundle.structure.per_point.cpu().numpy())]).tolist()
    grey = np.full(3, 128, dtype=np.uint8)
    for point, xyz in enumerate(bundle.points.cpu().numpy()):
        track = pycolmap.Track()
        for at in range(ends[point], ends[point + 1]):
            track.add_element(placed[photo[at]], number[at])
        model.add_point3D(xyz, track, grey)
    model.update_point_3d_errors()
    return model
