"""How many photos a card's memory holds in each preset: what a job's training needs, before it starts.
Pure. The trainer plans with its own counts (worker_image, train/cuda/memory.py); a test of the worker holds this to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GIB = 1 << 30
PHOTOS_MAX = 1000
"""Most photos that a worker accepts."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """side_px: longer side of the stored photos; trained_px: of those that are trained on; gaussians: of 25 photos."""

    side_px: int
    trained_px: int
    gaussians: int


SHAPES: Mapping[str, Shape] = {
    "preview": Shape(side_px=1200, trained_px=960, gaussians=90_000),
    "standard": Shape(side_px=1600, trained_px=1600, gaussians=180_000),
    "high": Shape(side_px=2400, trained_px=2400, gaussians=220_000),
}
GROWTH = (0.5, 2.5)  # of the Gaussians, by the root of photos over 25
_GAUSSIAN_BYTES = 3180  # with 16 instances, two copies for an edit, and what sorting them takes
_PIXEL_BYTES = 85  # of the largest photo: pictures, gradients and tiles
_CONTEXT_SHARE = 0.05  # of the card: CUDA's own
_FREE_SHARE = 0.9  # of what is free; the trainer leaves the rest
_RESERVE_BYTES = GIB
_RESIDENT_BYTES_MAX = 6 * GIB  # of stored photos on the card; with more, all stay on the host


def needed_bytes(preset: str, photos: int) -> int:
    """Of a card, for photos of 4 to 3. Raises KeyError for an unknown preset."""
    shape = SHAPES[preset]
    stored, pixels = _pixels(shape.side_px), _pixels(min(shape.side_px, shape.trained_px))
    gaussians = shape.gaussians * min(GROWTH[1], max(GROWTH[0], math.sqrt(photos / 25)))
    on_card = photos if 3 * stored * photos <= _RESIDENT_BYTES_MAX else 0
    planned = gaussians * _GAUSSIAN_BYTES + pixels * (_PIXEL_BYTES + 4 * max(on_card, 1)) + _RESERVE_BYTES
    return round((planned / _FREE_SHARE + 3 * stored * on_card) / (1 - _CONTEXT_SHARE))


def photos_that_fit(preset: str, memory_gb: int) -> int:
    """The most photos, up to PHOTOS_MAX, so that no smaller set needs more memory either."""
    room = memory_gb * GIB
    return next((count - 1 for count in range(1, PHOTOS_MAX + 1) if needed_bytes(preset, count) > room), PHOTOS_MAX)


def card_room(name: str, memory_gb: int) -> dict[str, Any] | None:
    """What the edge worker has to know of the smallest card that a job can get (docs/contracts.md, binding CARD); None
    if the catalogue does not give its memory."""
    if memory_gb <= 0:
        return None
    photos = {preset: photos_that_fit(preset, memory_gb) for preset in SHAPES}
    return {"name": name, "memory_gb": memory_gb, "photos_max": photos}


def too_many_photos(photos_max: int, card: Mapping[str, Any] | None) -> str | None:
    """A sentence for the plan, if a stack allows more photos than the card of `card_room` holds. The app refuses such
    jobs, so this warns and stops nothing."""
    short = {preset: int(most) for preset, most in (card or {}).get("photos_max", {}).items() if most < photos_max}
    if card is None or not short:
        return None
    most = ", ".join(f"{count} with preset {preset}" for preset, count in sorted(short.items(), key=lambda one: one[1]))
    return (
        f"photo-splat:photosMax is {photos_max}, but {card['name']} ({int(card['memory_gb'])} GB), the smallest card of"
        f" photo-splat:gpu, holds at most {most}. Jobs above that are refused. Lower photosMax, or name larger cards."
    )


def _pixels(side_px: int) -> int:
    return side_px * side_px * 3 // 4
