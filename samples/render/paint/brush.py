"""A brush and a few motifs: flowers, leaves, dots, strokes that look like print.

Draws on a canvas that repeats from left to right, so that a pattern closes around a pot.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from samples.render.paint.noise import Array

OVERSAMPLING = 3


class Mask:
    """A coverage map in 0..1 being painted. Coordinates: x, y in 0..1 of `width`, y in the same unit (px of x).

    Units are pixels of the final texture; the canvas is `OVERSAMPLING` finer while painting.
    """

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._image = Image.new("L", (width * OVERSAMPLING, height * OVERSAMPLING), 0)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Array, value: float = 1.0) -> None:
        """Filled outline, points (N, 2) px; repeated one width to each side."""
        for shift in (-self.width, 0, self.width):
            moved = (np.asarray(points) + np.array([shift, 0])) * OVERSAMPLING
            if moved[:, 0].max() >= 0 and moved[:, 0].min() <= self.width * OVERSAMPLING:
                self._draw.polygon([tuple(p) for p in moved], fill=round(255 * value))

    def stroke(self, points: Array, widths_px: float | Array, value: float = 1.0) -> None:
        """A brush stroke along points (N, 2) whose width may vary (N,)."""
        points = np.asarray(points, float)
        widths = np.broadcast_to(np.asarray(widths_px, float), (len(points),))
        tangent = np.gradient(points, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], -1) * widths[:, None] / 2
        self.polygon(np.concatenate([points + normal, (points - normal)[::-1]]), value)

    def outline(self, points: Array, width_px: float) -> None:
        """A stroke along points (N, 2) and back to the first."""
        self.stroke(np.concatenate([points, points[:1]]), width_px)

    def dot(self, x: float, y: float, radius_px: float, value: float = 1.0) -> None:
        self.polygon(arc(x, y, radius_px, np.linspace(0, 2 * np.pi, 24)), value)

    def band(self, y0: float, y1: float, value: float = 1.0) -> None:
        self.polygon(np.array([[0, y0], [self.width, y0], [self.width, y1], [0, y1]]), value)

    def array(self, soften_px: float = 0.0) -> Array:
        """Coverage (height, width) float32 in 0..1."""
        image = self._image.resize((self.width, self.height), Image.Resampling.BOX)
        if soften_px:
            image = image.filter(ImageFilter.GaussianBlur(soften_px))
        return np.asarray(image, np.float32) / 255


def arc(x: float, y: float, radius: float | Array, angles: Array) -> Array:
    """Points (N, 2) around (x, y) at `angles` (N,), radians; one radius, or one per point. Pixels."""
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], -1)


def leaf_outline(at: tuple[float, float], length: float, width: float, angle: float) -> Array:
    """Pointed leaf from `at` in direction `angle` (radians, px units)."""
    t = np.linspace(0, 1, 18)
    half = width / 2 * np.sin(np.pi * t**0.8)
    outline = np.concatenate([np.stack([t * length, half], -1), np.stack([t * length, -half], -1)[::-1]])
    c, s = np.cos(angle), np.sin(angle)
    return outline @ np.array([[c, s], [-s, c]]) + at


def flower(pens: tuple[Mask, Mask], at: tuple[float, float], radius: float, petals: int, turn: float) -> None:
    """A painted flower: washed petals with the light pen, lines and heart with the dark one.

    pens: (dark, light); at: centre, px; radius px; turn: direction of the first petal, radians.
    """
    (dark, light), (x, y) = pens, at
    for k in range(petals):
        angle = turn + 2 * np.pi * k / petals
        width = 2 * np.pi * radius / petals * 0.95
        outline = leaf_outline((x, y), radius, width, angle)
        light.polygon(outline)
        dark.outline(outline, radius * 0.045)
        for vein in (-0.22, 0.0, 0.22):
            tip = np.array([np.cos(angle + vein), np.sin(angle + vein)]) * radius
            t = np.linspace(0.3, 0.78, 8)[:, None]
            dark.stroke(np.array([x, y]) + t * tip, np.linspace(radius * 0.05, 0.5, 8))
    dark.dot(x, y, radius * 0.2)
    for k in range(7):
        a = 2 * np.pi * k / 7
        dark.dot(x + 0.32 * radius * np.cos(a), y + 0.32 * radius * np.sin(a), radius * 0.045)


def leaf(pens: tuple[Mask, Mask], at: tuple[float, float], length: float, angle: float) -> None:
    """A leaf with a midrib and ribs; pens: (dark, light), `at`: its stalk, px."""
    (dark, light), (x, y) = pens, at
    outline = leaf_outline((x, y), length, length * 0.42, angle)
    light.polygon(outline)
    dark.outline(outline, length * 0.05)
    t = np.linspace(0, 0.95, 10)[:, None]
    heading = np.array([np.cos(angle), np.sin(angle)])
    dark.stroke(np.array([x, y]) + t * heading * length, np.linspace(length * 0.07, 0.6, 10))
    for along in (0.3, 0.5, 0.7):
        for side in (-1, 1):
            start = np.array([x, y]) + along * heading * length
            tip = np.array([np.cos(angle + side * 0.7), np.sin(angle + side * 0.7)]) * length * 0.18
            dark.stroke(np.stack([start, start + tip]), length * 0.03)


def glyph(mask: Mask, at: tuple[float, float], height: float, rng: np.random.Generator, weight: float) -> float:
    """A letter of no alphabet, `at` on the baseline; returns its advance in px."""
    x, y = at
    width = height * rng.uniform(0.35, 0.7)
    stems = rng.integers(1, 3)
    tall = height * rng.choice([1.0, 1.0, 1.0, 1.5])
    for k in range(stems):
        sx = x + width * k / max(stems - 1, 1) * 0.85
        mask.stroke(np.array([[sx, y], [sx, y - (tall if k == 0 else height)]]), weight)
    kind = rng.integers(0, 4)
    if kind == 0 or stems == 1:
        a = np.linspace(rng.uniform(0, 6), rng.uniform(6, 9), 14)
        mask.stroke(
            np.stack([x + width * (0.5 + 0.45 * np.cos(a)), y - height * (0.5 + 0.45 * np.sin(a))], -1),
            weight * 0.8,
        )
    elif kind == 1:
        mask.stroke(np.array([[x, y - height * 0.95], [x + width * 0.85, y - height * 0.95]]), weight * 0.7)
    elif kind == 2:
        mask.stroke(np.array([[x, y - height], [x + width * 0.85, y]]), weight * 0.8)
    else:
        mask.stroke(np.array([[x, y - height * 0.5], [x + width * 0.85, y - height * 0.5]]), weight * 0.7)
    return width + height * 0.28


def printed_line(
    mask: Mask, at: tuple[float, float], width: float, height: float, rng: np.random.Generator, *, weight: float
) -> None:
    """One line of made-up words, `at` the left end of its baseline; px."""
    x, y = at
    end = x + width
    while x < end - height:
        for _ in range(rng.integers(2, 9)):
            if x > end - height:
                break
            x += glyph(mask, (x, y), height, rng, weight)
        x += height * 0.55


def weave(height: int, width: int, threads_x: int, threads_y: int) -> Array:
    """Plain weave relief in 0..1, (height, width): over and under, with round threads."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    tx, ty = (x + 0.5) / width * threads_x, (y + 0.5) / height * threads_y
    over = (np.floor(tx) + np.floor(ty)) % 2
    across = np.sin(np.pi * (tx % 1)) * (0.55 + 0.45 * np.sin(np.pi * (ty % 1)))
    along = np.sin(np.pi * (ty % 1)) * (0.55 + 0.45 * np.sin(np.pi * (tx % 1)))
    return np.where(over > 0, across, along).astype(np.float32)
