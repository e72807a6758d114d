"""Places all photos of a match database at once: rotations, positions, points, and their adjustment.
Reads a COLMAP database and changes none; judges no model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from splat_worker.sfm.global_mapper.adjustment import Bundle, angles_deg, triangulated
from splat_worker.sfm.global_mapper.algebra import unit
from splat_worker.sfm.global_mapper.descent import minimised
from splat_worker.sfm.global_mapper.lenses import found_lenses
from splat_worker.sfm.global_mapper.matches import Matches, rays_of, read_matches
from splat_worker.sfm.global_mapper.positioning import positions
from splat_worker.sfm.global_mapper.relative import ERROR_MAX_PX, Relative, epipolar_errors_px, relative_poses
from splat_worker.sfm.global_mapper.rotations import (
    ERROR_MAX_DEG,
    along_tree,
    average,
    cycle_support,
    largest_group,
)
from splat_worker.sfm.global_mapper.tracks import longest, tracks_of

SEED = 0
START_TRACKS_PER_PHOTO = 300
"""Tracks by which photos are positioned and first adjusted: the longest of each photo."""
ANGULAR_MAX = 0.035
"""Sine of the angle between a ray and its point after positioning, beyond which an observation is dropped."""
ROUNDS_PX = (30.0, 12.0, 6.0)
"""Largest reprojection errors kept after each of the first adjustments."""
ERROR_KEPT_PX = 4.0
ANGLE_MIN_DEG = 1.5
"""COLMAP's limits for observations and points of a model."""
OBSERVATIONS_MIN, PHOTOS_MIN = 15, 3
"""Points that a photo must see, and photos of a model."""
ROUGH_SETTLED_AT, SETTLED_AT, LAST_SETTLED_AT = 1e-4, 1e-6, 1e-8
STEPS_MAX = 50


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The cameras and points of the photos that were placed. photos: (N,) rows of matches; keypoints: (O,) of the
    bundle's observations; seconds: by step."""

    matches: Matches
    photos: Tensor
    bundle: Bundle
    keypoints: Tensor
    seconds: dict[str, float]


class Watch:
    """Seconds of each step."""

    def __init__(self, device: str) -> None:
        self.seconds: dict[str, float] = {}
        self._cuda, self._since = device.startswith("cuda"), time.monotonic()

    def done(self, step: str) -> None:
        if self._cuda:
            torch.cuda.synchronize()
        now = time.monotonic()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._since, 3)
        self._since = now


def place(database: Path, device: str) -> Whole | None:
    """None if the matches join fewer than three photos."""
    watch = Watch(device)
    found = read_matches(database, device)
    watch.done("read")
    if len(found.pairs) < PHOTOS_MIN - 1:
        return None
    lenses, retuned = found_lenses(found)
    relative = relative_poses(found, lenses, retuned=retuned)
    watch.done("relative poses")
    placed = _rotations(found, relative)
    if placed is None:
        return None
    photos, rotations, pairs, pose = placed
    watch.done("rotations")
    good = torch.zeros(len(found.pairs), dtype=torch.bool, device=found.pairs.device)
    good[pairs] = True
    here = torch.arange(len(found.pairs), device=found.pairs.device)
    turn, shift = relative.turn[here, pose], relative.shift[here, pose]
    near = epipolar_errors_px(found, lenses, turn, shift) < ERROR_MAX_PX
    row = torch.full((len(found.names),), -1, device=found.pairs.device)
    row[photos] = torch.arange(len(photos), device=photos.device)
    of_keypoint = row[found.photo_of_keypoint]
    matches = found.matches[near & good[found.pair_of_match]]
    structure, keypoints = tracks_of(matches, of_keypoint, len(photos))
    watch.done("tracks")
    if structure.points == 0:
        return None
    start = Bundle(
        structure=structure,
        rotations=rotations,
        shifts=torch.zeros(len(photos), 3, dtype=torch.float64, device=photos.device),
        lens=found.lens[photos],
        lenses=lenses,
        points=torch.zeros(structure.points, 3, dtype=torch.float64, device=photos.device),
        pixels=found.keypoints[keypoints],
    )
    bundle, keypoints = _positioned(start, keypoints)
    watch.done("positions")
    for number, error_px in enumerate(ROUNDS_PX):
        rough = replace(bundle, robust_px=max(1.0, error_px / 8), keeps_rotations=number == 0, keeps_lenses=number == 0)
        bundle = minimised(rough, steps_max=STEPS_MAX, settled_at=ROUGH_SETTLED_AT)
        bundle, keypoints = _filtered(bundle, keypoints, error_px, angle_min_deg=0.5)
    watch.done("first adjustments")
    bundle, keypoints = _all_tracks(found, photos, bundle)
    watch.done("all tracks")
    for error_px, settled_at in ((ERROR_KEPT_PX, ROUGH_SETTLED_AT), (ERROR_KEPT_PX, SETTLED_AT)):
        bundle = minimised(replace(bundle, robust_px=1.0), steps_max=STEPS_MAX, settled_at=settled_at)
        bundle, keypoints = _filtered(bundle, keypoints, error_px, angle_min_deg=ANGLE_MIN_DEG)
    bundle = minimised(replace(bundle, robust_px=None), steps_max=STEPS_MAX, settled_at=LAST_SETTLED_AT)
    bundle, keypoints = _filtered(bundle, keypoints, ERROR_KEPT_PX, angle_min_deg=ANGLE_MIN_DEG)
    while not bool((stays := bundle.structure.per_photo >= OBSERVATIONS_MIN).all()):
        bundle, rows = bundle.without_photos(stays)
        photos, keypoints = photos[stays], keypoints[rows]
    watch.done("last adjustments")
    if len(photos) < PHOTOS_MIN:
        return None
    return Whole(matches=found, photos=photos, bundle=bundle, keypoints=keypoints, seconds=watch.seconds)


