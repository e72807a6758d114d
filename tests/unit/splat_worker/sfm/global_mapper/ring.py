"""Simulated matches of photos in a ring around a cloud of points, with known cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pycolmap

from bench.sfm.simulated import write_photos
from splat_worker.photos.validation import Photo

WIDTH, HEIGHT, FOCAL_PX, K1 = 1000, 750, 800.0, 0.03
FOCAL_GUESS = 1.05
NOISE_PX, WRONG = 0.3, 0.02


def cameras(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 3) world to camera and (N, 3) centres, a step of 12 degrees apart, at changing heights."""
    rotations, centres = [], []
    for number in range(count):
        turn = np.radians(12 * number)
        centre = np.array([4 * np.cos(turn), 4 * np.sin(turn), 0.6 + 0.3 * np.sin(3 * turn)])
        ahead = -centre / np.linalg.norm(centre)
        right = np.cross(ahead, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotations.append(np.stack([right, np.cross(ahead, right), ahead]))
        centres.append(centre)
    return np.array(rotations), np.array(centres)


def write_ring(database: Path, count: int, *, points: int = 700, apart: frozenset[int] = frozenset()) -> np.ndarray:
    """A database of verified matches of photos up to four steps apart; returns the true (N, 3) centres. apart: photos
    that have few matches, with one neighbour."""
    draw = np.random.default_rng(3)
    rotations, centres = cameras(count)
    cloud = draw.normal(0, 0.5, (points, 3))
    seen = []
    for rotation, centre in zip(rotations, centres, strict=True):
        local = (cloud - centre) @ rotation.T
        flat = local[:, :2] / local[:, 2:]
        px = flat * (1 + K1 * (flat**2).sum(1, keepdims=True)) * FOCAL_PX + [WIDTH / 2, HEIGHT / 2]
        rows = np.flatnonzero(draw.random(points) < 0.7)
        seen.append((rows, px[rows] + draw.normal(0, NOISE_PX, (len(rows), 2))))
    with pycolmap.Database.open(database) as db:
        pixels = {f"{number:02}.jpg": px for number, (_, px) in enumerate(seen)}
        ids = write_photos(db, (WIDTH, HEIGHT), FOCAL_PX * FOCAL_GUESS, pixels)
        for a in range(count):
            for b in range(a + 1, min(a + 5, count)):
                if {a, b} & apart and b != a + 1:
                    continue
                _, first, second = np.intersect1d(seen[a][0], seen[b][0], assume_unique=True, return_indices=True)
                wrong = draw.random(len(second)) < WRONG
                second[wrong] = (second[wrong] + 7) % len(seen[b][0])
                if {a, b} & apart:
                    first, second, wrong = first[:18], second[:18], wrong[:18]
                _, once = np.unique(second, return_index=True)
                geometry = pycolmap.TwoViewGeometry()
                geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
                geometry.inlier_matches = np.column_stack([first, second])[np.sort(once)].astype(np.uint32)
                db.write_two_view_geometry(ids[a], ids[b], geometry)
    return centres


def photos(count: int, folder: Path) -> list[Photo]:
    return [
        Photo(
            name=f"{i:02}.jpg", path=folder / f"{i:02}.jpg", width=WIDTH, height=HEIGHT, sharpness=100.0,
            camera_key="one", focal_px=FOCAL_PX * FOCAL_GUESS,
        )
        for i in range(count)
    ]  # fmt: skip


def centre_errors(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(N,) errors of centres after the best similarity, as a share of the true extent."""
    a, b = found - found.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(flip)).sum() / (a**2).sum()
    off: np.ndarray = np.linalg.norm(b - scale * a @ (u @ flip @ vt).T, axis=1)
    return off / np.linalg.norm(true.max(0) - true.min(0))
