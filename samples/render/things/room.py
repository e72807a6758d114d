"""The room: round oak table, rug, boards, four panelled walls, a window and a pale sky above.

The table's top is z = 0 and its centre the origin; no camera of the set looks above the horizon.
"""

from __future__ import annotations

import numpy as np

from samples.render.paint import room as paint
from samples.render.paint.noise import Array
from samples.render.things.meshes import box, joined, lathe, panel, profile, smooth_path
from samples.render.things.parts import Lamp, Part, plain

TABLE_RADIUS_M = 0.5
FLOOR_Z_M = -0.74
HALF_ROOM_M = 2.2
WALL_HEIGHT_M = 2.2


def table(rng: np.random.Generator) -> list[Part]:
    r = TABLE_RADIUS_M
    flat = np.stack([np.linspace(0, r - 0.012, 40), np.zeros(40)], -1)
    edge = smooth_path(
        [(r - 0.012, 0.0), (r - 0.003, -0.003), (r, -0.012), (r, -0.022), (r - 0.006, -0.032), (r - 0.03, -0.036)], 40
    )
    under = np.array([[r * 0.5, -0.036], [0.0001, -0.036]])
    top = lathe(np.concatenate([flat, edge[1:], under]), sides=160).textured_from_above(r * 1.02, mirrored=True)
    foot = profile(
        (0.30, 0.10, 0.05, 0.075, 0.055, 0.07, 0.05, 0.09, 0.24, 0.28),
        (-0.036, -0.06, -0.12, -0.25, -0.38, -0.45, -0.52, -0.62, -0.69, -0.74),
        count=90,
    )
    wood = paint.table_top(rng)
    return [
        Part(name="table_top", mesh=top, texture=wood, bump=0.0012),
        Part(name="table_foot", mesh=lathe(foot, sides=64), texture=wood[:768, :768] * 0.8),
    ]


def surroundings(rng: np.random.Generator) -> list[Part]:
    h, w = HALF_ROOM_M, WALL_HEIGHT_M
    floor = panel([-h, h, FLOOR_Z_M], [2 * h, 0, 0], [0, -2 * h, 0])
    carpet = panel([-1.25, 1.25, 0], [2.5, 0, 0], [0, -2.5, 0]).turned(12).moved((0, 0, FLOOR_Z_M + 0.008))
    parts = [
        Part(name="floor", mesh=floor.facing_up(), texture=paint.parquet(rng)),
        Part(name="rug", mesh=carpet.facing_up(), texture=paint.rug(rng)),
    ]
    side = panel([-h, h, FLOOR_Z_M + w], [2 * h, 0, 0], [0, 0, -w])
    skirting = box((2 * h, 0.03, 0.14), (0, h - 0.015, FLOOR_Z_M + 0.07))
    rail = box((2 * h, 0.03, 0.05), (0, h - 0.015, FLOOR_Z_M + 0.905))
    for k in range(4):
        parts.append(Part(name=f"wall_{k}", mesh=side.turned(90 * k), texture=paint.wall(rng)))
        parts.append(Part(name=f"skirting_{k}", mesh=joined(skirting, rail).turned(90 * k), texture=_skirting(rng)))
    return parts


def _skirting(rng: np.random.Generator) -> Array:
    texture = paint.wall(rng, size=1024)[-230:-20]
    return np.clip(texture * 1.15, 0, 1)


def window() -> tuple[list[Part], list[Lamp]]:
    """A tall window high on one wall: one bright sheet with glazing bars before it, and its milder twin."""
    x = -HALF_ROOM_M + 0.02
    daylight = Lamp(
        name="window",
        centre=(x, -0.35, 0.98),
        half_u=(0, 0.62, 0),
        half_v=(0, 0, 0.62),
        radiance=(17.0, 14.6, 11.6),
    )
    bounce = Lamp(
        name="far_window",
        centre=(1.1, HALF_ROOM_M - 0.02, 1.1),
        half_u=(0.45, 0, 0),
        half_v=(0, 0, -0.40),
        radiance=(3.6, 4.3, 5.4),
    )
    bars = [box((0.03, 0.035, 1.24), (x + 0.04, -0.35, 0.98))]
    bars += [box((0.03, 1.24, 0.03), (x + 0.04, -0.35, 0.98 + dz)) for dz in (-0.21, 0.21)]
    return [Part(name="glazing_bars", mesh=joined(*bars), texture=plain(0.75))], [daylight, bounce]
