"""The things on the table in their places, and the linen below them.

The linen lies flat under what stands on it, so the places are named here once.
"""

from __future__ import annotations

import numpy as np

from samples.render.paint import books as paint
from samples.render.paint.noise import fbm, smoothstep
from samples.render.things import books, garden, tableware
from samples.render.things.meshes import grid_uv, sheet
from samples.render.things.parts import Part
from samples.render.things.room import TABLE_RADIUS_M

CLOTH_CENTRE = np.array([0.165, -0.135])
CLOTH_TURN_DEG = 24.0
CLOTH_HALF_M = 0.205
ON_CLOTH_Z = 0.0035
TEAPOT_AT = (0.075, -0.015, ON_CLOTH_Z)
CUP_AT = (0.175, -0.185, ON_CLOTH_Z)
LEMONS_AT = ((0.015, -0.165, 0.0, 25.0), (-0.055, -0.135, 0.0, 130.0))


def linen_cloth(rng: np.random.Generator) -> list[Part]:
    """A square of linen, rumpled, flat under what stands on it, one corner hanging over the table's rim."""
    cells = 220
    s = np.linspace(-CLOTH_HALF_M, CLOTH_HALF_M, cells)
    x, y = np.meshgrid(s, s[::-1])
    rumple = fbm(cells, cells, 3, 3, rng, octaves=4)
    fold = np.zeros_like(x)
    for angle, offset, height in (
        (0.3, 0.07, 0.011),
        (1.25, -0.10, 0.009),
        (2.1, 0.12, 0.012),
        (2.75, -0.15, 0.010),
        (0.85, -0.02, 0.007),
    ):
        d = x * np.cos(angle) + y * np.sin(angle) - offset + 0.02 * rumple
        fold += height * np.exp(-((d / 0.011) ** 2))
    c, t = np.cos(np.radians(CLOTH_TURN_DEG)), np.sin(np.radians(CLOTH_TURN_DEG))
    wx, wy = CLOTH_CENTRE[0] + c * x - t * y, CLOTH_CENTRE[1] + t * x + c * y
    free = np.ones_like(x)
    for px, py, reach in (
        (*TEAPOT_AT[:2], 0.060),
        (*CUP_AT[:2], 0.060),
        *((lx, ly, 0.030) for lx, ly, *_ in LEMONS_AT),
    ):
        free *= smoothstep(reach, reach + 0.05, np.hypot(wx - px, wy - py))
    lift = 0.0022 + free * (0.004 * np.clip(rumple + 0.3, 0, None) + fold)
    r, angle = np.hypot(wx, wy), np.arctan2(wy, wx)
    radius = TABLE_RADIUS_M - 0.004
    beyond = np.clip(r - radius, 0, None)
    bend = 0.014
    turn = np.clip(beyond / bend, 0, np.pi / 2)
    fall = np.clip(beyond - bend * np.pi / 2, 0, None)
    out = np.minimum(r, radius) + (bend + lift) * np.sin(turn) + fall * (0.10 + 0.22 * np.sin(angle * 34 + 2 * rumple))
    z = lift * np.cos(turn) - bend * (1 - np.cos(turn)) - fall
    points = np.stack([out * np.cos(angle), out * np.sin(angle), z], -1)
    u = np.linspace(0, 1, cells)
    cloth = sheet(points, grid_uv(u, u)).facing_up()
    return [Part(name="linen", mesh=cloth, texture=paint.linen(rng), bump=0.0006)]


def everything(rng: np.random.Generator) -> list[Part]:
    """All parts, in the order in which they draw from `rng`."""
    return [
        *tableware.teapot(rng, TEAPOT_AT),
        *tableware.cup_and_saucer(rng, CUP_AT),
        *books.book_stack(rng),
        *books.open_herbal(rng),
        *tableware.candlestick(rng),
        *garden.fruit(rng, LEMONS_AT),
        *garden.potted_plant(rng),
        *linen_cloth(rng),
        *books.paper_and_pencil(rng),
    ]