def _rotations(found: Matches, relative: Relative) -> tuple[Tensor, Tensor, Tensor, Tensor] | None:
    """Of the largest group: (N,) photos, (N, 3, 3) rotations, the pairs that agree with them, and the (E,) pose of each
    pair that does."""
    count = len(found.names)
    support, triangles = cycle_support(found.pairs, relative.turn, count)
    best = (support + relative.fit).argmax(1)
    here = torch.arange(len(best), device=best.device)
    closed = (support[here, best] + 1.0) / (triangles + 2.0)
    weights = found.counts.to(torch.float64).clamp(max=200).sqrt() * relative.fit[here, best].clamp(min=0.01)
    tree = largest_group(found.pairs.cpu().numpy(), (weights * closed).cpu().numpy(), count)
    for _ in range(3):
        if len(tree) < PHOTOS_MIN:
            return None
        start = along_tree(tree, found.pairs, relative.turn[here, best], count)
        photos = torch.tensor(sorted(photo for photo, *_ in tree), device=best.device)
        row = torch.full((count,), -1, device=best.device)
        row[photos] = torch.arange(len(photos), device=best.device)
        inside = (row[found.pairs] >= 0).all(1).nonzero()[:, 0]
        rotations, nearest, errors = average(
            row[found.pairs[inside]], relative.turn[inside], (weights * closed)[inside], start[photos]
        )
        agree = inside[errors < ERROR_MAX_DEG]
        best = best.clone()
        best[inside] = nearest
        numbers = agree.cpu()
        tree = largest_group(found.pairs[agree].cpu().numpy(), (weights * closed)[agree].cpu().numpy(), count)
        tree = [(photo, parent, int(numbers[edge]) if edge >= 0 else -1) for photo, parent, edge in tree]
        if len(tree) == len(photos):
            return photos, rotations, agree, best
    return None


def _positioned(bundle: Bundle, keypoints: Tensor) -> tuple[Bundle, Tensor]:
    """The longest tracks with positions and points, of which only rotations and lenses were known. The scene's extent
    is near 1."""
    chosen = longest(bundle.structure, START_TRACKS_PER_PHOTO)
    bundle, rows = bundle.only(chosen[bundle.structure.point], least=3)
    keypoints = keypoints[rows]
    structure = bundle.structure
    directions = _directions(bundle)
    where = positions(structure, directions, seed=SEED)
    middle = where.centres.median(0).values
    extent = (where.centres - middle).norm(dim=1).median().clamp(min=1e-9)
    centres, points = (where.centres - middle) / extent, (where.points - middle) / extent
    bundle = replace(bundle, points=points, shifts=-(bundle.rotations @ centres[..., None]).squeeze(-1))
    way = unit(points[structure.point] - centres[structure.photo])
    off = torch.linalg.cross(way, directions).norm(dim=1)
    good = (off < ANGULAR_MAX) & ((way * directions).sum(1) > 0)
    bundle, rows = bundle.only(good, least=2)
    return bundle, keypoints[rows]


def _directions(bundle: Bundle) -> Tensor:
    """(O, 3) of length 1, world frame."""
    photo = bundle.structure.photo
    rays = unit(rays_of(bundle.pixels, bundle.lenses[bundle.lens[photo]]))
    return (bundle.rotations[photo].transpose(1, 2) @ rays[..., None]).squeeze(-1)


def _all_tracks(found: Matches, photos: Tensor, bundle: Bundle) -> tuple[Bundle, Tensor]:
    """All tracks of the matches that the cameras explain, triangulated."""
    row = torch.full((len(found.names),), -1, device=photos.device)
    row[photos] = torch.arange(len(photos), device=photos.device)
    inside = (row[found.pairs] >= 0).all(1)
    first, second = row[found.pairs].clamp(min=0).unbind(1)
    turn = bundle.rotations[second] @ bundle.rotations[first].transpose(1, 2)
    shift = bundle.shifts[second] - (turn @ bundle.shifts[first][..., None]).squeeze(-1)
    near = epipolar_errors_px(found, bundle.lenses, turn, unit(shift)) < ERROR_MAX_PX
    matches = found.matches[near & inside[found.pair_of_match]]
    structure, keypoints = tracks_of(matches, row[found.photo_of_keypoint], len(photos))
    every = replace(
        bundle,
        structure=structure,
        pixels=found.keypoints[keypoints],
        points=torch.zeros(structure.points, 3, dtype=torch.float64, device=photos.device),
    )
    every = replace(every, points=triangulated(structure, every.centres, _directions(every)))
    return _filtered(every, keypoints, 2 * ERROR_KEPT_PX, angle_min_deg=ANGLE_MIN_DEG)


def _filtered(bundle: Bundle, keypoints: Tensor, error_px: float, *, angle_min_deg: float) -> tuple[Bundle, Tensor]:
    """Without observations that are farther off, points behind a camera, and points seen at too small an angle."""
    good = bundle.errors_px().norm(dim=1) < error_px
    bundle, rows = bundle.only(good, least=2)
    keypoints = keypoints[rows]
    wide = angles_deg(bundle) >= angle_min_deg
    bundle, rows = bundle.only(wide[bundle.structure.point], least=2)
    return bundle, keypoints[rows]
