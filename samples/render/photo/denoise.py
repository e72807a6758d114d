"""Removes the noise of light and keeps texture: an edge-stopping wavelet filter on light alone.

Pure arrays. Method: edge-avoiding a-trous wavelets (Dammertz et al. 2010) with the variance-driven stop of
SVGF (Schied et al. 2017); the variance comes from two independent half renders.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samples.render.paint.noise import Array

LEVELS = 4
KERNEL = np.array([1, 4, 6, 4, 1]) / 16
DARKEST_ALBEDO = 0.04
"""Below this, paint and light cannot be told apart by division."""


@dataclass(frozen=True, kw_only=True)
class Guides:
    """Of the first surface: albedo (H, W, 3) linear, normal (H, W, 3), distance (H, W) metres."""

    albedo: Array
    normal: Array
    distance: Array


def clean(first: Array, second: Array, guides: Guides) -> Array:
    """Two noisy exposures of one view, linear RGB (H, W, 3), to one clean picture.

    Light is divided by the paint's own colour, smoothed where neighbours share normal, distance and (within
    the noise) brightness, and multiplied back: texture passes untouched.
    """
    paint = np.maximum(guides.albedo, DARKEST_ALBEDO)
    halves = [without_fireflies(half / paint) for half in (first, second)]
    light = (halves[0] + halves[1]) / 2
    variance = ((halves[0] - halves[1]) ** 2).mean(axis=-1) / 4
    slope = np.maximum(np.abs(np.gradient(guides.distance)).min(axis=0), 1e-4)
    for level in range(LEVELS):
        light, variance = _smooth(light, variance, guides, slope, 2**level)
    return light * paint


def without_fireflies(light: Array) -> Array:
    """Pixels far brighter than all their neighbours are pulled down to the brightest of them."""
    grey = light.mean(axis=-1)
    ring = [_shifted(grey, dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]
    limit = 1.25 * np.sort(np.stack(ring), axis=0)[-2] + 1e-6
    return light * np.minimum(1.0, limit / np.maximum(grey, 1e-6))[..., None]


def _smooth(light: Array, variance: Array, guides: Guides, slope: Array, step: int) -> tuple[Array, Array]:
    """One wavelet level; returns light and variance after it."""
    normal, distance = guides.normal, guides.distance
    grey = light.mean(axis=-1)
    spread = 3.0 * np.sqrt(_blurred(variance)) + 1e-4
    total = np.zeros_like(grey)
    out, out_variance = np.zeros_like(light), np.zeros_like(variance)
    for iy, ky in enumerate(KERNEL):
        for ix, kx in enumerate(KERNEL):
            dy, dx = (iy - 2) * step, (ix - 2) * step
            away = np.hypot(dy, dx)
            turn = ((_shifted(normal, dy, dx) - normal) ** 2).sum(axis=-1)
            gap = np.abs(_shifted(distance, dy, dx) - distance) / (slope * (away + 1) + 0.002)
            contrast = np.abs(_shifted(grey, dy, dx) - grey) / spread
            weight = ky * kx * np.exp(-(turn / 0.03) - gap - contrast)
            total += weight
            out += weight[..., None] * _shifted(light, dy, dx)
            out_variance += weight**2 * _shifted(variance, dy, dx)
    return out / total[..., None], out_variance / total**2


def _blurred(field: Array) -> Array:
    return sum(
        _shifted(field, dy, dx) * w * v
        for dy, w in ((-2, 0.15), (-1, 0.2), (0, 0.3), (1, 0.2), (2, 0.15))
        for dx, v in ((-2, 0.15), (-1, 0.2), (0, 0.3), (1, 0.2), (2, 0.15))
    )


def _shifted(field: Array, dy: int, dx: int) -> Array:
    """field at (y + dy, x + dx), edges repeated."""
    height, width = field.shape[:2]
    rows = np.clip(np.arange(height) + dy, 0, height - 1)
    columns = np.clip(np.arange(width) + dx, 0, width - 1)
    return field[rows][:, columns]
