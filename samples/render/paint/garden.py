"""Paint of what grew: lemons, pears, the house leek with its pot and soil.

Returns sRGB images (H, W, 3) in 0..1, float32, u to the right and v down as the meshes have them.
"""

from __future__ import annotations

import numpy as np

from samples.render.paint.brush import Mask, leaf_outline
from samples.render.paint.noise import Array, fbm, mix, polar, smoothstep, speckled, value_noise


def lemon_skin(rng: np.random.Generator, height: int = 384, width: int = 512) -> Array:
    pores = smoothstep(0.35, 0.8, value_noise(height, width, 48, 64, rng))
    clouds = fbm(height, width, 3, 4, rng, octaves=5)
    image = mix((0.90, 0.68, 0.10), (0.82, 0.72, 0.20), clouds * 0.5 + 0.5)
    image = mix(image, (0.62, 0.43, 0.06), pores * 0.55)
    v = np.arange(height)[:, None] / height
    ends = smoothstep(0.16, 0.0, np.minimum(v, 1 - v) + 0.03 * clouds)
    image = mix(image, (0.50, 0.52, 0.14), ends * 0.6)
    scars = smoothstep(0.62, 0.8, fbm(height, width, 10, 14, rng, octaves=4))
    return mix(image, (0.52, 0.36, 0.18), scars * 0.7)


def lemon_cut(rng: np.random.Generator, size: int = 512) -> Array:
    """A halved lemon seen from the front: pith, ten segments, juice cells, a few pips."""
    r, a = polar(size)
    cells = fbm(size, size, 30, 30, rng, octaves=3)
    wedge = np.abs(((a / (2 * np.pi) * 10 + 0.02 * cells) % 1) - 0.5) * 2
    flesh = smoothstep(0.97, 0.86, wedge) * smoothstep(0.86, 0.80, r) * smoothstep(0.06, 0.12, r)
    image = mix((0.93, 0.88, 0.68), (0.90, 0.84, 0.58), cells * 0.5 + 0.5)
    strands = 0.5 + 0.5 * np.sin(a * 90 + 6 * cells) * smoothstep(0.1, 0.6, r)
    image = mix(image, mix((0.90, 0.72, 0.20), (0.96, 0.85, 0.42), strands), flesh)
    image = mix(image, (0.88, 0.66, 0.08), smoothstep(0.94, 0.97, r))
    pips = Mask(size, size)
    for k in range(5):
        t = 2 * np.pi * (k * 2 + 0.5) / 10
        at = size / 2 * (1 + 0.2 * np.cos(t)), size / 2 * (1 + 0.2 * np.sin(t))
        pips.polygon(leaf_outline(at, size * 0.09, size * 0.05, t))
    return mix(image, (0.60, 0.46, 0.26), pips.array(0.8) * 0.9)


def pear_skin(rng: np.random.Generator, height: int = 512, width: int = 512) -> Array:
    clouds = fbm(height, width, 3, 3, rng, octaves=5)
    v = np.arange(height)[:, None] / height
    u = np.arange(width)[None, :] / width
    image = mix((0.55, 0.58, 0.20), (0.72, 0.64, 0.24), clouds * 0.6 + 0.5)
    blush = smoothstep(0.1, 0.9, 0.5 + 0.5 * np.cos(2 * np.pi * (u - 0.3)) + 0.3 * clouds - 0.15) * smoothstep(
        0.1, 0.5, v
    )
    image = mix(image, (0.66, 0.24, 0.14), blush * 0.75)
    russet = smoothstep(0.25, 0.0, np.minimum(v, 1 - v) + 0.12 * clouds)
    image = mix(image, (0.46, 0.33, 0.17), russet * 0.8)
    return speckled(image, (0.36, 0.27, 0.12), 0.75, rng, cells=(80, 90), between=(0.5, 0.72))


def terracotta(rng: np.random.Generator, height: int = 512, width: int = 1024) -> Array:
    clouds = fbm(height, width, 5, 8, rng, octaves=6)
    image = mix((0.60, 0.29, 0.18), (0.72, 0.42, 0.28), clouds * 0.5 + 0.5)
    chalk = smoothstep(0.1, 0.8, fbm(height, width, 6, 10, rng, octaves=6))
    image = mix(image, (0.82, 0.74, 0.66), chalk * 0.65)
    slip = Mask(height, width)
    for k in range(18):
        t = np.linspace(0, 1, 30)
        x = (k + t) / 18 * width
        slip.stroke(np.stack([x, (0.60 + 0.035 * np.sin(2 * np.pi * t)) * height], -1), 6)
        slip.dot((k + 0.25) / 18 * width, 0.68 * height, 7)
        slip.dot((k + 0.75) / 18 * width, 0.52 * height, 7)
    for y in (0.44, 0.76):
        slip.band(y * height, y * height + 5)
    image = mix(image, (0.90, 0.84, 0.72), slip.array(0.6) * 0.75)
    return speckled(image, (0.30, 0.14, 0.09), 0.7, rng, cells=(height // 5, width // 5), between=(0.6, 0.8))


def succulent_leaf(rng: np.random.Generator, height: int = 256, width: int = 192) -> Array:
    """v from the base to the tip: grey green to a red rim."""
    v = np.arange(height)[:, None] / height
    clouds = fbm(height, width, 5, 4, rng, octaves=5)
    image = mix((0.38, 0.55, 0.36), (0.60, 0.74, 0.52), np.clip(v + 0.3 * clouds, 0, 1))
    rim = smoothstep(0.90, 1.0, v + 0.05 * clouds)
    image = mix(image, (0.70, 0.24, 0.28), rim * 0.85)
    return speckled(image, (0.30, 0.36, 0.26), 0.6, rng, cells=(30, 22), between=(0.5, 0.75))


def soil(rng: np.random.Generator, size: int = 256) -> Array:
    grit = value_noise(size, size, 60, 60, rng)
    image = mix((0.10, 0.07, 0.05), (0.33, 0.25, 0.18), fbm(size, size, 20, 20, rng, octaves=4) * 0.5 + 0.5)
    return mix(image, (0.70, 0.66, 0.58), smoothstep(0.62, 0.75, grit))
