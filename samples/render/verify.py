"""Plain COLMAP against the true cameras: does the set register, and how far off are the centres?

Needs pycolmap (the worker's environment), not Mitsuba; reads a samples folder and writes nothing there.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pycolmap

MAX_CENTRE_ERROR = 0.01
"""Of the extent of the true camera centres, after a similarity alignment."""
MAX_REPROJECTION_PX = 1.0


def aligned(points: np.ndarray, onto: np.ndarray) -> np.ndarray:
    """`points` (N, 3) moved onto `onto` (N, 3) by the least-squares similarity (Umeyama 1991)."""
    a, b = points - points.mean(axis=0), onto - onto.mean(axis=0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    rotation = u @ sign @ vt
    scale = (s * np.diag(sign)).sum() / (a**2).sum()
    return scale * a @ rotation.T + onto.mean(axis=0)


def reconstruct(photos: Path) -> pycolmap.Reconstruction:
    """SIFT, exhaustive matching, incremental mapping; defaults, one shared SIMPLE_RADIAL camera from EXIF."""
    with tempfile.TemporaryDirectory() as scratch:
        database = Path(scratch) / "database.db"
        pycolmap.set_random_seed(0)
        pycolmap.extract_features(
            database,
            photos,
            camera_mode=pycolmap.CameraMode.SINGLE,
            reader_options=pycolmap.ImageReaderOptions(camera_model="SIMPLE_RADIAL"),
            device=pycolmap.Device.cpu,
        )
        pycolmap.match_exhaustive(database, device=pycolmap.Device.cpu)
        models = pycolmap.incremental_mapping(database, photos, Path(scratch))
        if not models:
            raise SystemExit(f"COLMAP made no model of {photos}: more texture or more overlap is needed")
        return max(models.values(), key=lambda model: model.num_reg_images())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m samples.render.verify", description=__doc__)
    parser.add_argument("samples", type=Path, help="folder with photos/ and cameras.json")
    args = parser.parse_args()
    truth = json.loads((args.samples / "cameras.json").read_text())
    centres = {p["name"]: np.array(p["camera_to_world"])[:3, 3] for p in truth["photos"]}

    model = reconstruct(args.samples / "photos")
    found = {image.name: image.projection_center() for image in model.images.values() if image.has_pose}
    names = sorted(found)
    true = np.array([centres[name] for name in names])
    extent = float(np.linalg.norm(np.ptp(np.array(list(centres.values())), axis=0)))
    errors = np.linalg.norm(aligned(np.array([found[name] for name in names]), true) - true, axis=1) / extent
    camera = next(iter(model.cameras.values()))
    report = {
        "registered": len(names),
        "given": len(centres),
        "missing": sorted(set(centres) - set(names)),
        "points": model.num_points3D(),
        "mean_track_length": round(model.compute_mean_track_length(), 2),
        "reprojection_px": round(model.compute_mean_reprojection_error(), 3),
        "centre_error_max": round(float(errors.max()), 5),
        "centre_error_mean": round(float(errors.mean()), 5),
        "focal_px": [round(float(camera.params[0]), 1), truth["camera"]["fx_px"]],
    }
    print(json.dumps(report, indent=1))
    good = (
        not report["missing"]
        and report["reprojection_px"] < MAX_REPROJECTION_PX
        and report["centre_error_max"] < MAX_CENTRE_ERROR
    )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
