"""Lemons, pears and a house leek in its pot; metres."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from samples.render.paint import garden as paint
from samples.render.paint.noise import Array, fbm, smoothstep
from samples.render.things.meshes import Mesh, grid_uv, joined, lathe, profile, sheet, smooth_path, tube
from samples.render.things.parts import Part, glazed, plain


def lemon_profile() -> Array:
    """Radius and z of a lemon 76 mm long lying along its own axis, nipple up; metres."""
    return profile(
        (0.0001, 0.0035, 0.007, 0.0185, 0.0262, 0.0235, 0.012, 0.004, 0.0001),
        (0.040, 0.0385, 0.034, 0.024, 0.004, -0.016, -0.030, -0.0345, -0.0345),
        count=90,
    )


def fruit(rng: np.random.Generator, lemons_at: Iterable[tuple[float, float, float, float]]) -> list[Part]:
    """Two lemons, each at (x, y, z, turn in degrees), half a lemon and two pears."""
    bumps = fbm(96, 129, 16, 20, rng, octaves=3)
    bumps[:, -1] = bumps[:, 0]

    def rough(angle: Array, v: Array) -> Array:
        rows = np.clip((v * 95).astype(int), 0, 95)
        columns = np.round(angle / (2 * np.pi) * 128).astype(int)
        return 1 + 0.012 * bumps[rows, columns] + 0.015 * np.cos(2 * angle)

    parts = []
    for k, (x, y, z, turn) in enumerate(lemons_at):
        mesh = lathe(lemon_profile(), displace=rough).turned(78 + 8 * k, "y").turned(turn).moved((x, y, 0.0258 + z))
        parts.append(glazed(f"lemon_{k}", mesh, paint.lemon_skin(rng), 0.38, bump=0.0008))
    whole = lemon_profile()
    bowl = whole[whole[:, 1] < 0.004]
    face = np.stack([np.linspace(0.0001, bowl[0, 0], 30), np.full(30, bowl[0, 1])], -1)
    half = [
        ("lemon_half", lathe(bowl, displace=rough), paint.lemon_skin(rng)),
        ("lemon_cut", lathe(face).textured_from_above(bowl[0, 0]), paint.lemon_cut(rng)),
    ]
    for name, mesh, texture in half:
        parts.append(glazed(name, mesh, texture, 0.38).turned(62, "x").turned(20).moved((-0.045, -0.225, 0.0225)))
    parts += pear(rng, "pear_high", (-0.137, 0.137, 0.0966), turn=70, lean=6)
    parts += pear(rng, "pear_low", (-0.015, 0.30, 0.0), turn=-60, lean=-9)
    return parts


def pear(
    rng: np.random.Generator, name: str, at: tuple[float, float, float], *, turn: float, lean: float
) -> list[Part]:
    outline = profile(
        (0.0001, 0.006, 0.0125, 0.0165, 0.0225, 0.0315, 0.033, 0.026, 0.012, 0.005, 0.0001),
        (0.083, 0.0845, 0.081, 0.068, 0.052, 0.034, 0.020, 0.006, 0.0005, 0.003, 0.004),
        count=100,
    )
    body = lathe(outline, displace=lambda a, v: 1 + 0.03 * np.cos(2 * a + 1) + 0.02 * np.cos(3 * a) * np.sin(3 * v))
    bend = 0.012 * (body.points[:, 2] / 0.085) ** 2
    body = replace(body, points=body.points + np.stack([bend, np.zeros_like(bend), np.zeros_like(bend)], -1))
    stalk = tube(
        smooth_path([(0.012, 0, 0.081), (0.015, 0, 0.095), (0.022, 0, 0.106)], 16),
        np.linspace(0.0021, 0.0028, 16),
        sides=12,
    )
    skin = glazed(name, body, paint.pear_skin(rng), 0.36)
    wood = Part(name=f"{name}_stalk", mesh=stalk, texture=plain(0.24, 0.15, 0.08))
    return [part.turned(lean, "y").turned(turn).moved(at) for part in (skin, wood)]


def potted_plant(rng: np.random.Generator) -> list[Part]:
    """A house leek in a slip-painted pot: leaves by the golden angle."""
    outside = profile(
        (0.056, 0.0575, 0.057, 0.0525, 0.050, 0.040, 0.039),
        (0.087, 0.083, 0.070, 0.067, 0.062, 0.004, 0.0),
        count=80,
    )
    inside = smooth_path([(0.048, 0.070), (0.050, 0.080), (0.053, 0.0875), (0.056, 0.087)], 24)
    ground = np.stack([np.linspace(0.0001, 0.0505, 20), np.linspace(0.081, 0.076, 20)], -1)
    clay = paint.terracotta(rng)
    leaves = []
    for k in range(46):
        age = k / 45
        leaves.append(
            _fat_leaf(0.018 + 0.046 * age**0.8, 0.012 + 0.014 * age, 0.0045)
            .turned(-(80 - 66 * age**0.75), "y")
            .turned(137.508 * k)
            .moved((0, 0, 0.090 - 0.006 * age))
        )
    put = [
        Part(name="pot", mesh=joined(lathe(outside), lathe(inside)), texture=clay, bump=0.0005),
        Part(name="soil", mesh=lathe(ground).textured_from_above(0.0505), texture=paint.soil(rng)),
        glazed("house_leek", joined(*leaves), paint.succulent_leaf(rng), 0.45),
    ]
    return [part.moved((-0.215, -0.075, 0.0)) for part in put]


def _fat_leaf(length: float, width: float, thickness: float) -> Mesh:
    v = np.linspace(0, 1, 22)[:, None]
    a = np.linspace(0, 2 * np.pi, 25)[None, :]
    half = width * (0.42 + 0.58 * smoothstep(0.0, 0.6, v)) * np.sqrt(np.clip(1 - v**5, 0, 1))
    thick = thickness * np.sqrt(np.clip(1 - v**4, 0, 1))
    cup = 0.22 * width * np.cos(a) ** 2
    points = np.stack(
        np.broadcast_arrays(
            length * v,
            half * np.cos(a),
            thick * np.sin(a) + cup * (half / width) + 0.35 * length * v**2,
        ),
        -1,
    )
    points[-1, :, 0] += 0.002
    return sheet(points, grid_uv(a[0] / (2 * np.pi), v[:, 0]), wraps=True)
