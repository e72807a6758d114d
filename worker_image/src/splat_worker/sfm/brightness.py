"""How bright each placed photo is beside the others, from the exposure in its tags and from matched points.

A camera that exposes by itself makes every photo equally bright, whatever it shows. One point then has another colour
in each photo, and a scene must not average them. The exposure is known from the tags up to the camera's tone curve.
Over the few stops of one set the curve is close to a power, and its exponent is measured: how the brightness of a
matched point changes with the exposure of the photos that see it. Where brightness does not follow the tags (a phone
that merges exposures, edited photos), the exponent is zero and the tags are not used. Nor are they where the exposure
changes so smoothly along the path that a photo's neighbours tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray
from PIL import Image

from splat_worker.limits import cpu_count
from splat_worker.photos.validation import Photo

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

DARKEST, BRIGHTEST = 16, 239
"""Of 255. Outside, a channel may be clipped."""
PATCH_PX = (-1, 0, 1)
SPREAD_MIN_STOPS = 0.1
"""Photos whose exposures differ less than this (standard deviation) are equally exposed."""
EXPONENT_MIN, EXPONENT_MAX = 0.15, 1.0
"""An sRGB curve alone gives 0.45, a linear photo 1."""
SIGNIFICANCE_MIN = 2.5
"""Student's t of the slope: about one set in a hundred without a connection passes."""
GAIN_MAX = 4.0
OBSERVATIONS_MIN = 30
ROUNDS = 40
OUTLIER_LOG = 0.1
NEIGHBOURS = 4
NEIGHBOURS_TELL = 0.5
"""Share of the exposures' spread that is left after the mean of a photo's neighbours, below which tags are not used:
where exposure changes smoothly along the path, the colour that depends on the direction learns it better than a power
of the exposure does. 0.33 on plush, where tags cost 1.6 dB, 0.77 and 0.82 on lund and seneca, where they gain
(docs/decisions/0025)."""
POINTS_AT_ONCE = 4096


@dataclass(frozen=True, kw_only=True)
class Observations:
    """Matched points as photos see them. photo, point: (N,) rows; level: (N,) log of the mean colour there."""

    photo: Int64
    point: Int64
    level: Float64


@dataclass(frozen=True, kw_only=True)
class Brightness:
    """photo = gain * scene. exponent: log of brightness per log of exposure, 0 where the tags are not used; gain: (V,)
    of each photo by its tags, by its matches where it has none; gain_of_tags: (V,), 1 without tags."""

    exponent: float
    gain: Float64
    gain_of_tags: Float64


def brightness(model: pycolmap.Reconstruction, photos: Sequence[Photo]) -> dict[str, tuple[float, float]]:
    """`gain` and `gain_of_tags` of each placed photo, by its name."""
    by_file = {photo.path.name: photo for photo in photos}
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda image: image.name)
    with ThreadPoolExecutor(cpu_count()) as pool:
        parts = list(pool.map(lambda image: _levels(image, by_file[image.name].path), images))
    photo = np.repeat(np.arange(len(images)), [len(ids) for ids, _ in parts])
    _, point = np.unique(np.concatenate([ids for ids, _ in parts]), return_inverse=True)
    level = np.concatenate([levels for _, levels in parts])
    stops = np.array([_stops(by_file[image.name]) for image in images])
    found = fit(Observations(photo=photo, point=point, level=level), stops)
    gains = zip(found.gain.tolist(), found.gain_of_tags.tolist(), strict=True)
    return {by_file[image.name].name: pair for image, pair in zip(images, gains, strict=True)}


def fit(seen: Observations, stops: Float64) -> Brightness:
    """stops: (V,) exposure of each photo, log2, NaN without tags."""
    logs, known = matched_logs(seen, len(stops)), ~np.isnan(stops)
    exposure = np.where(known, stops, 0.0) * np.log(2)
    exposure -= exposure[known].mean() if known.any() else 0.0
    exponent = _exponent(exposure[known], logs[known])
    if exponent == 0.0 or _told_by_neighbours(exposure, known, common_points(seen, len(stops))):
        return Brightness(exponent=0.0, gain=np.ones(len(stops)), gain_of_tags=np.ones(len(stops)))
    by_tags = _gains(exponent * exposure)
    by_matches = _gains(logs - logs[known].mean())  # both are relative to the mean of the photos with tags
    return Brightness(
        exponent=exponent, gain=np.where(known, by_tags, by_matches), gain_of_tags=np.where(known, by_tags, 1.0)
    )


