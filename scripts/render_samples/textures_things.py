"""Paint of the things on the table: glazes, cloth bindings, print, linen, fruit, leaves, metal.

Returns sRGB images (H, W, 3) in 0..1, float32, u to the right and v down as the meshes have them.
"""

from __future__ import annotations

import numpy as np

from scripts.render_samples.brush import Mask, flower, leaf, leaf_outline, printed_line, weave
from scripts.render_samples.noise import Array, cracks, fbm, mix, smoothstep, value_noise

GLAZE = (0.86, 0.82, 0.72)
COBALT = (0.075, 0.13, 0.36)
COBALT_WASH = (0.33, 0.45, 0.70)
GILT = (0.80, 0.60, 0.24)


def glazed(height: int, width: int, rng: np.random.Generator) -> Array:
    """Cream tin glaze: iron specks, clouds, fine crackle."""
    clouds = fbm(height, width, 4, 8, rng, octaves=5)
    image = mix(GLAZE, (0.79, 0.735, 0.62), smoothstep(-0.2, 1.0, clouds))
    crackle = smoothstep(0.045, 0.0, cracks(height, width, height // 26, width // 26, rng))
    image = mix(image, (0.52, 0.42, 0.30), crackle * smoothstep(-0.6, 0.5, -clouds) * 0.5)
    specks = smoothstep(0.70, 0.85, value_noise(height, width, height // 4, width // 4, rng))
    return mix(image, (0.36, 0.25, 0.16), specks * 0.4)


def painted(image: Array, dark: Mask, light: Mask, rng: np.random.Generator) -> Array:
    """Lay a cobalt wash and cobalt lines over a glaze; the pigment pools unevenly."""
    height, width = image.shape[:2]
    pooled = fbm(height, width, 12, 24, rng, octaves=4) * 0.5 + 0.5
    image = mix(image, COBALT_WASH, light.array(0.8) * (0.55 + 0.4 * pooled))
    return mix(image, COBALT, dark.array(0.5) * (0.75 + 0.25 * pooled))


def teapot_body(rng: np.random.Generator, height: int = 900, width: int = 1800) -> Array:
    """Flower garland around the belly between ruled and dotted borders."""
    dark, light = Mask(height, width), Mask(height, width)
    garland(dark, light, rng, y=0.50 * height, swing=0.10 * height, radius=0.105 * height, flowers=7)
    for y in (0.215, 0.80):
        dark.band((y - 0.012) * height, (y + 0.012) * height)
        dark.band((y + 0.025) * height, (y + 0.032) * height)
        dark.band((y - 0.032) * height, (y - 0.025) * height)
    scallops(dark, light, y=0.11 * height, depth=0.06 * height, count=22)
    scallops(dark, light, y=0.92 * height, depth=-0.07 * height, count=22)
    return painted(glazed(height, width, rng), dark, light, rng)


def garland(
    dark: Mask, light: Mask, rng: np.random.Generator, *, y: float, swing: float, radius: float, flowers: int
) -> None:
    """A winding stem once around the pot with flowers, leaves and berries; pixels."""
    width = dark.width
    x = np.linspace(-0.02 * width, 1.02 * width, 600)
    phase = 2 * np.pi * flowers * x / width
    dark.stroke(np.stack([x, y + swing * np.sin(phase)], -1), 4.0)
    for k in range(flowers):
        fx = width * (k + 0.25) / flowers
        flower(
            (dark, light),
            (fx, y + swing * 0.55),
            radius * rng.uniform(0.9, 1.1),
            int(rng.integers(5, 9)),
            rng.uniform(0, 6),
        )
        bx = width * (k + 0.75) / flowers
        flower(
            (dark, light),
            (bx, y - swing * 0.5),
            radius * rng.uniform(0.55, 0.7),
            int(rng.integers(5, 8)),
            rng.uniform(0, 6),
        )
        for i in range(6):
            t = (k + i / 6 + 0.04) / flowers
            ly = y + swing * np.sin(2 * np.pi * flowers * t)
            side = 1 if i % 2 else -1
            leaf((dark, light), (t * width, ly), radius * rng.uniform(0.6, 0.95), side * rng.uniform(0.6, 1.5))
        for _ in range(10):
            a, r = rng.uniform(0, 2 * np.pi), radius * rng.uniform(1.15, 1.6)
            dark.dot(fx + r * np.cos(a), y + swing * 0.5 + 0.8 * r * np.sin(a), rng.uniform(2, 4.5))


def scallops(dark: Mask, light: Mask, *, y: float, depth: float, count: int) -> None:
    """A border of arches with a drop in each."""
    for k in range(count):
        t = np.linspace(0, 1, 14)
        x = (k + t) / count * dark.width
        arch = np.stack([x, y + depth * np.sin(np.pi * t)], -1)
        light.polygon(arch)
        dark.stroke(arch, 4.0)
        middle = (k + 0.5) / count * dark.width
        dark.polygon(leaf_outline((middle, y), depth * 0.8, abs(depth) * 0.3, np.pi / 2))
        dark.dot(k / count * dark.width, y + 0.25 * depth, abs(depth) * 0.13)


def small_ware(rng: np.random.Generator, height: int = 640, width: int = 1280, flowers: int = 5) -> Array:
    """The same service on a smaller piece: cup, saucer, lid."""
    dark, light = Mask(height, width), Mask(height, width)
    garland(dark, light, rng, y=0.44 * height, swing=0.09 * height, radius=0.115 * height, flowers=flowers)
    for y in (0.12, 0.76):
        dark.band((y - 0.015) * height, (y + 0.015) * height)
        dark.band((y + 0.03) * height, (y + 0.04) * height)
    scallops(dark, light, y=0.95 * height, depth=-0.11 * height, count=16)
    return painted(glazed(height, width, rng), dark, light, rng)


def striped_ware(rng: np.random.Generator, height: int = 512, width: int = 256, bands: int = 14) -> Array:
    """Handle and spout: brushed rings and leaves."""
    dark, light = Mask(height, width), Mask(height, width)
    for k in range(bands):
        y = (k + 0.5) / bands * height
        dark.band(y - 2.5, y + 2.5)
        for i in range(4):
            leaf((dark, light), ((i + 0.5 * (k % 2)) / 4 * width, y + 5), height / bands * 0.62, np.pi / 2)
    return painted(glazed(height, width, rng), dark, light, rng)


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
            mask.stroke(np.concatenate([outline, outline[:1]]), max(radius * 0.035, 2.0))
        mask.dot(
            x + radius * 1.08 * np.cos(a + np.pi / petals),
            y + radius * 1.08 * np.sin(a + np.pi / petals),
            radius * 0.05,
        )
    a = np.linspace(0, 2 * np.pi, 60)
    mask.stroke(np.stack([x + radius * 0.2 * np.cos(a), y + radius * 0.2 * np.sin(a)], -1), max(radius * 0.06, 2.0))
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
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size * 2 - 1
    r, a = np.hypot(x, y), np.arctan2(y, x)
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
        pips.polygon(
            leaf_outline(
                (size / 2 * (1 + 0.2 * np.cos(t)), size / 2 * (1 + 0.2 * np.sin(t))), size * 0.09, size * 0.05, t
            )
        )
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
    freckles = smoothstep(0.5, 0.72, value_noise(height, width, 80, 90, rng))
    return mix(image, (0.36, 0.27, 0.12), freckles * 0.75)


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
    pits = smoothstep(0.6, 0.8, value_noise(height, width, height // 5, width // 5, rng))
    return mix(image, (0.30, 0.14, 0.09), pits * 0.7)


def succulent_leaf(rng: np.random.Generator, height: int = 256, width: int = 192) -> Array:
    """v from the base to the tip: grey green to a red rim."""
    v = np.arange(height)[:, None] / height
    clouds = fbm(height, width, 5, 4, rng, octaves=5)
    image = mix((0.38, 0.55, 0.36), (0.60, 0.74, 0.52), np.clip(v + 0.3 * clouds, 0, 1))
    rim = smoothstep(0.90, 1.0, v + 0.05 * clouds)
    image = mix(image, (0.70, 0.24, 0.28), rim * 0.85)
    freckles = smoothstep(0.5, 0.75, value_noise(height, width, 30, 22, rng))
    return mix(image, (0.30, 0.36, 0.26), freckles * 0.6)


def soil(rng: np.random.Generator, size: int = 256) -> Array:
    grit = value_noise(size, size, 60, 60, rng)
    image = mix((0.10, 0.07, 0.05), (0.33, 0.25, 0.18), fbm(size, size, 20, 20, rng, octaves=4) * 0.5 + 0.5)
    return mix(image, (0.70, 0.66, 0.58), smoothstep(0.62, 0.75, grit))


def brass(rng: np.random.Generator, height: int = 512, width: int = 512) -> Array:
    clouds = fbm(height, width, 6, 6, rng, octaves=6)
    image = mix((0.74, 0.55, 0.25), (0.58, 0.41, 0.18), clouds * 0.5 + 0.5)
    patina = smoothstep(0.2, 0.75, fbm(height, width, 8, 8, rng, octaves=6))
    image = mix(image, (0.25, 0.19, 0.11), patina * 0.8)
    engraved = Mask(height, width)
    for row in range(12):
        y = (row + 0.5) / 12 * height
        engraved.band(y - 1.5, y + 1.5)
        for k in range(16):
            engraved.polygon(leaf_outline(((k + 0.5 * (row % 2)) / 16 * width, y + 8), 24, 11, np.pi / 2))
    return mix(image, (0.16, 0.11, 0.06), engraved.array(0.5) * 0.75)


def wax(rng: np.random.Generator, height: int = 384, width: int = 384) -> Array:
    clouds = fbm(height, width, 6, 4, rng, octaves=6)
    image = mix((0.88, 0.80, 0.64), (0.79, 0.67, 0.48), clouds * 0.5 + 0.5)
    specks = smoothstep(0.55, 0.8, value_noise(height, width, 50, 50, rng))
    return mix(image, (0.55, 0.42, 0.26), specks * 0.5)


def tea(rng: np.random.Generator, size: int = 256) -> Array:
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) / size * 2 - 1
    image = mix((0.36, 0.14, 0.045), (0.55, 0.26, 0.09), smoothstep(0.4, 1.0, np.hypot(x, y)))
    froth = smoothstep(0.3, 0.7, fbm(size, size, 12, 12, rng, octaves=4))
    return mix(image, (0.66, 0.42, 0.22), froth * 0.3)


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
        a = np.linspace(0, 2 * np.pi, 60)
        line.stroke(np.stack([sx - 15 + r * np.cos(a), sy + 130 + r * np.sin(a)], -1), 4)
    for k in range(5):
        t = np.linspace(0, 1, 30)
        line.stroke(np.stack([sx + 40 + 150 * t, sy + 100 + 16 * k + 7 * np.sin(12 * t)], -1), 3.5)
    paper = mix((0.84, 0.77, 0.62), (0.75, 0.66, 0.49), fbm(height, width, 4, 6, rng, octaves=6) * 0.5 + 0.4)
    image = mix(paper, (0.60, 0.13, 0.11), red.array() * 0.85)
    image = mix(image, (0.14, 0.22, 0.42), blue.array() * 0.85)
    image = mix(image, (0.12, 0.11, 0.16), ink.array() * 0.88)
    return mix(image, (0.10, 0.09, 0.10), line.array() * 0.7)
