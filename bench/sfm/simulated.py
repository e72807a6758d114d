"""Mapping of large sets without a photo: simulated features and matches of the scenes of bench.gpu.drawn_sets.

    python -m bench.sfm.simulated field|street PHOTOS [--device cuda]

Features are points of the scene that each photo sees with a probability of their own, at 0.35 px of noise; 1 % of the
verified matches are wrong. Prints a line per mapper: photos placed, seconds, and errors of the camera centres. Our
global mapper runs on the device, twice in one process: the first run loads the device's libraries.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pycolmap

from bench.gpu.drawn_sets import SCENES, Scene, axes_of, centre_errors
from bench.record import arguments, cpu_s, in_own_process
from splat_worker.limits import cpu_count
from splat_worker.photos.validation import Photo
from splat_worker.progress import silent
from splat_worker.sfm.global_mapper.mapper import place
from splat_worker.sfm.global_mapper.model import model_of
from splat_worker.sfm.mapping.ladder import Ladder
from splat_worker.sfm.matching.verified import read_verified

WIDTH, HEIGHT, FOCAL_PX, K1 = 1000, 750, 712.0, 0.02
FOCAL_GUESS = 1.06  # times the true one, as tags may be off
FEATURES_MAX, NOISE_PX, WRONG, MATCHES_MIN = 6000, 0.35, 0.01, 15
MATCHED, TURN_MAX_DEG = 0.75, 40.0
OURS = "our global mapper"
REACH_M = {"field": 35.0, "street": 6.0}  # way between two photos at which features stop to look alike


def points_of(kind: str, centres: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(N, 3) in m, z up."""
    low, high = centres.min(0) - 30, centres.max(0) + 30
    if kind == "field":
        n = int((high[0] - low[0]) * (high[1] - low[1]) * 3)
        height = np.abs(rng.normal(0, 2.5, n)) * (rng.random(n) < 0.5)
        return np.column_stack([rng.uniform(low[0], high[0], n), rng.uniform(low[1], high[1], n), height])
    length = centres[:, 0].max()
    n = int(length * 2600)
    side = rng.integers(0, 2, n) * 2 - 1
    across = side * (5.5 + rng.uniform(0, 1.2, n))
    return np.column_stack([rng.uniform(-15, length + 15, n), across, rng.uniform(0, 9, n)])