def matched_logs(seen: Observations, count: int) -> Float64:
    """(V,) log gains that let the photos agree about their common points, mean 0: robust alternating means."""
    logs, weights = np.zeros(count), np.ones(len(seen.level))
    if not len(seen.level):  # every point is too dark or clipped
        return logs
    enough = np.bincount(seen.photo, minlength=count) >= OBSERVATIONS_MIN
    for _ in range(ROUNDS):
        of_point = np.bincount(seen.point, weights * (seen.level - logs[seen.photo]))
        of_point /= np.maximum(np.bincount(seen.point, weights), 1e-9)
        of_photo = np.bincount(seen.photo, weights * (seen.level - of_point[seen.point]), minlength=count)
        of_photo /= np.maximum(np.bincount(seen.photo, weights, minlength=count), 1e-9)
        logs = np.where(enough, of_photo - of_photo[enough].mean(), 0.0) if enough.any() else logs
        off = np.abs(seen.level - of_point[seen.point] - logs[seen.photo])
        weights = 1.0 / np.maximum(1.0, off / OUTLIER_LOG)
    return logs


def _exponent(exposure: Float64, logs: Float64) -> float:
    """Slope of `logs` over `exposure`, both (T,) of the photos with tags; 0 where it is not significant or not that of
    a tone curve."""
    freedom = len(exposure) - 2
    if freedom < 1 or exposure.std() < SPREAD_MIN_STOPS * np.log(2):
        return 0.0
    logs = logs - logs.mean()
    slope = float(exposure @ logs / (exposure @ exposure))
    left = logs - slope * exposure
    error = np.sqrt(max(float(left @ left), 1e-12) / freedom / float(exposure @ exposure))
    return slope if EXPONENT_MIN <= slope <= EXPONENT_MAX and slope >= SIGNIFICANCE_MIN * error else 0.0


def common_points(seen: Observations, count: int) -> Int64:
    """(V, V) points that two photos see both, 0 on the diagonal."""
    order = np.argsort(seen.point, kind="stable")
    photo, point = seen.photo[order], seen.point[order]
    common = np.zeros((count, count), np.int64)
    last = int(point[-1]) + 1 if len(point) else 0
    for first in range(0, last, POINTS_AT_ONCE):
        rows = slice(*np.searchsorted(point, (first, first + POINTS_AT_ONCE)))
        sees = np.zeros((count, POINTS_AT_ONCE), np.float32)
        sees[photo[rows], point[rows] - first] = 1.0
        common += (sees @ sees.T).astype(np.int64)
    np.fill_diagonal(common, 0)
    return common


def _told_by_neighbours(exposure: Float64, known: NDArray[np.bool_], common: Int64) -> bool:
    """Whether the exposure of a photo follows from those of the photos that share the most points with it."""
    exposure, common = exposure[known], common[np.ix_(known, known)]
    nearest = np.argsort(-common, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.take_along_axis(common, nearest, axis=1).astype(np.float64)
    placed = weights.sum(axis=1) > 0
    if placed.sum() <= NEIGHBOURS:
        return False
    expected = (weights * exposure[nearest]).sum(axis=1)[placed] / weights[placed].sum(axis=1)
    left = exposure[placed] - expected
    return bool(left.std() < NEIGHBOURS_TELL * exposure[placed].std())


def _gains(logs: Float64) -> Float64:
    return np.exp(np.clip(logs, -np.log(GAIN_MAX), np.log(GAIN_MAX)))


def _stops(photo: Photo) -> float:
    return np.nan if photo.exposure is None else photo.exposure


def _levels(image: pycolmap.Image, path: Path) -> tuple[Int64, Float64]:
    """Ids of the points that this photo sees unclipped, and the log of their colour in it."""
    seen = [(point.xy, point.point3D_id) for point in image.points2D if point.has_point3D()]
    if not seen:
        return np.zeros(0, np.int64), np.zeros(0)
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB"), dtype=np.float32)
    height, width, _ = pixels.shape
    xy = np.array([xy for xy, _ in seen])
    ids = np.array([int(point) for _, point in seen], dtype=np.int64)
    x = np.clip(xy[:, 0].astype(int), 1, width - 2)
    y = np.clip(xy[:, 1].astype(int), 1, height - 2)
    colour = np.mean([pixels[y + dy, x + dx] for dy in PATCH_PX for dx in PATCH_PX], axis=0)
    usable = ((colour >= DARKEST) & (colour <= BRIGHTEST)).all(axis=1)
    return ids[usable], np.log(colour[usable].mean(axis=1).astype(np.float64))
