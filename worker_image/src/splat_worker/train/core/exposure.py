"""How much brighter or darker, channel by channel, each photo was taken than the others.
Measured once before training, from the photos and the sparse cloud; nothing is learned, so nothing can drift.

A learned colour per photo leaves a free choice: the scene may turn blue while all photos' corrections turn yellow.
The gain is measured instead: the median over sparse points of the photo's colour at the point's projection over the
colour of the point. The median ignores hidden points as long as they are few. Around an object they are many, and a
gain may be wrong by a third; that is why no preset uses gains (bench/gpu/README.md). Gains are scaled to a geometric
mean of 1: the scene has the colours of the average photo.
"""

from __future__ import annotations

import numpy as np

from splat_worker.scene import Camera, Float32, Float64, PosedPhotos, View

DARKEST, BRIGHTEST = 16, 239  # of 255; outside, a channel may be clipped
POINTS_MIN = 30  # with fewer usable points in a photo its gain is 1
DIFFERENCE_MIN = 0.03  # spread of log gains under which photos count as equally exposed
CERTAINTY = 2.0  # the spread must also be so many times the typical standard error of a gain
GAIN_LIMIT = 4.0


def photo_gains(posed: PosedPhotos, views: tuple[View, ...]) -> Float64:
    """(V, 3) gains of `views`, photo = gain * scene; all ones where the photos do not differ clearly."""
    logs, doubts = np.zeros((len(views), 3)), []
    for i, view in enumerate(views):
        seen, wanted = _colours_at_points(posed, view)
        usable = ((seen >= DARKEST) & (seen <= BRIGHTEST) & (wanted >= DARKEST) & (wanted <= BRIGHTEST)).all(axis=1)
        if usable.sum() >= POINTS_MIN:
            ratios = np.log(seen[usable] / wanted[usable])
            logs[i] = np.median(ratios, axis=0)
            # standard error of a median: 1.25 sigma / sqrt(n), sigma from the median absolute deviation
            deviation = 1.48 * np.median(np.abs(ratios - logs[i]), axis=0).max()
            doubts.append(1.25 * deviation / np.sqrt(len(ratios)))
    logs = np.clip(logs, -np.log(GAIN_LIMIT), np.log(GAIN_LIMIT))
    logs -= logs.mean(axis=0)
    certain = max(DIFFERENCE_MIN, CERTAINTY * float(np.median(doubts)) if doubts else 0.0)
    if logs.std(axis=0).max() < certain:
        return np.ones_like(logs)
    return np.exp(logs)


def affines_of(gains: Float64) -> Float32:
    """(V, 3, 4) as the loss takes them: a diagonal matrix and no offset."""
    out = np.zeros((len(gains), 3, 4), np.float32)
    out[:, [0, 1, 2], [0, 1, 2]] = gains
    return out


def _colours_at_points(posed: PosedPhotos, view: View) -> tuple[Float64, Float64]:
    """(M, 3) photo and point colours, 0..255, for the points that project into the photo."""
    camera: Camera = view.camera
    pose = camera.world_to_camera
    x, y, z = pose[:3, :3] @ posed.points.T.astype(np.float64) + pose[:3, 3:]
    ahead = np.where(z > 1e-9, z, np.inf)
    u = camera.k[0, 0] * x / ahead + camera.k[0, 2]
    v = camera.k[1, 1] * y / ahead + camera.k[1, 2]
    inside = (z > 1e-9) & (u >= 1) & (u < camera.width - 1) & (v >= 1) & (v < camera.height - 1)
    columns, rows = u[inside].astype(int), v[inside].astype(int)
    patch = [view.image[rows + dy, columns + dx].astype(np.float64) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return np.mean(patch, axis=0), posed.point_colours[inside].astype(np.float64)
