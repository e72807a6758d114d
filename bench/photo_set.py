"""Posed photos for training benchmarks, as undistorted COLMAP folders (images/, sparse/0/).

python -m bench.photo_set PHOTOS_DIR OUT_DIR [--side-px 1600]    # finds the cameras of a folder of photos
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from bench.record import BENCH, ROOT, arguments
from splat_worker.limits import cpu_count
from splat_worker.photos import validation
from splat_worker.scene import PosedPhotos, View
from splat_worker.sfm import cameras
from splat_worker.sfm.frame.similarity import find_frame, transform
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.undistort import posed_photos
from splat_worker.train.core.photos import resized

SAMPLES = ROOT / "samples" / "photos"
CACHE = BENCH / "_out"
SFM_SIDE_PX = 1000


def set_name(folder: Path) -> str:
    """The folder's name, or its parent's if it is called photos."""
    folder = folder.resolve()
    return folder.parent.name if folder.name == "photos" else folder.name


def posed_set(folder: Path) -> PosedPhotos:
    """Cameras of a folder of photos, cached under bench/_out."""
    out = CACHE / set_name(folder)
    if not out.exists():
        write_posed(found_cameras(folder, out.with_name(f"{out.name}-sfm"), SFM_SIDE_PX), out)
    return read_posed(out)


def clean_photos(folder: Path, work: Path, side_px: int) -> tuple[validation.Photo, ...]:
    sources = [validation.Source(name=path.name, path=path) for path in sorted(folder.iterdir())]
    return validation.prepare(sources, work / "photos", side_max_px=side_px).photos


def found_cameras(folder: Path, work: Path, side_px: int) -> PosedPhotos:
    photos = clean_photos(folder, work, side_px)
    model = cameras.reconstruct(SfmPreset(threads=cpu_count()), photos, work / "sfm")
    model = transform(model, find_frame(model))
    return posed_photos(model, {photo.name: photo.path for photo in photos})


def at_width(posed: PosedPhotos, width_px: int) -> PosedPhotos:
    """The same set with photos resized to that longer side."""
    return replace(posed, views=tuple(resized(view, width_px) for view in posed.views))


def read_model(folder: Path) -> pycolmap.Reconstruction:
    """The model in `folder/sparse`, or in `folder/sparse/0`."""
    sparse = folder / "sparse"
    return pycolmap.Reconstruction(sparse if (sparse / "cameras.bin").exists() else sparse / "0")


def read_posed(folder: Path) -> PosedPhotos:
    """The folder as training takes it, views sorted by name. Raises ValueError unless all cameras are pinholes."""
    model = read_model(folder)
    if distorted := [c.model.name for c in model.cameras.values() if not c.model.name.endswith("PINHOLE")]:
        raise ValueError(f"{folder}: camera model {distorted[0]}, a pinhole is needed: undistort the images first")
    views = []
    for image in sorted(model.images.values(), key=lambda image: image.name):
        with Image.open(folder / "images" / image.name) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        pose = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
        k = model.cameras[image.camera_id].calibration_matrix()
        views.append(View(name=image.name, image=pixels, world_to_camera=pose, k=k))
    points = [model.points3D[key] for key in sorted(model.points3D)]
    return PosedPhotos(
        views=tuple(views),
        points=np.array([point.xyz for point in points], np.float32),
        point_colours=np.array([point.color for point in points], np.uint8),
    )


def write_posed(posed: PosedPhotos, folder: Path) -> None:
    """The reverse: images as PNG, one pinhole camera per view, points without tracks."""
    sparse = folder / "sparse" / "0"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    sparse.mkdir(parents=True, exist_ok=True)
    model = pycolmap.Reconstruction()
    for number, view in enumerate(posed.views, start=1):
        name = f"{Path(view.name).stem}.png"
        Image.fromarray(view.image).save(folder / "images" / name)
        height, width = view.image.shape[:2]
        params = [view.k[0, 0], view.k[1, 1], view.k[0, 2], view.k[1, 2]]
        camera = pycolmap.Camera(camera_id=number, model="PINHOLE", width=width, height=height, params=params)
        model.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(image_id=number, camera_id=number, name=name)
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(view.world_to_camera[:3]))
    for xyz, colour in zip(posed.points.astype(np.float64), posed.point_colours, strict=True):
        model.add_point3D(xyz, pycolmap.Track(), colour)
    model.write_binary(sparse)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side-px", type=int, default=1600, help="longer side of the photos")
    options = parser.parse_args()
    posed = found_cameras(options.photos, options.out.with_name(f"{options.out.name}-sfm"), options.side_px)
    write_posed(posed, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
