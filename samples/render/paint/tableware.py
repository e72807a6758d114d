"""Paint of the tea service and the candlestick: tin glaze, cobalt flowers, brass, wax, tea.

Returns sRGB images (H, W, 3) in 0..1, float32, u to the right and v down as the meshes have them.
"""

from __future__ import annotations

import numpy as np

from samples.render.paint.brush import Mask, flower, leaf, leaf_outline
from samples.render.paint.noise import Array, cracks, fbm, mix, polar, smoothstep, speckled

GLAZE = (0.86, 0.82, 0.72)
COBALT = (0.075, 0.13, 0.36)
COBALT_WASH = (0.33, 0.45, 0.70)


def glazed(height: int, width: int, rng: np.random.Generator) -> Array:
    """Cream tin glaze: iron specks, clouds, fine crackle."""
    clouds = fbm(height, width, 4, 8, rng, octaves=5)
    image = mix(GLAZE, (0.79, 0.735, 0.62), smoothstep(-0.2, 1.0, clouds))
    crackle = smoothstep(0.045, 0.0, cracks(height, width, height // 26, width // 26, rng))
    image = mix(image, (0.52, 0.42, 0.30), crackle * smoothstep(-0.6, 0.5, -clouds) * 0.5)
    return speckled(image, (0.36, 0.25, 0.16), 0.4, rng, cells=(height // 4, width // 4), between=(0.70, 0.85))


def painted(image: Array, dark: Mask, light: Mask, rng: np.random.Generator) -> Array:
    """Lay a cobalt wash and cobalt lines over a glaze; the pigment pools unevenly."""
    height, width = image.shape[:2]
    pooled = fbm(height, width, 12, 24, rng, octaves=4) * 0.5 + 0.5
    image = mix(image, COBALT_WASH, light.array(0.8) * (0.55 + 0.4 * pooled))
    return mix(image, COBALT, dark.array(0.5) * (0.75 + 0.25 * pooled))


def teapot_body(rng: np.random.Generator, height: int = 900, width: int = 1800) -> Array:
    """Flower garland around the belly between ruled and dotted borders."""
    dark, light = Mask(height, width), Mask(height, width)
    garland((dark, light), rng, y=0.50 * height, swing=0.10 * height, radius=0.105 * height, flowers=7)
    for y in (0.215, 0.80):
        dark.band((y - 0.012) * height, (y + 0.012) * height)
        dark.band((y + 0.025) * height, (y + 0.032) * height)
        dark.band((y - 0.032) * height, (y - 0.025) * height)
    scallops(dark, light, y=0.11 * height, depth=0.06 * height, count=22)
    scallops(dark, light, y=0.92 * height, depth=-0.07 * height, count=22)
    return painted(glazed(height, width, rng), dark, light, rng)


def garland(
    pens: tuple[Mask, Mask], rng: np.random.Generator, *, y: float, swing: float, radius: float, flowers: int
) -> None:
    """A winding stem once around the pot with flowers, leaves and berries; pens: (dark, light); pixels."""
    dark, _ = pens
    width = dark.width
    x = np.linspace(-0.02 * width, 1.02 * width, 600)
    phase = 2 * np.pi * flowers * x / width
    dark.stroke(np.stack([x, y + swing * np.sin(phase)], -1), 4.0)
    for k in range(flowers):
        fx = width * (k + 0.25) / flowers
        bx = width * (k + 0.75) / flowers
        for at, sizes, petals in (
            ((fx, y + swing * 0.55), (0.9, 1.1), (5, 9)),
            ((bx, y - swing * 0.5), (0.55, 0.7), (5, 8)),
        ):
            flower(pens, at, radius * rng.uniform(*sizes), int(rng.integers(*petals)), rng.uniform(0, 6))
        for i in range(6):
            t = (k + i / 6 + 0.04) / flowers
            ly = y + swing * np.sin(2 * np.pi * flowers * t)
            side = 1 if i % 2 else -1
            leaf(pens, (t * width, ly), radius * rng.uniform(0.6, 0.95), side * rng.uniform(0.6, 1.5))
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
    garland((dark, light), rng, y=0.44 * height, swing=0.09 * height, radius=0.115 * height, flowers=flowers)
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
    return speckled(image, (0.55, 0.42, 0.26), 0.5, rng, cells=(50, 50), between=(0.55, 0.8))


def tea(rng: np.random.Generator, size: int = 256) -> Array:
    image = mix((0.36, 0.14, 0.045), (0.55, 0.26, 0.09), smoothstep(0.4, 1.0, polar(size)[0]))
    froth = smoothstep(0.3, 0.7, fbm(size, size, 12, 12, rng, octaves=4))
    return mix(image, (0.66, 0.42, 0.22), froth * 0.3)
