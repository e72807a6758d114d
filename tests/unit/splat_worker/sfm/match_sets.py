"""Photo sets as the matches that COLMAP found in them: a tenth of the photos' bytes, and no features to find again.
`pack` wrote the files in sets/ from drawn photos; `unpack` makes a match database that a search resumes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pycolmap
from PIL import Image

from splat_worker.photos.validation import Photo
from splat_worker.sfm.features.extract import _write_camera

SETS = Path(__file__).parent / "sets"
STEPS_PER_PX = 64


def pack(database: Path, photos: Sequence[Photo], target: Path, *, all_matches: bool, most_verified: int) -> None:
    """The matched keypoints to 1/64 px, and `most_verified` matches of each pair, evenly chosen.

    all_matches: also those that verification refused.
    """
    arrays: dict[str, np.ndarray] = {
        "names": np.array([photo.name for photo in photos]),
        "size": np.array([photos[0].width, photos[0].height]),
    }
    with pycolmap.Database.open(database) as db:
        ids = [db.read_image_with_name(photo.path.name).image_id for photo in photos]
        verified, raw = {}, {}
        for row, one in enumerate(ids):
            for column in range(row + 1, len(ids)):
                if db.exists_two_view_geometry(one, ids[column]):
                    geometry = db.read_two_view_geometry(one, ids[column])
                    inliers = np.asarray(geometry.inlier_matches)
                    chosen = inliers[:: max(1, -(-len(inliers) // most_verified))]
                    verified[row, column] = (int(geometry.config), chosen)
                    found = np.asarray(db.read_matches(one, ids[column])) if all_matches else np.zeros((0, 2))
                    dropped = {tuple(m) for m in inliers.tolist()} - {tuple(m) for m in chosen.tolist()}
                    raw[row, column] = np.array([m for m in found.tolist() if tuple(m) not in dropped]).reshape(-1, 2)
        for row, image_id in enumerate(ids):
            used = [m[:, i] for (a, b), m in raw.items() for i, r in ((0, a), (1, b)) if r == row and len(m)]
            used += [m[:, i] for (a, b), (_, m) in verified.items() for i, r in ((0, a), (1, b)) if r == row and len(m)]
            rows = np.unique(np.concatenate(used)) if used else np.zeros(0, np.int64)
            arrays[f"of{row}"] = rows
            arrays[f"px{row}"] = np.round(np.asarray(db.read_keypoints(image_id))[rows, :2] * STEPS_PER_PX).astype("u2")
    new = {row: {int(k): n for n, k in enumerate(arrays.pop(f"of{row}"))} for row in range(len(ids))}

    def renumbered(matches: np.ndarray, a: int, b: int) -> np.ndarray:
        return np.array([(new[a][int(i)], new[b][int(j)]) for i, j in matches], "u2").reshape(-1, 2)

    for (a, b), (config, matches) in verified.items():
        if len(matches):
            arrays[f"verified{a}-{b}-{config}"] = renumbered(matches, a, b)
    for (a, b), matches in raw.items():
        if len(matches):
            arrays[f"raw{a}-{b}"] = renumbered(matches, a, b)
    np.savez_compressed(target, **arrays)


def unpack(name: str, folder: Path) -> tuple[tuple[Photo, ...], Path]:
    """Grey photos of the set's size without tags, and its match database."""
    with np.load(SETS / f"{name}.npz") as file:
        arrays = dict(file)
    width, height = (int(side) for side in arrays["size"])
    (folder / "photos").mkdir(parents=True)
    photos = []
    for number, photo in enumerate(arrays["names"], start=1):
        path = folder / "photos" / f"{number:04d}.jpg"
        Image.new("RGB", (width, height), (128, 128, 128)).save(path)
        photos.append(
            Photo(name=str(photo), path=path, width=width, height=height, sharpness=100.0, camera_key=f"{width}")
        )
    database = folder / "set.db"
    camera_id = _write_camera(database, photos)
    with pycolmap.Database.open(database) as db:
        rig_id = db.read_all_rigs()[0].rig_id
        camera = db.read_camera(camera_id)
        ids = []
        for row, photo in enumerate(photos):
            image_id = db.write_image(pycolmap.Image(name=photo.path.name, camera_id=camera_id))
            frame = pycolmap.Frame(rig_id=rig_id)
            frame.add_data_id(pycolmap.data_t(camera.sensor_id, image_id))
            db.write_frame(frame)
            db.write_keypoints(image_id, arrays[f"px{row}"].astype(np.float32) / STEPS_PER_PX)
            ids.append(image_id)
        verified = {key.split("-")[0] + "-" + key.split("-")[1]: key for key in arrays if key.startswith("verified")}
        for a in range(len(ids)):
            for b in range(a + 1, len(ids)):
                geometry = pycolmap.TwoViewGeometry()
                key = verified.get(f"verified{a}-{b}")
                if key is not None:
                    geometry.config = pycolmap.TwoViewGeometryConfiguration(int(key.rsplit("-", 1)[1]))
                    geometry.inlier_matches = arrays[key].astype(np.uint32)
                raw = arrays.get(f"raw{a}-{b}", arrays[key] if key else np.zeros((0, 2))).astype(np.uint32)
                db.write_matches(ids[a], ids[b], raw)
                db.write_two_view_geometry(ids[a], ids[b], geometry)
    return tuple(photos), database
