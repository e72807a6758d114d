"""Three scenes and how somebody photographs them: an orbit, a half arc before a wall, and a walk through a lane.
Values and paint only; draws nothing. Metres, world z up, OpenCV cameras.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from samples.render.cameras import hand_held_views, look_at, on_sphere
from samples.render.paint.garden import soil, terracotta
from samples.render.paint.noise import Array, fbm, mix, ramp, smoothstep, speckled
from samples.render.paint.room import boards
from samples.render.things import garden, room, still_life
from samples.render.things.meshes import Mesh, box, grid_uv, lathe, profile, sheet
from samples.render.things.parts import Part

UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A view off the path: camera_to_world (4, 4); angle_deg: between its line of sight to the subject and the
    nearest photo's."""

    camera_to_world: Array
    angle_deg: int


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What stands there, the photos' camera_to_world (N, 4, 4), and views beside their path."""

    name: str
    parts: list[Part]
    photos: Array
    beside: tuple[Beside, ...]
    sky: Callable[[Array], Array]


ANGLES_DEG = (10, 20, 30, 45)


def table() -> Scene:
    """The still life of the sample photos, from two rings around it. Beside: above the rings."""
    rng = np.random.default_rng(20261123)
    parts = [*room.table(rng), *room.surroundings(rng), *still_life.everything(rng)]
    photos = np.stack([view.camera_to_world for view in hand_held_views()])
    middle = np.array([0.0, 0.0, 0.045])
    beside = [
        Beside(camera_to_world=look_at(on_sphere(middle, azimuth, 38.0 + angle, 0.88), middle), angle_deg=angle)
        for angle in ANGLES_DEG
        for azimuth in (-53, 7, 67, 127, 187, 247)
    ]
    return Scene(name="table", parts=parts, photos=photos, beside=tuple(beside), sky=_ceiling)


def wall() -> Scene:
    """A planted pot on a plinth before a brick wall, under the sky, from a half arc. Beside: past its ends, above."""
    rng = np.random.default_rng(5)
    base = lathe(
        profile(
            (0.0001, 0.30, 0.33, 0.24, 0.22, 0.30, 0.34, 0.34), (0.6, 0.6, 0.56, 0.5, 0.16, 0.1, 0.06, 0.0), count=80
        )
    )
    pot = [replace(part, mesh=_scaled(part.mesh, 4.0)) for part in garden.potted_plant(rng)]
    pot = [part.moved((4 * 0.215, 4 * 0.075, 0.6)) for part in pot]
    fruit = [
        replace(part, mesh=_scaled(part.mesh, 3.0)) for part in garden.pear(rng, "pear", (0, 0, 0), turn=30, lean=5)
    ]
    parts = [
        Part(name="wall", mesh=_grid([-4.0, 1.6, 2.2], [8.0, 0, 0], [0, 0, -2.2], 60), texture=brick(rng, 22, 30)),
        Part(
            name="grass", mesh=_grid([-6.0, 1.6, 0.0], [12.0, 0, 0], [0, -9.0, 0], 90).facing_up(), texture=grass(rng)
        ),
        Part(name="plinth", mesh=base, texture=_stone(rng)),
        Part(name="crate", mesh=box((0.5, 0.4, 0.4)).turned(25).moved((-0.9, 0.5, 0.2)), texture=_planks(rng)),
        Part(name="crate_two", mesh=box((0.4, 0.4, 0.6)).turned(-15).moved((0.95, 0.7, 0.3)), texture=_planks(rng)),
        *[part.moved((-0.85, 0.5, 0.4)) for part in fruit],
        *pot,
    ]
    middle = np.array([0.0, 0.0, 0.65])
    hand = np.random.default_rng(6)

    def eye(azimuth: float, elevation: float) -> Array:
        return on_sphere(middle, azimuth - 90.0, elevation, 2.1)

    photos = [
        look_at(
            eye(a + hand.normal(0, 1.5), e + hand.normal(0, 1)), middle + hand.normal(0, 0.02, 3), hand.normal(0, 1)
        )
        for e in (8.0, 20.0)
        for a in np.linspace(-38, 38, 12)
    ]
    beside = []
    for angle in ANGLES_DEG:
        places = [
            (38 + angle, 12.0),
            (-38 - angle, 12.0),
            (0.0, 20.0 + angle),
            (-25.0, 20.0 + angle),
            (25.0, 20.0 + angle),
        ]
        beside += [Beside(camera_to_world=look_at(eye(*place), middle), angle_deg=angle) for place in places]
    return Scene(name="wall", parts=parts, photos=np.stack(photos), beside=tuple(beside), sky=_clouds())