def seen_by(centre: np.ndarray, axes: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool and (N, 2) px: which points lie in the picture, and where."""
    local = (points - centre) @ axes
    ahead = local[:, 2] > 0.3
    flat = local[:, :2] / np.where(ahead, local[:, 2], 1)[:, None]
    square = (flat**2).sum(1)
    px = flat * (1 + K1 * square)[:, None] * FOCAL_PX + [WIDTH / 2, HEIGHT / 2]
    return ahead & (square < 1.2) & ((px > 0) & (px < [WIDTH, HEIGHT])).all(1), px


def write_photos(
    db: pycolmap.Database, size: tuple[int, int], focal_px: float, pixels: Mapping[str, np.ndarray]
) -> list[int]:
    """Photos of one camera without distortion, whose focal length is said to be known. size: width and height in px;
    pixels: (N, 2) keypoints by file name. Returns the image ids."""
    width, height = size
    params = [focal_px, width / 2, height / 2, 0.0]
    camera = pycolmap.Camera(model="SIMPLE_RADIAL", width=width, height=height, params=params)
    camera.has_prior_focal_length = True
    camera.camera_id = db.write_camera(camera)
    rig = pycolmap.Rig()
    rig.add_ref_sensor(camera.sensor_id)
    rig_id = db.write_rig(rig)
    ids = []
    for name, px in pixels.items():
        ids.append(db.write_image(pycolmap.Image(name=name, camera_id=camera.camera_id)))
        frame = pycolmap.Frame(rig_id=rig_id)
        frame.add_data_id(pycolmap.data_t(camera.sensor_id, ids[-1]))
        db.write_frame(frame)
        db.write_keypoints(ids[-1], px.astype(np.float32))
    return ids


def simulate(kind: str, scene: Scene, database: Path) -> None:
    rng = np.random.default_rng(5)
    centres, axes = np.array([p.centre for p in scene.poses]), np.array([axes_of(p) for p in scene.poses])
    points = points_of(kind, centres, rng)
    found_again = rng.beta(1.2, 2.0, len(points))
    seen = []
    for centre, one in zip(centres, axes, strict=True):
        inside, px = seen_by(centre, one, points)
        rows = np.flatnonzero(inside & (rng.random(len(points)) < found_again))
        if len(rows) > FEATURES_MAX:
            rows = np.sort(rng.choice(rows, FEATURES_MAX, replace=False))
        seen.append((rows, px[rows] + rng.normal(0, NOISE_PX, (len(rows), 2))))
    with pycolmap.Database.open(database) as db:
        pixels = {f"{number:04}.jpg": px for number, (_, px) in enumerate(seen)}
        ids = write_photos(db, (WIDTH, HEIGHT), FOCAL_PX * FOCAL_GUESS, pixels)
        with pycolmap.DatabaseTransaction(db):
            for a in range(len(ids)):
                for b in range(a + 1, len(ids)):
                    turn_deg = np.degrees(np.arccos(np.clip(axes[a][:, 2] @ axes[b][:, 2], -1, 1)))
                    alike = np.exp(-((np.linalg.norm(centres[a] - centres[b]) / REACH_M[kind]) ** 2))
                    if turn_deg >= TURN_MAX_DEG or FEATURES_MAX * MATCHED * alike < MATCHES_MIN:
                        continue
                    _, first, second = np.intersect1d(seen[a][0], seen[b][0], assume_unique=True, return_indices=True)
                    stays = rng.random(len(first)) < MATCHED * alike * (turn_deg < TURN_MAX_DEG)
                    first, second = first[stays], second[stays]
                    if len(first) < MATCHES_MIN:
                        continue
                    wrong = rng.random(len(second)) < WRONG
                    second[wrong] = np.minimum(second[wrong] + 1, len(seen[b][0]) - 1)
                    _, once = np.unique(second, return_index=True)
                    matches = np.column_stack([first, second])[np.sort(once)].astype(np.uint32)
                    geometry = pycolmap.TwoViewGeometry()
                    geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
                    geometry.inlier_matches = matches
                    db.write_matches(ids[a], ids[b], matches)
                    db.write_two_view_geometry(ids[a], ids[b], geometry)


def mapped(by: str, count: int, database: Path, work: Path) -> pycolmap.Reconstruction:
    if by == "COLMAP's global mapper":
        everything = pycolmap.GlobalPipelineOptions()
        everything.random_seed, everything.num_threads = 0, cpu_count()
        models = pycolmap.global_mapping(database, work, work, options=everything)
        return max(models.values(), key=lambda one: int(one.num_reg_images()))
    if by == "plain pycolmap":
        options = pycolmap.IncrementalPipelineOptions()
        options.random_seed, options.num_threads, options.extract_colors = 0, 1, False
        models = pycolmap.incremental_mapping(database, work, work, options=options)
        return max(models.values(), key=lambda one: int(one.num_reg_images()))
    photos = [
        Photo(name=f"{i:04}.jpg", path=work / f"{i:04}.jpg", width=WIDTH, height=HEIGHT, sharpness=100.0,
              camera_key="one", focal_px=FOCAL_PX * FOCAL_GUESS)
        for i in range(count)
    ]  # fmt: skip
    best = Ladder(
        photos=photos, database=database, work_dir=work, pairs=read_verified(database),
        positions={}, on_progress=silent,
    ).climb().best  # fmt: skip
    assert best is not None, "no model is right"
    return best.model


def at_once(count: int, database: Path, device: str) -> tuple[pycolmap.Reconstruction, dict[str, float], str]:
    """Our global mapper's model of all photos, its seconds by step, and a digest of the cameras' bits."""
    whole = place(database, device)
    assert whole is not None, "no model"
    assert len(whole.photos) <= count
    bits = whole.bundle.rotations.cpu().numpy().tobytes() + whole.bundle.shifts.cpu().numpy().tobytes()
    return model_of(whole, database), whole.seconds, hashlib.sha256(bits).hexdigest()[:12]


def one(by: str, count: int, database: str, device: str) -> dict[str, object]:
    began, wall, more = cpu_s(), time.monotonic(), {}
    if by == OURS:
        _, _, bits = at_once(count, Path(database), device)
        more = {"first_wall_s": round(time.monotonic() - wall, 1)}
        began, wall = cpu_s(), time.monotonic()
        model, seconds, again = at_once(count, Path(database), device)
        more |= {"same_bits": bits == again, "seconds": seconds}
    else:
        with tempfile.TemporaryDirectory() as work:
            model = mapped(by, count, Path(database), Path(work))
    centres = {image.name: image.projection_center().tolist() for image in model.images.values() if image.has_pose}
    return {
        "placed": len(centres),
        "error_px": round(float(model.compute_mean_reprojection_error()), 3),
        "cpu_s": round(cpu_s() - began, 1),
        "wall_s": round(time.monotonic() - wall, 1),
        "centre_errors": centre_errors(centres, Path(database).with_suffix(".json")),
        **more,
    }


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("scene", nargs="?", choices=REACH_M)
    parser.add_argument("photos", nargs="?", type=int)
    parser.add_argument("--device", default="cpu", help="of our global mapper")
    parser.add_argument("--one", help="one mapper of a run; used by this program")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(*json.loads(args.one))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        database, scene = Path(folder) / "set.db", SCENES[args.scene](args.photos)
        simulate(args.scene, scene, database)
        truth = {f"{number:04}.jpg": list(map(float, pose.centre)) for number, pose in enumerate(scene.poses)}
        database.with_suffix(".json").write_text(json.dumps(truth))
        for by in ("plain pycolmap", "this worker", "COLMAP's global mapper", OURS):
            in_own_process("bench.sfm.simulated", [by, args.photos, str(database), args.device])
    return 0


if __name__ == "__main__":
    sys.exit(main())
