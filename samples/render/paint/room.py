"""Paint of the room: oak table, parquet, rug, panelled wall.

Returns sRGB images (H, W, 3) in 0..1, float32; all random choices come from the generator given.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from samples.render.paint.brush import Mask, arc, flower, leaf, leaf_outline
from samples.render.paint.noise import Array, fbm, mix, ramp, smoothstep, value_noise

OAK = [(0.0, (0.25, 0.16, 0.10)), (0.35, (0.41, 0.28, 0.175)), (0.7, (0.54, 0.39, 0.255)), (1.0, (0.65, 0.50, 0.345))]


def plank(height: int, width: int, rng: np.random.Generator) -> Array:
    """Tone of one board in 0..1, (height, width); the grain runs along the width."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    u, v = x / max(width, 1), y / max(height, 1)
    aspect = width / height
    wander = fbm(height, width, 2, 3, rng, octaves=3)
    fine = fbm(height, width, 4, 10, rng, octaves=3)
    centre = rng.uniform(-0.6, 1.6)
    field = np.abs(v - centre + 0.16 * wander + 0.02 * fine)
    for _ in range(rng.poisson(1)):
        ku, kv = rng.uniform(0.05, 0.95), rng.uniform(0.2, 0.8)
        distance = np.hypot((u - ku) * aspect * 0.45, v - kv)
        field += 0.32 * np.exp(-((distance / 0.13) ** 2))
    ring = (field * 9.0 + 0.1 * fine) % 1.0
    late = smoothstep(0.55, 0.95, ring) * smoothstep(1.0, 0.96, ring)
    fibres = value_noise(height, width, max(height // 2, 4), max(width // 60, 4), rng)
    pores = smoothstep(0.55, 0.85, value_noise(height, width, max(height // 3, 4), max(width // 28, 4), rng))
    mottled = fbm(height, width, 3, 6, rng, octaves=4)
    return np.clip(0.66 - 0.36 * late + 0.10 * fibres - 0.24 * pores + 0.13 * mottled, 0, 1)


def boards(
    size: int, rows: int, rng: np.random.Generator, *, joints: bool, palette: list, spread: float, gap_px: int
) -> Array:
    """`rows` boards across a square of `size` px, cut at random lengths if `joints`."""
    image = np.zeros((size, size, 3), np.float32)
    edges = np.linspace(0, size, rows + 1).astype(int)
    for top, bottom in pairwise(edges):
        cuts = [0, size]
        if joints:
            cuts = sorted({0, size, *(int(c) for c in rng.uniform(0.1, 0.9, 2) * size)})
        for left, right in pairwise(cuts):
            tone = plank(bottom - top, right - left, rng) + rng.normal(0, spread)
            colour = ramp(np.clip(tone, 0, 1), palette)
            colour *= 1 + rng.normal(0, 0.035, 3).astype(np.float32)
            image[top:bottom, left:right] = colour
            image[top : top + gap_px, left:right] *= 0.35
            image[top:bottom, left : left + gap_px] *= 0.45 if joints else 1.0
    return image


def table_top(rng: np.random.Generator, size: int = 2048) -> Array:
    """An old oak table that has seen use: rings of cups, scratches, ink."""
    image = boards(size, 7, rng, joints=False, palette=OAK, spread=0.07, gap_px=4)
    worn = fbm(size, size, 3, 3, rng, octaves=5)
    image = mix(image, image * 0.72, smoothstep(0.1, 0.9, worn) * 0.8)
    stain, scratch = Mask(size, size), Mask(size, size)
    for _ in range(9):
        x, y, r = rng.uniform(0.1, 0.9) * size, rng.uniform(0.1, 0.9) * size, rng.uniform(0.031, 0.042) * size
        start = rng.uniform(0, 6)
        a = np.linspace(start, start + rng.uniform(3.5, 6.2), 80)
        stain.stroke(arc(x, y, r, a), 5 + 3 * np.sin(3 * a), 0.8)
    for _ in range(70):
        x, y, a = rng.uniform(0, size), rng.uniform(0, size), rng.normal(0, 0.8)
        t = np.linspace(0, rng.uniform(20, 150), 12)
        bend = rng.normal(0, 0.002) * t**2
        scratch.stroke(np.stack([x + t * np.cos(a), y + t * np.sin(a) + bend], -1), rng.uniform(1.2, 2.4))
    for _ in range(60):
        stain.dot(rng.uniform(0, size), rng.uniform(0, size), rng.exponential(4) + 2, rng.uniform(0.4, 1))
    image = mix(image, (0.16, 0.09, 0.05), stain.array(1.5) * 0.55)
    image = mix(image, (0.80, 0.62, 0.42), scratch.array(0.5) * 0.55)
    return np.clip(image, 0, 1)


def parquet(rng: np.random.Generator, size: int = 2048) -> Array:
    """Wide dark floor boards."""
    palette = [(0.0, (0.13, 0.085, 0.06)), (0.5, (0.30, 0.20, 0.14)), (1.0, (0.47, 0.34, 0.24))]
    image = boards(size, 22, rng, joints=True, palette=palette, spread=0.12, gap_px=5)
    dust = fbm(size, size, 6, 6, rng, octaves=6)
    return np.clip(image * (1 + 0.22 * dust[..., None]), 0, 1)


def rug(rng: np.random.Generator, size: int = 1536) -> Array:
    """A round-patterned woollen rug: borders, palmettes, medallion, worn unevenly."""
    c = size / 2
    cream, navy, rust = Mask(size, size), Mask(size, size), Mask(size, size)
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    inset = np.minimum.reduce([x, y, size - x, size - y]) / size
    ground = fbm(size, size, 8, 8, rng, octaves=5)
    image = mix((0.47, 0.10, 0.085), (0.58, 0.17, 0.12), ground * 0.5 + 0.5)
    image = mix(image, (0.11, 0.15, 0.25), (inset < 0.125) & (inset > 0.03))
    for k in range(4):
        turn = np.array([[0, 1], [-1, 0]])
        m = np.linalg.matrix_power(turn, k)
        for i in range(15):
            p = m @ np.array([(i + 0.5) / 15 - 0.5, 0.5 - 0.078]) * size + c
            if i % 2:
                flower((navy, cream), (p[0], p[1]), size * 0.027, 6, 0.3)
            else:
                flower((navy, rust), (p[0], p[1]), size * 0.024, 8, 0.1)
        for row in range(3, 10):
            for column in range(-row, row + 1, 2):
                p = m @ np.array([column * 0.034, row * 0.036]) * size + c
                if (row + column) % 4 == 0:
                    flower((navy, cream), (p[0], p[1]), size * 0.017, 5, k)
                else:
                    a = np.pi / 2 * (k + rng.integers(0, 4))
                    leaf((navy, cream if row % 2 else rust), (p[0], p[1]), size * 0.025, a + 0.6)
    for k in range(16):
        a = 2 * np.pi * k / 16
        light = cream if k % 2 else rust
        petal = leaf_outline((c, c), size * 0.105, size * 0.04, a)
        light.polygon(petal)
        navy.stroke(petal, size * 0.003)
    image = mix(image, (0.72, 0.42, 0.16), rust.array())
    image = mix(image, (0.83, 0.75, 0.58), cream.array())
    image = mix(image, (0.09, 0.11, 0.20), navy.array())
    for low, high in ((0.03, 0.036), (0.119, 0.127), (0.137, 0.141)):
        image = mix(image, (0.83, 0.75, 0.58), (inset > low) & (inset < high))
    knots = value_noise(size, size, size // 4, size // 4, rng)
    abrash = value_noise(size, size, 40, 2, rng)
    worn = fbm(size, size, 5, 5, rng, octaves=5)
    image = image * (1 + 0.16 * knots + 0.10 * abrash + 0.12 * worn)[..., None]
    image[inset < 0.008] = (0.8, 0.74, 0.62)
    return np.clip(image, 0, 1)


def wall(rng: np.random.Generator, size: int = 2048, width_m: float = 4.4) -> Array:
    """Painted panelling below, a stencilled paper above; 4.4 x 2.2 m, floor at the bottom."""
    height, width = size // 2, size
    px = width / width_m
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    up = (height - y) / px
    dirt = fbm(height, width, 6, 12, rng, octaves=6)
    brushed = value_noise(height, width, 12, width // 5, rng)
    low = mix((0.50, 0.56, 0.50), (0.60, 0.65, 0.58), dirt * 0.5 + 0.5) * (1 + 0.06 * brushed)[..., None]
    paper = mix((0.72, 0.66, 0.53), (0.80, 0.74, 0.61), dirt * 0.5 + 0.5)
    dark, light = Mask(height, width), Mask(height, width)
    step = int(px * 0.2)
    for row, gy in enumerate(range(0, int(height - 0.92 * px), step)):
        for column in range(22):
            gx = (column + 0.5 * (row % 2)) * step
            flower((dark, light), (gx, gy), px * 0.042, 6, 0.26)
            for a in (0.6, 2.5, -0.6, -2.5):
                leaf((dark, light), (gx + px * 0.05 * np.cos(a), gy + px * 0.05 * np.sin(a)), px * 0.05, a)
    paper = mix(paper, (0.62, 0.47, 0.36), light.array() * 0.75)
    paper = mix(paper, (0.35, 0.36, 0.33), dark.array() * 0.8)
    image = np.where((up > 0.92)[..., None], paper, low)
    # Panels, drawn with their light edge above and dark edge below as if moulded.
    period = 0.55
    phase = (x / px) % period
    for grow, shade in ((0.0, 0.62), (0.012, 1.22), (0.03, 0.78)):
        inside = (phase > 0.07 + grow) & (phase < period - 0.07 - grow) & (up > 0.24 + grow) & (up < 0.78 - grow)
        rim = inside & ~(
            (phase > 0.076 + grow) & (phase < period - 0.076 - grow) & (up > 0.246 + grow) & (up < 0.774 - grow)
        )
        image = np.where(rim[..., None], image * shade, image)
    for level, thick, shade in ((0.92, 0.05, 1.12), (0.925, 0.008, 0.55), (0.872, 0.006, 0.5), (0.16, 0.01, 0.5)):
        band = (up < level) & (up > level - thick)
        image = np.where(band[..., None], image * shade, image)
    chips = smoothstep(0.62, 0.75, fbm(height, width, 14, 28, rng, octaves=5))
    image = mix(image, (0.74, 0.70, 0.62), chips * (up < 0.9) * 0.85)
    return np.clip(image, 0, 1)