def lane() -> Scene:
    """A walk ahead through a lane of brick houses under the sky. Beside: around what lies 3 m ahead."""
    rng = np.random.default_rng(9)
    parts = [
        Part(
            name="street",
            mesh=_grid([-2.4, 14.0, 0.0], [4.8, 0, 0], [0, -18.0, 0], 120).facing_up(),
            texture=_cobbles(rng),
        ),
        Part(name="left", mesh=_grid([-2.4, -4.0, 3.0], [0, 18.0, 0], [0, 0, -3.0], 90), texture=_front(rng)),
        Part(name="right", mesh=_grid([2.4, 14.0, 3.4], [0, -18.0, 0], [0, 0, -3.4], 90), texture=_front(rng)),
        Part(name="end", mesh=_grid([-2.4, 14.0, 2.4], [4.8, 0, 0], [0, 0, -2.4], 30), texture=brick(rng, 20, 16)),
    ]
    for i, (x, y, turn) in enumerate(
        ((-1.7, 3.0, 10), (1.6, 4.5, -20), (-1.5, 6.5, 35), (1.8, 7.5, 5), (-1.9, 9.5, -10))
    ):
        crate = box((0.7, 0.6, 0.7)).turned(turn).moved((x, y, 0.35))
        parts.append(Part(name=f"crate_{i}", mesh=crate, texture=_planks(rng)))
        plants = [replace(part, mesh=_scaled(part.mesh, 3.0)) for part in garden.potted_plant(rng)]
        parts += [replace(part, name=f"{part.name}_{i}").moved((x + 3 * 0.215, y + 3 * 0.075, 0.7)) for part in plants]
    hand = np.random.default_rng(10)
    photos, ahead = [], 3.0
    for step in np.linspace(-2.5, 4.5, 24):
        at = np.array([0.25 * np.sin(step), step, 1.45]) + hand.normal(0, 0.03, 3)
        target = at + np.array([0.06 * np.cos(step), 1.0, -0.08]) + hand.normal(0, 0.03, 3)
        photos.append(look_at(at, target, hand.normal(0, 1.2)))
    beside = []
    for angle in ANGLES_DEG:
        for step in (-1.0, 1.0, 3.0):
            subject = np.array([0.0, step + ahead, 1.2])
            # A lane 4.8 m wide: a larger circle would leave it at 45 degrees.
            places = [(-90 - angle, 4.7), (-90 + angle, 4.7)]
            for azimuth, elevation in places:
                beside.append(
                    Beside(
                        camera_to_world=look_at(on_sphere(subject, azimuth, elevation, ahead), subject), angle_deg=angle
                    )
                )
    return Scene(name="lane", parts=parts, photos=np.stack(photos), beside=tuple(beside), sky=_clouds())


SCENES: dict[str, Callable[[], Scene]] = {"table": table, "wall": wall, "lane": lane}


def _scaled(mesh: Mesh, factor: float) -> Mesh:
    return replace(mesh, points=mesh.points * factor)


def _grid(corner: list[float], along: list[float], down: list[float], cells: int) -> Mesh:
    """A flat rectangle of many triangles, so that only those before the near plane are dropped, and every triangle
    has its own texture level."""
    s = np.linspace(0, 1, cells + 1)
    u, v = np.meshgrid(s, s)
    points = np.asarray(corner) + u[..., None] * np.asarray(along) + v[..., None] * np.asarray(down)
    return sheet(points, grid_uv(s, s))


def _ceiling(directions: Array) -> Array:
    return np.broadcast_to(np.array([0.80, 0.82, 0.85]), directions.shape)


def _clouds() -> Callable[[Array], Array]:
    rng = np.random.default_rng(3)
    noise = fbm(512, 1024, 5, 8, rng, octaves=5)

    def sky(directions: Array) -> Array:
        height = np.clip(directions[:, 2], 0.0, 1.0)
        column = (np.arctan2(directions[:, 1], directions[:, 0]) / (2 * np.pi) % 1.0 * 1023).astype(int)
        row = (np.clip(height, 0, 0.999) * 511).astype(int)
        blue = ramp(height, [(0.0, (0.80, 0.87, 0.94)), (0.4, (0.48, 0.66, 0.90)), (1.0, (0.27, 0.47, 0.78))])
        return mix(blue, (0.97, 0.97, 0.98), smoothstep(0.0, 0.7, noise[row, column]) * 0.85)

    return sky


