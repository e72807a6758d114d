"""Seeded noise on pixel grids: the raw material of every texture.

Arrays in, arrays out: no files, no Mitsuba, and never a random source that was not passed in.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

Array = np.ndarray


def value_noise(height: int, width: int, cells_y: int, cells_x: int, rng: np.random.Generator) -> Array:
    """Smooth random field in about -1..1, shape (height, width), seamless left to right and top to bottom."""
    grid = rng.uniform(-1.0, 1.0, (cells_y, cells_x)).astype(np.float32)
    pad = 2
    grid = np.pad(grid, pad, mode="wrap")
    box = (pad - 0.5, pad - 0.5, pad - 0.5 + cells_x, pad - 0.5 + cells_y)
    return np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC, box=box))


def fbm(
    height: int,
    width: int,
    cells_y: int,
    cells_x: int,
    rng: np.random.Generator,
    *,
    octaves: int = 5,
    gain: float = 0.5,
) -> Array:
    """Sum of value noises, each twice as fine and `gain` times as strong. About -1..1, (height, width)."""
    total = np.zeros((height, width), np.float32)
    strength, norm = 1.0, 0.0
    for _ in range(octaves):
        if cells_y > height or cells_x > width:
            break
        total += strength * value_noise(height, width, cells_y, cells_x, rng)
        norm += strength
        strength *= gain
        cells_y, cells_x = cells_y * 2, cells_x * 2
    return total / norm * 1.6


def cracks(height: int, width: int, cells_y: int, cells_x: int, rng: np.random.Generator) -> Array:
    """Distance to the nearest border between random cells (Worley F2 - F1), in cells: 0 on a crack.

    Seamless. Shape (height, width).
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    gx, gy = (x + 0.5) / width * cells_x, (y + 0.5) / height * cells_y
    px, py = rng.uniform(0, 1, (2, cells_y, cells_x)).astype(np.float32)
    ix, iy = np.floor(gx).astype(int), np.floor(gy).astype(int)
    first = np.full((height, width), 9.0, np.float32)
    second = first.copy()
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            cx, cy = (ix + dx) % cells_x, (iy + dy) % cells_y
            distance = np.hypot(ix + dx + px[cy, cx] - gx, iy + dy + py[cy, cx] - gy)
            second = np.minimum(second, np.maximum(first, distance))
            first = np.minimum(first, distance)
    return second - first


def speckled(
    image: Array,
    colour: tuple[float, float, float],
    strength: float,
    rng: np.random.Generator,
    *,
    cells: tuple[int, int],
    between: tuple[float, float],
) -> Array:
    """`image` (H, W, 3) with round specks of `colour`; fewer specks the higher the noise level `between`."""
    specks = smoothstep(*between, value_noise(*image.shape[:2], *cells, rng))
    return mix(image, colour, specks * strength)


def polar(size: int) -> tuple[Array, Array]:
    """Radius and angle (size, size) of the pixels of a square picture; the radius is 1 at its edges."""
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size * 2 - 1
    return np.hypot(x, y), np.arctan2(y, x)


def smoothstep(low: float, high: float, x: Array) -> Array:
    """0 below `low`, 1 above `high`, smooth between (low may exceed high: then it falls)."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3 - 2 * t)


def ramp(x: Array, stops: list[tuple[float, tuple[float, float, float]]]) -> Array:
    """Colour ramp: x (...) to sRGB (..., 3) by linear interpolation between (position, colour) stops."""
    positions = [position for position, _ in stops]
    return np.stack(
        [np.interp(x, positions, [colour[channel] for _, colour in stops]) for channel in range(3)], axis=-1
    ).astype(np.float32)


def mix(a: Array | tuple, b: Array | tuple, weight: Array) -> Array:
    """Blend colours a and b ((..., 3) or one colour) by weight (...): 0 is a, 1 is b."""
    w = np.asarray(weight, np.float32)[..., None]
    return (np.asarray(a, np.float32) * (1 - w) + np.asarray(b, np.float32) * w).astype(np.float32)
