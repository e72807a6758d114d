"""What the cameras look at. Pure geometry on arrays."""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Float64

AXIS_SPREAD_MIN = 0.02
"""Conditioning of the point nearest to all optical axes; below it the axes are parallel and have no such point."""


def centres_of(poses: Float64) -> Float64:
    """(C, 3) camera positions of (C, 4, 4) world-to-camera matrices."""
    return -np.einsum("nij,ni->nj", poses[:, :3, :3], poses[:, :3, 3])


def inner(points: Float64, centres: Float64) -> Float64:
    """Points without the far background: within 4 times the median distance from the cameras' middle."""
    if len(points) < 10:
        return points
    distance = np.linalg.norm(points - np.median(centres, axis=0), axis=1)
    return points[distance <= 4.0 * np.median(distance)]


def middle_of(poses: Float64, points: Float64) -> Float64:
    """The point nearest to all optical axes if it lies in front of the cameras and near the points, else the median of
    the points."""
    centres = centres_of(poses)
    median = np.median(points, axis=0) if len(points) else centres.mean(axis=0)
    forward = poses[:, 2, :3]
    across = np.eye(3) - np.einsum("ni,nj->nij", forward, forward)
    total = across.mean(axis=0)
    if np.linalg.eigvalsh(total)[0] < AXIS_SPREAD_MIN or not len(points):
        return median
    crossing = np.linalg.solve(total, np.einsum("nij,nj->i", across, centres) / len(poses))
    in_front = (np.einsum("nj,nj->n", forward, crossing - centres) > 0).mean() > 0.9
    reach = np.percentile(np.linalg.norm(points - median, axis=1), 80)
    return crossing if in_front and np.linalg.norm(crossing - median) <= 1.5 * reach else median