def brick(rng: np.random.Generator, rows: int, columns: int, size: int = 1024) -> Array:
    """A brick wall, `rows` x `columns` bricks, (size, size, 3)."""
    y, x = (np.mgrid[0:size, 0:size] + 0.5) / size
    row = np.floor(y * rows).astype(int)
    across = x * columns + 0.5 * (row % 2)
    column = np.floor(across).astype(int)
    tone = rng.random((rows, columns + 1))[row, column]
    image = ramp(tone, [(0.0, (0.36, 0.17, 0.12)), (0.5, (0.60, 0.30, 0.20)), (1.0, (0.76, 0.48, 0.34))])
    fy, fx = np.abs(y * rows % 1 - 0.5) * 2, np.abs(across % 1 - 0.5) * 2
    mortar = np.maximum(smoothstep(0.78, 0.9, fy), smoothstep(0.90, 0.96, fx))
    image = mix(image, (0.72, 0.69, 0.63), mortar)
    image = image * (1 + 0.25 * fbm(size, size, 24, 24, rng, octaves=5)[..., None])
    return np.clip(mix(image, image * 0.7, smoothstep(0.1, 0.8, fbm(size, size, 3, 3, rng))), 0, 1)


def grass(rng: np.random.Generator, size: int = 2048) -> Array:
    """A rough lawn with daisies, (size, size, 3)."""
    image = ramp(
        fbm(size, size, 12, 12, rng, octaves=8, gain=0.75),
        [(-0.8, (0.10, 0.17, 0.05)), (0.0, (0.24, 0.38, 0.10)), (0.8, (0.52, 0.58, 0.22))],
    )
    image = speckled(image, (0.95, 0.95, 0.88), 0.9, rng, cells=(220, 220), between=(0.78, 0.9))
    return mix(image, np.asarray((0.45, 0.36, 0.22)), smoothstep(0.25, 0.8, fbm(size, size, 6, 6, rng)) * 0.7)


def _stone(rng: np.random.Generator) -> Array:
    image = ramp(
        fbm(512, 1024, 8, 16, rng, octaves=7, gain=0.7), [(-0.8, (0.38, 0.37, 0.35)), (0.8, (0.82, 0.80, 0.74))]
    )
    return speckled(image, (0.42, 0.46, 0.24), 0.8, rng, cells=(60, 120), between=(0.6, 0.8))


def _planks(rng: np.random.Generator) -> Array:
    palette = [(0.0, (0.30, 0.20, 0.11)), (0.5, (0.55, 0.39, 0.22)), (1.0, (0.76, 0.59, 0.37))]
    return boards(512, 5, rng, joints=True, palette=palette, spread=0.3, gap_px=6)


def _cobbles(rng: np.random.Generator) -> Array:
    stones = brick(rng, 90, 26, size=2048).mean(-1, keepdims=True)
    return np.clip(stones * np.array([0.95, 0.93, 0.90]) * 1.1, 0, 1)


def _front(rng: np.random.Generator) -> Array:
    """House fronts: brick, windows and plaster, (1024, 1024, 3)."""
    image = brick(rng, 40, 90)
    plaster = terracotta(rng, 1024, 1024) * np.array([1.25, 1.45, 1.5])
    image[:, 340:640] = np.clip(plaster[:, 340:640], 0, 1)
    for left in range(30, 1000, 110):
        colour = rng.uniform(0.1, 0.6, 3)
        top, bottom = (560, 1020) if rng.random() < 0.4 else (420, 760)
        image[top - 14 : bottom, left - 6 : left + 52] = (0.86, 0.84, 0.78)
        image[top:bottom, left : left + 46] = colour * soil(rng, 512)[: bottom - top, :46] * 3
        image[(top + bottom) // 2 - 5 : (top + bottom) // 2 + 5, left : left + 46] = (0.86, 0.84, 0.78)
        image[top:bottom, left + 20 : left + 26] = (0.86, 0.84, 0.78)
    return np.clip(image, 0, 1).astype(np.float32)
