"""Paint of paper, print and cloth: bindings, pages, the posted card, linen.

Returns sRGB images (H, W, 3) in 0..1, float32, u to the right and v down as the meshes have them.
"""

from __future__ import annotations

import numpy as np

from samples.render.paint.brush import Mask, arc, flower, leaf, leaf_outline, printed_line, weave
from samples.render.paint.noise import Array, fbm, mix, smoothstep, value_noise

GILT = (0.80, 0.60, 0.24)


def binding(
    rng: np.random.Generator,
    colour: tuple[float, float, float],
    spine: tuple[float, float],
    style: int,
    size_px: tuple[int, int] = (768, 1100),
) -> Array:
    """Cloth cover laid open: back board | spine | front board; `spine` is its u range."""
    height, width = size_px
    gilt, blind = Mask(height, width), Mask(height, width)
    s0, s1 = spine[0] * width, spine[1] * width
    boards_px = ((0.0, s0), (s1, float(width)))
    for x0, x1 in boards_px:
        for inset, thick in ((26, 5), (38, 2.5), (92, 2.5)):
            corners = np.array(
                [[x0 + inset, inset], [x1 - inset, inset], [x1 - inset, height - inset], [x0 + inset, height - inset]]
            )
            for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                gilt.stroke(np.stack([a, b]), thick)
        _frieze(gilt, (x0 + 65, x1 - 65), (65, height - 65), style)
        _ornament(gilt, (x0 + x1) / 2, height / 2, min(x1 - x0, height) * 0.27, style)
    for k in range(1, 7):
        y = height * k / 7
        gilt.stroke(np.array([[s0 + 4, y], [s1 - 4, y]]), 5)
        gilt.stroke(np.array([[s0 + 4, y + 10], [s1 - 4, y + 10]]), 2)
    middle = (s0 + s1) / 2
    for k in range(7):
        y = height * (k + 0.5) / 7
        if k in (1, 4):
            for line in (-16, 6, 28):
                printed_line(gilt, (s0 + 12, y + line), s1 - s0 - 20, 13, rng, weight=3.0)
        else:
            _ornament(gilt, middle, y, (s1 - s0) * 0.34, style + k)
    for _ in range(40):
        blind.dot(rng.uniform(0, width), rng.uniform(0, height), rng.exponential(3) + 1)
    cloth = weave(height, width, width // 6, height // 6)
    clouds = fbm(height, width, 4, 6, rng, octaves=6)
    image = np.asarray(colour, np.float32) * (0.80 + 0.24 * cloth + 0.22 * clouds)[..., None]
    u = np.arange(width)[None, :] / width
    v = np.arange(height)[:, None] / height
    edge = np.minimum.reduce(np.broadcast_arrays(u, 1 - u, np.abs(u - spine[0]), np.abs(u - spine[1]), v, 1 - v))
    rubbed = smoothstep(0.03, 0.0, edge + 0.012 * clouds) * (0.5 + 0.5 * value_noise(height, width, 60, 90, rng))
    image = mix(image, np.asarray(colour) * 0.5 + 0.33, rubbed * 0.8)
    worn_gilt = smoothstep(-0.75, -0.2, fbm(height, width, 20, 30, rng, octaves=4))
    image = mix(image, (0.08, 0.06, 0.05), blind.array(1.0) * 0.35)
    return np.clip(mix(image, GILT, gilt.array() * (0.25 + 0.75 * worn_gilt)), 0, 1)


def _frieze(mask: Mask, across: tuple[float, float], down: tuple[float, float], style: int) -> None:
    """Small leaves and dots marching around a frame."""
    (x0, x1), (y0, y1) = across, down
    points = []
    for a, b in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        length = np.hypot(b[0] - a[0], b[1] - a[1])
        count = max(int(length / 30), 1)
        heading = np.arctan2(b[1] - a[1], b[0] - a[0])
        points += [(a[0] + (b[0] - a[0]) * i / count, a[1] + (b[1] - a[1]) * i / count, heading) for i in range(count)]
    for k, (x, y, heading) in enumerate(points):
        if k % 2 == style % 2:
            mask.polygon(leaf_outline((x, y), 24, 11, heading + 0.6))
            mask.polygon(leaf_outline((x, y), 24, 11, heading - 0.6))
        else:
            mask.dot(x, y, 4.5)


def _ornament(mask: Mask, x: float, y: float, radius: float, style: int) -> None:
    """A rosette of one of four kinds."""
    petals = (8, 12, 6, 10)[style % 4]
    for k in range(petals):
        a = 2 * np.pi * k / petals
        reach = radius if k % 2 == 0 or style % 2 else radius * 0.7
        outline = leaf_outline(
            (x + 0.2 * radius * np.cos(a), y + 0.2 * radius * np.sin(a)), reach * 0.75, radius * 0.24, a
        )
        if style % 3 == 0:
            mask.polygon(outline)
        else:
            mask.outline(outline, max(radius * 0.035, 2.0))
        mask.dot(
            x + radius * 1.08 * np.cos(a + np.pi / petals),
            y + radius * 1.08 * np.sin(a + np.pi / petals),
            radius * 0.05,
        )
    mask.stroke(arc(x, y, radius * 0.2, np.linspace(0, 2 * np.pi, 60)), max(radius * 0.06, 2.0))
    mask.dot(x, y, radius * 0.09)


def page_edges(rng: np.random.Generator, height: int = 256, width: int = 1024) -> Array:
    """The cut edge of a block of old paper: leaves run along u."""
    lines = value_noise(height, width, height // 2, 6, rng) + 0.6 * value_noise(height, width, height // 5, 10, rng)
    foxing = fbm(height, width, 4, 16, rng, octaves=5)
    image = mix((0.80, 0.72, 0.56), (0.55, 0.44, 0.30), np.clip(0.45 + 0.42 * lines, 0, 1))
    image = mix(image, (0.45, 0.30, 0.17), smoothstep(0.25, 0.9, foxing) * 0.6)
    return np.clip(image, 0, 1)


def printed_page(rng: np.random.Generator, *, picture: bool, height: int = 1100, width: int = 800) -> Array:
    """A page of an old herbal: text, an initial, or an engraved plant with its caption."""
    ink, wash, red = Mask(height, width), Mask(height, width), Mask(height, width)
    left, right = 90.0, width - 80.0
    y = 120.0
    printed_line(red, (width * 0.3, y), width * 0.4, 24, rng, weight=5)
    y += 70
    if picture:
        _herb((ink, wash, red), (width / 2, y + 500), 470, rng)
        y += 560
        printed_line(ink, (width * 0.25, y), width * 0.5, 17, rng, weight=3.4)
        y += 45
    else:
        flower((ink, wash), (left + 50, y + 52), 48, 7, 0.2)
    top = y
    while y < height - 90:
        start = left + 125 if not picture and y < top + 110 else left
        length = right - start
        if rng.uniform() < 0.12:
            length *= rng.uniform(0.4, 0.8)
        printed_line(ink, (start, y), length, 13, rng, weight=3.0)
        y += 27
    paper = mix((0.87, 0.81, 0.67), (0.74, 0.65, 0.48), fbm(height, width, 4, 3, rng, octaves=6) * 0.5 + 0.4)
    foxing = smoothstep(0.55, 0.9, fbm(height, width, 14, 10, rng, octaves=4))
    paper = mix(paper, (0.60, 0.42, 0.24), foxing * 0.6)
    image = mix(paper, (0.47, 0.58, 0.33), wash.array(1.0) * 0.75)
    image = mix(image, (0.58, 0.12, 0.10), red.array() * 0.85)
    return mix(image, (0.13, 0.10, 0.09), ink.array() * 0.88)


def _herb(pens: tuple[Mask, Mask, Mask], root: tuple[float, float], height: float, rng: np.random.Generator) -> None:
    """An engraved plant, with coloured leaves and a red bloom; pens: (ink, wash, red)."""
    (ink, wash, red), (x, y) = pens, root
    t = np.linspace(0, 1, 60)
    stem = np.stack([x + 22 * np.sin(3.2 * t), y - height * 0.8 * t], -1)
    ink.stroke(stem, np.linspace(9, 3, 60))
    for k in range(14):
        at = stem[6 + 3 * k]
        side = 1 if k % 2 else -1
        leaf((ink, wash), (at[0], at[1]), 150 - 6 * k, -np.pi / 2 + side * rng.uniform(0.7, 1.15))
    for k in range(5):
        a = np.pi / 2 + (k - 2) * 0.35
        r = np.linspace(0, 70, 12)
        ink.stroke(np.stack([x + r * np.cos(a) + 4 * np.sin(r / 7), y + r * np.sin(a)], -1), np.linspace(5, 1, 12))
    flower((ink, red), (stem[-1][0], stem[-1][1] - 20), 72, 9, 0.1)


def letter(rng: np.random.Generator, height: int = 560, width: int = 800) -> Array:
    """A posted card: a written address, a stamp, its cancel, a ruled edge."""
    ink, red, blue, line = (Mask(height, width) for _ in range(4))
    for k in range(5):
        printed_line(ink, (70 + 20 * (k % 2), 190 + 72 * k), rng.uniform(0.4, 0.56) * width, 24, rng, weight=4.2)
    for k in range(60):
        edge = red if k % 2 else blue
        x = k / 60 * width
        for y in (0, height - 22):
            edge.polygon(np.array([[x, y], [x + 9, y], [x + 16, y + 22], [x + 7, y + 22]]))
    sx, sy, sw, sh = width - 200, 55, 145, 175
    blue.polygon(np.array([[sx, sy], [sx + sw, sy], [sx + sw, sy + sh], [sx, sy + sh]]), 0.7)
    flower((ink, red), (sx + sw / 2, sy + sh / 2 - 8), 55, 8, 0.2)
    printed_line(ink, (sx + 18, sy + sh - 12), sw - 36, 13, rng, weight=3)
    for r in (42, 60):
        line.stroke(arc(sx - 15, sy + 130, r, np.linspace(0, 2 * np.pi, 60)), 4)
    for k in range(5):
        t = np.linspace(0, 1, 30)
        line.stroke(np.stack([sx + 40 + 150 * t, sy + 100 + 16 * k + 7 * np.sin(12 * t)], -1), 3.5)
    paper = mix((0.84, 0.77, 0.62), (0.75, 0.66, 0.49), fbm(height, width, 4, 6, rng, octaves=6) * 0.5 + 0.4)
    image = mix(paper, (0.60, 0.13, 0.11), red.array() * 0.85)
    image = mix(image, (0.14, 0.22, 0.42), blue.array() * 0.85)
    image = mix(image, (0.12, 0.11, 0.16), ink.array() * 0.88)
    return mix(image, (0.10, 0.09, 0.10), line.array() * 0.7)


def linen(rng: np.random.Generator, size: int = 1536) -> Array:
    """Natural linen with indigo stripes and a stitched border of flowers, fringed look at two ends."""
    relief = weave(size, size, 190, 190)
    slub = value_noise(size, size, size // 3, 24, rng) + value_noise(size, size, 24, size // 3, rng)
    clouds = fbm(size, size, 4, 4, rng, octaves=5)
    tone = 0.80 + 0.20 * relief + 0.06 * slub + 0.05 * clouds
    x = np.arange(size)[None, :] / size
    y = np.arange(size)[:, None] / size
    image = np.broadcast_to(np.array([0.82, 0.77, 0.66], np.float32), (size, size, 3)).copy()
    stripe = np.zeros((size, size), bool)
    for centre, half in ((0.08, 0.012), (0.115, 0.004), (0.885, 0.004), (0.92, 0.012)):
        stripe |= np.abs(x - centre) < half
        stripe |= np.abs(y - centre) < half
    for k in range(8):
        stripe |= np.abs(x - (0.2 + 0.6 * k / 7)) < 0.0022
        stripe |= np.abs(y - (0.2 + 0.6 * k / 7)) < 0.0022
    image = mix(image, (0.13, 0.20, 0.38), stripe * 0.85)
    thread, fill = Mask(size, size), Mask(size, size)
    for k in range(12):
        p = 0.165 + (k + 0.5) / 12 * 0.67
        for u, v in ((p, 0.152), (p, 0.848), (0.152, p), (0.848, p)):
            if k % 2:
                flower((thread, fill), (u * size, v * size), size * 0.021, 6, k)
            else:
                for turn in (0.5, 2.1, 3.7, 5.2):
                    leaf((thread, fill), (u * size, v * size), size * 0.02, turn + k)
    for i in range(7):
        for j in range(7):
            u, v = (0.2 + 0.6 * (i + 0.5) / 7) * size, (0.2 + 0.6 * (j + 0.5) / 7) * size
            if (i + j) % 2:
                flower((thread, fill), (u, v), size * 0.022, 5 + (i * j) % 4, i + j)
            else:
                for turn in range(4):
                    leaf((thread, fill), (u, v), size * 0.024, turn * np.pi / 2 + 0.4 * i)
    image = mix(image, (0.70, 0.32, 0.22), fill.array(0.6) * 0.8)
    image = mix(image, (0.16, 0.22, 0.37), thread.array(0.6) * 0.8)
    return np.clip(image * tone[..., None], 0, 1)
