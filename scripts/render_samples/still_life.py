"""The things on the table: tea service, books, an open herbal, candlestick, fruit, a plant, linen, a card.

Builds parts in their places; every shape is turned, swept or bent from numbers in this file.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scripts.render_samples import textures_things as paint
from scripts.render_samples.meshes import Mesh, box, extrusion, joined, lathe, sheet, smooth_path, tube
from scripts.render_samples.noise import Array, fbm, smoothstep
from scripts.render_samples.room import TABLE_RADIUS_M
from scripts.render_samples.scene import Finish, Part

CLOTH_CENTRE = np.array([0.165, -0.135])
CLOTH_TURN_DEG = 24.0
CLOTH_HALF_M = 0.205
ON_CLOTH_Z = 0.0035
TEAPOT_AT = (0.075, -0.015, ON_CLOTH_Z)
CUP_AT = (0.175, -0.185, ON_CLOTH_Z)
LEMONS_AT = ((0.015, -0.165, 0.0, 25.0), (-0.055, -0.135, 0.0, 130.0))


def teapot(rng: np.random.Generator) -> list[Part]:
    body = smooth_path(
        [
            (0.036, 0.118),
            (0.043, 0.116),
            (0.064, 0.099),
            (0.078, 0.063),
            (0.069, 0.027),
            (0.049, 0.010),
            (0.047, 0.003),
            (0.045, 0.0),
        ],
        90,
    )
    lid = smooth_path(
        [
            (0.0002, 0.157),
            (0.009, 0.155),
            (0.0125, 0.148),
            (0.0075, 0.141),
            (0.007, 0.137),
            (0.018, 0.133),
            (0.034, 0.124),
            (0.0385, 0.1195),
            (0.0375, 0.1165),
        ],
        60,
    )
    spout_path = smooth_path([(0.055, 0, 0.040), (0.088, 0, 0.050), (0.111, 0, 0.082), (0.139, 0, 0.117)], 60)
    spout = tube(spout_path, np.linspace(0.025, 0.0095, 60) + 0.002 * np.linspace(0, 1, 60) ** 8)
    tip = spout_path[-1] - spout_path[-2]
    tip = tip / np.linalg.norm(tip)
    mouth = tube(np.stack([spout_path[-1] + 0.0002 * tip, spout_path[-1] - 0.004 * tip]), np.array([0.0105, 0.0001]))
    handle_path = smooth_path(
        [(-0.062, 0, 0.100), (-0.104, 0, 0.115), (-0.128, 0, 0.085), (-0.113, 0, 0.046), (-0.066, 0, 0.030)], 70
    )
    handle = tube(handle_path, np.full(70, 0.0078), flatten=1.25)
    ware = paint.small_ware(rng, flowers=6)
    strip = paint.striped_ware(rng)
    put = [
        ("teapot_body", lathe(body), paint.teapot_body(rng)),
        ("teapot_lid", lathe(lid), ware),
        ("teapot_spout", spout, strip),
        ("teapot_handle", handle, strip),
        ("teapot_mouth", mouth, np.full((4, 4, 3), 0.06, np.float32)),
    ]
    return [
        Part(name=name, mesh=mesh.turned(202).moved(TEAPOT_AT), texture=texture, finish=Finish.GLAZED, roughness=0.16)
        for name, mesh, texture in put
    ]


def cup_and_saucer(rng: np.random.Generator) -> list[Part]:
    outside = smooth_path(
        [(0.0425, 0.062), (0.0415, 0.058), (0.038, 0.036), (0.028, 0.016), (0.020, 0.010), (0.021, 0.0065)], 60
    )
    inside = smooth_path(
        [(0.0001, 0.013), (0.02, 0.0145), (0.035, 0.036), (0.0395, 0.058), (0.0412, 0.0626), (0.0425, 0.062)], 60
    )
    dish = smooth_path(
        [
            (0.0001, 0.0055),
            (0.024, 0.0055),
            (0.030, 0.007),
            (0.052, 0.0125),
            (0.071, 0.0195),
            (0.0725, 0.0185),
            (0.055, 0.0085),
            (0.034, 0.0015),
            (0.033, 0.0),
        ],
        100,
    )
    grip = smooth_path(
        [(0.0385, 0, 0.050), (0.058, 0, 0.054), (0.064, 0, 0.038), (0.050, 0, 0.022), (0.031, 0, 0.020)], 50
    )
    surface = np.stack([np.linspace(0.0001, 0.0378, 24), np.full(24, 0.048)], -1)
    plain = paint.glazed(256, 512, rng)
    cup = paint.small_ware(rng)
    put = [
        ("cup", lathe(outside, sides=96), cup, 0.16),
        ("cup_inside", lathe(inside, sides=96), plain, 0.16),
        ("cup_handle", tube(grip, np.full(50, 0.0042)), paint.striped_ware(rng, bands=8), 0.16),
        ("saucer", lathe(dish), paint.small_ware(rng, height=900, width=1400, flowers=9), 0.16),
        ("tea", _round_top(lathe(surface, sides=64), 0.0378), paint.tea(rng), 0.2),
    ]
    return [
        Part(name=name, mesh=mesh.turned(-35).moved(CUP_AT), texture=texture, finish=Finish.GLAZED, roughness=roughness)
        for name, mesh, texture, roughness in put
    ]


def _round_top(mesh: Mesh, radius: float) -> Mesh:
    return replace(mesh, uv=mesh.points[:, :2] / (2 * radius) + 0.5)


def closed_book(
    name: str,
    rng: np.random.Generator,
    *,
    width: float,
    height: float,
    thickness: float,
    colour: tuple[float, float, float],
    style: int,
    turn_deg: float,
    at: tuple[float, float, float],
) -> list[Part]:
    """A cloth-bound book lying flat; width from spine to fore-edge (x), height along y; metres."""
    board, square = 0.0032, 0.004
    a = np.linspace(np.pi / 2, 3 * np.pi / 2, 24)
    bulge = 0.0075

    def wrap(inset: float) -> Array:
        r = thickness / 2 - inset
        spine = np.stack([0.010 + (bulge - inset) * np.cos(a), thickness / 2 + r * np.sin(a)], -1)
        x = np.linspace(width, 0.014, 12)
        top = np.stack([x, np.full(12, thickness - inset)], -1)
        return np.concatenate([top, spine, np.stack([x[::-1], np.full(12, inset)], -1)])

    outer, inner = wrap(0.0), wrap(board)
    steps = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(outer, axis=0), axis=1))])
    spine_u = (steps[12] / steps[-1], steps[35] / steps[-1])
    cover = extrusion(outer, height)
    lining = extrusion(inner[::-1], height)
    rims = []
    for side in (-1, 1):
        y = side * height / 2
        strip = np.stack([np.insert(outer, 1, y, axis=1), np.insert(inner, 1, y, axis=1)])
        rims.append(sheet(strip, np.full((2, len(outer), 2), 0.02), flip=side > 0))
    for z in (0.0, thickness - board):
        edge = np.array(
            [
                [[width, -height / 2, z], [width, height / 2, z]],
                [[width, -height / 2, z + board], [width, height / 2, z + board]],
            ]
        )
        rims.append(sheet(edge, np.full((2, 2, 2), 0.02)))
    lining = replace(lining, uv=np.full_like(lining.uv, 0.02))
    cloth = Part(
        name=name,
        mesh=joined(cover, lining, *rims),
        texture=paint.binding(rng, colour, spine_u, style),
        roughness=0.45,
        bump=0.0004,
    )
    pages = Part(
        name=f"{name}_pages",
        mesh=_page_block(width - square, height - 2 * square, board, thickness - board),
        texture=paint.page_edges(rng),
    )
    centre = np.array([-width / 2, 0, 0])
    return [replace(part, mesh=part.mesh.moved(centre).turned(turn_deg).moved(at)) for part in (cloth, pages)]


def _page_block(width: float, height: float, low: float, high: float) -> Mesh:
    """Three cut edges of the leaves: hollow fore-edge, head and tail."""
    z = np.linspace(low, high, 16)
    hollow = width - 0.0045 * np.sin(np.pi * (z - low) / (high - low))
    y = np.linspace(-height / 2, height / 2, 20)
    u = np.linspace(0, 1, 20)
    v = np.linspace(0, 1, 16)
    uv = np.stack(np.broadcast_arrays(u[None, :], v[:, None]), -1)
    fore = np.stack(np.broadcast_arrays(hollow[:, None], y[None, :], z[:, None]), -1)
    parts = [sheet(fore, uv)]
    for side in (-1, 1):
        x = 0.008 + u[None, :] * (hollow[:, None] - 0.008)
        end = np.stack(np.broadcast_arrays(x, np.float64(side * height / 2), z[:, None]), -1)
        parts.append(sheet(end, uv * [0.7, 1.0], flip=side > 0))
    return joined(*parts)


def book_stack(rng: np.random.Generator) -> list[Part]:
    at = (-0.135, 0.135)
    return [
        *closed_book(
            "book_red",
            rng,
            width=0.165,
            height=0.235,
            thickness=0.040,
            colour=(0.46, 0.095, 0.085),
            style=0,
            turn_deg=62,
            at=(*at, 0.0),
        ),
        *closed_book(
            "book_green",
            rng,
            width=0.150,
            height=0.215,
            thickness=0.030,
            colour=(0.09, 0.24, 0.19),
            style=1,
            turn_deg=86,
            at=(at[0] + 0.006, at[1] - 0.004, 0.0402),
        ),
        *closed_book(
            "book_ochre",
            rng,
            width=0.125,
            height=0.180,
            thickness=0.026,
            colour=(0.17, 0.22, 0.36),
            style=3,
            turn_deg=40,
            at=(at[0] - 0.004, at[1] + 0.004, 0.0704),
        ),
    ]


def open_herbal(rng: np.random.Generator) -> list[Part]:
    """A book lying open: two bowed pages, their cut edges and the boards below."""
    width, height = 0.135, 0.19
    s = np.linspace(0, 1, 40)
    rise = 0.0045 + 0.019 * smoothstep(0.0, 0.22, s) * (1 - 0.62 * smoothstep(0.2, 1.0, s))
    parts: list[Part] = []
    edges: list[Mesh] = []
    for side in (-1, 1):
        x = side * (0.001 + width * s)
        order = slice(None, None, side)
        y = np.linspace(height / 2, -height / 2, 12)
        lift = 1 + 0.12 * side * np.linspace(-1, 1, 12)[:, None] * s[None, :]
        top = np.stack(np.broadcast_arrays(x[None, order], y[:, None], (rise[None, :] * lift)[:, order]), -1)
        uv = np.stack(np.broadcast_arrays(np.linspace(0, 1, 40)[None, :], np.linspace(0, 1, 12)[:, None]), -1)
        parts.append(
            Part(
                name=f"page_{'left' if side < 0 else 'right'}",
                mesh=_up(sheet(top, uv)),
                texture=paint.printed_page(rng, picture=side < 0),
            )
        )
        for row in (0, -1):
            strip = np.stack([top[row], top[row] * [1, 1, 0] + [0, 0, 0.003]])
            edges.append(
                sheet(
                    strip,
                    np.stack(np.broadcast_arrays(np.linspace(0, 0.6, 40)[None, :], np.array([[0.0], [0.5]])), -1),
                    flip=row == 0,
                )
            )
        column = top[:, -1 if side > 0 else 0]
        strip = np.stack([column, column * [1, 1, 0] + [0, 0, 0.003]])
        edges.append(
            sheet(
                strip,
                np.stack(np.broadcast_arrays(np.linspace(0, 1, 12)[None, :], np.array([[0.0], [0.4]])), -1),
                flip=side < 0,
            )
        )
    parts.append(Part(name="herbal_edges", mesh=joined(*edges), texture=paint.page_edges(rng)))
    boards = box((2 * width + 0.012, height + 0.010, 0.003), (0, 0, 0.0016))
    parts.append(
        Part(
            name="herbal_boards",
            mesh=boards,
            texture=paint.binding(rng, (0.42, 0.26, 0.14), (0.45, 0.55), 2, (300, 420)),
        )
    )
    return [replace(part, mesh=part.mesh.turned(68).moved((0.305, 0.115, 0.0))) for part in parts]


def _up(mesh: Mesh) -> Mesh:
    if mesh.normals[:, 2].mean() > 0:
        return mesh
    return replace(mesh, normals=-mesh.normals, faces=mesh.faces[:, ::-1])


def candlestick(rng: np.random.Generator) -> list[Part]:
    profile = smooth_path(
        [
            (0.0135, 0.176),
            (0.021, 0.175),
            (0.022, 0.171),
            (0.0145, 0.166),
            (0.0145, 0.150),
            (0.019, 0.146),
            (0.019, 0.141),
            (0.009, 0.134),
            (0.0075, 0.118),
            (0.0165, 0.104),
            (0.0185, 0.096),
            (0.0075, 0.082),
            (0.0085, 0.058),
            (0.018, 0.048),
            (0.018, 0.042),
            (0.013, 0.034),
            (0.026, 0.024),
            (0.048, 0.014),
            (0.057, 0.008),
            (0.057, 0.0),
        ],
        240,
    )
    stick = lathe(profile, sides=96)
    melt = smooth_path(
        [(0.0001, 0.258), (0.008, 0.259), (0.0105, 0.263), (0.0125, 0.258), (0.0125, 0.21), (0.013, 0.172)], 80
    )
    candle = lathe(
        melt,
        sides=64,
        displace=lambda angle, v: 1 + 0.035 * np.sin(3 * angle + 1) * np.sin(9 * v) + 0.02 * np.sin(7 * angle),
    )
    drips = []
    for angle, length in ((0.4, 0.05), (1.9, 0.028), (2.6, 0.062), (4.2, 0.035), (5.3, 0.055)):
        direction = np.array([np.cos(angle), np.sin(angle), 0])
        path = np.array([0, 0, 0.2605]) + 0.0122 * direction + np.linspace(0, 1, 24)[:, None] * [0, 0, -length]
        drips.append(
            tube(path, 0.0021 + 0.0014 * np.linspace(0, 1, 24) ** 3 - 0.0033 * np.linspace(0, 1, 24) ** 30, sides=16)
        )
    wick = tube(smooth_path([(0, 0, 0.256), (0.0005, 0, 0.266), (0.003, 0, 0.272)], 12), np.full(12, 0.0011), sides=10)
    at = (0.085, 0.205, 0.0)
    return [
        Part(
            name="candlestick",
            mesh=stick.moved(at),
            texture=paint.brass(rng),
            finish=Finish.METAL,
            roughness=0.36,
            bump=0.0006,
        ),
        Part(
            name="candle",
            mesh=joined(candle, *drips).moved(at),
            texture=paint.wax(rng),
            finish=Finish.GLAZED,
            roughness=0.4,
        ),
        Part(name="wick", mesh=wick.moved(at), texture=np.full((4, 4, 3), 0.05, np.float32)),
    ]


def lemon_profile(count: int = 90) -> Array:
    """Radius and z of a lemon 76 mm long lying along its own axis, nipple up; metres."""
    return smooth_path(
        [
            (0.0001, 0.040),
            (0.0035, 0.0385),
            (0.007, 0.034),
            (0.0185, 0.024),
            (0.0262, 0.004),
            (0.0235, -0.016),
            (0.012, -0.030),
            (0.004, -0.0345),
            (0.0001, -0.0345),
        ],
        count,
    )


def fruit(rng: np.random.Generator) -> list[Part]:
    bumps = fbm(96, 129, 16, 20, rng, octaves=3)
    bumps[:, -1] = bumps[:, 0]

    def rough(angle: Array, v: Array) -> Array:
        rows = np.clip((v * 95).astype(int), 0, 95)
        columns = np.round(angle / (2 * np.pi) * 128).astype(int)
        return 1 + 0.012 * bumps[rows, columns] + 0.015 * np.cos(2 * angle)

    parts = []
    for k, (x, y, z, turn) in enumerate(LEMONS_AT):
        mesh = lathe(lemon_profile(), displace=rough).turned(78 + 8 * k, "y").turned(turn).moved((x, y, 0.0258 + z))
        parts.append(
            Part(
                name=f"lemon_{k}",
                mesh=mesh,
                texture=paint.lemon_skin(rng),
                finish=Finish.GLAZED,
                roughness=0.38,
                bump=0.0008,
            )
        )
    profile = lemon_profile()
    bowl = profile[profile[:, 1] < 0.004]
    face = np.stack([np.linspace(0.0001, bowl[0, 0], 30), np.full(30, bowl[0, 1])], -1)
    half = [
        ("lemon_half", lathe(bowl, displace=rough), paint.lemon_skin(rng)),
        ("lemon_cut", _round_top(lathe(face), bowl[0, 0]), paint.lemon_cut(rng)),
    ]
    for name, mesh, texture in half:
        placed = mesh.turned(62, "x").turned(20).moved((-0.045, -0.225, 0.0225))
        parts.append(Part(name=name, mesh=placed, texture=texture, finish=Finish.GLAZED, roughness=0.38))
    parts += pear(rng, "pear_high", (-0.137, 0.137, 0.0966), turn=70, lean=6)
    parts += pear(rng, "pear_low", (-0.015, 0.30, 0.0), turn=-60, lean=-9)
    return parts


def pear(
    rng: np.random.Generator, name: str, at: tuple[float, float, float], *, turn: float, lean: float
) -> list[Part]:
    profile = smooth_path(
        [
            (0.0001, 0.083),
            (0.006, 0.0845),
            (0.0125, 0.081),
            (0.0165, 0.068),
            (0.0225, 0.052),
            (0.0315, 0.034),
            (0.033, 0.020),
            (0.026, 0.006),
            (0.012, 0.0005),
            (0.005, 0.003),
            (0.0001, 0.004),
        ],
        100,
    )
    body = lathe(profile, displace=lambda a, v: 1 + 0.03 * np.cos(2 * a + 1) + 0.02 * np.cos(3 * a) * np.sin(3 * v))
    bend = 0.012 * (body.points[:, 2] / 0.085) ** 2
    body = replace(body, points=body.points + np.stack([bend, np.zeros_like(bend), np.zeros_like(bend)], -1))
    stalk = tube(
        smooth_path([(0.012, 0, 0.081), (0.015, 0, 0.095), (0.022, 0, 0.106)], 16),
        np.linspace(0.0021, 0.0028, 16),
        sides=12,
    )
    skin = Part(name=name, mesh=body, texture=paint.pear_skin(rng), finish=Finish.GLAZED, roughness=0.36)
    wood = Part(
        name=f"{name}_stalk", mesh=stalk, texture=np.broadcast_to(np.array([0.24, 0.15, 0.08], np.float32), (4, 4, 3))
    )
    return [replace(part, mesh=part.mesh.turned(lean, "y").turned(turn).moved(at)) for part in (skin, wood)]


def potted_plant(rng: np.random.Generator) -> list[Part]:
    """A house leek in a slip-painted pot: leaves by the golden angle."""
    at = (-0.215, -0.075, 0.0)
    outside = smooth_path(
        [
            (0.056, 0.087),
            (0.0575, 0.083),
            (0.057, 0.070),
            (0.0525, 0.067),
            (0.050, 0.062),
            (0.040, 0.004),
            (0.039, 0.0),
        ],
        80,
    )
    inside = np.array([[0.048, 0.070], [0.050, 0.080], [0.053, 0.0875], [0.056, 0.087]])
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
        Part(name="pot", mesh=joined(lathe(outside), lathe(even_profile(inside))), texture=clay, bump=0.0005),
        Part(name="soil", mesh=_round_top(lathe(ground), 0.0505), texture=paint.soil(rng)),
        Part(
            name="house_leek",
            mesh=joined(*leaves),
            texture=paint.succulent_leaf(rng),
            finish=Finish.GLAZED,
            roughness=0.45,
        ),
    ]
    return [replace(part, mesh=part.mesh.moved(at)) for part in put]


def even_profile(knots: Array) -> Array:
    return smooth_path([tuple(knot) for knot in knots], 24)


def _fat_leaf(length: float, width: float, thickness: float) -> Mesh:
    v = np.linspace(0, 1, 22)[:, None]
    a = np.linspace(0, 2 * np.pi, 25)[None, :]
    half = width * (0.42 + 0.58 * smoothstep(0.0, 0.6, v)) * np.sqrt(np.clip(1 - v**5, 0, 1))
    thick = thickness * np.sqrt(np.clip(1 - v**4, 0, 1))
    cup = 0.22 * width * np.cos(a) ** 2
    points = np.stack(
        np.broadcast_arrays(
            length * v + 0.004 * np.cos(a) * 0,
            half * np.cos(a),
            thick * np.sin(a) + cup * (half / width) + 0.35 * length * v**2,
        ),
        -1,
    )
    points[-1, :, 0] += 0.002
    uv = np.stack(np.broadcast_arrays(a / (2 * np.pi), v), -1)
    return sheet(points, uv, wraps=True)


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
    uv = np.stack(np.meshgrid(np.linspace(0, 1, cells), np.linspace(0, 1, cells)), -1)
    return [Part(name="linen", mesh=_up(sheet(points, uv)), texture=paint.linen(rng), bump=0.0006)]


def paper_and_pencil(rng: np.random.Generator) -> list[Part]:
    parts = []
    for k, (x, y, turn, curl) in enumerate(((-0.165, -0.285, -24.0, 0.012), (-0.335, 0.065, 74.0, 0.008))):
        u = np.linspace(0, 1, 24)
        gx, gy = np.meshgrid((u - 0.5) * 0.15, (0.5 - u) * 0.105)
        gz = 0.0012 + curl * ((gx / 0.075) ** 2 * (gx > 0) + (gy / 0.053) ** 2 * (gy < 0)) * 0.5
        card = _up(sheet(np.stack([gx, gy, gz], -1), np.stack(np.meshgrid(u, u), -1)))
        parts.append(Part(name=f"card_{k}", mesh=card.turned(turn).moved((x, y, 0.0)), texture=paint.letter(rng)))
    for k, (x, y, turn, colour) in enumerate(
        ((-0.02, -0.345, 12.0, (0.70, 0.16, 0.11)), (0.13, 0.345, -28.0, (0.10, 0.30, 0.33)))
    ):
        path = np.stack([np.linspace(-0.08, 0.062, 30), np.zeros(30), np.full(30, 0.0042)], -1)
        barrel = tube(path, np.full(30, 0.0040), sides=6)
        lacquer = (
            np.broadcast_to(np.array(colour, np.float32), (240, 64, 3))
            * (0.9 + 0.2 * fbm(240, 64, 20, 4, rng))[..., None]
        )
        lacquer[6:20] = (0.75, 0.58, 0.28)
        lacquer[24:30] = (0.9, 0.85, 0.7)
        point = tube(
            path[-1] + np.linspace(0, 0.018, 12)[:, None] * [1, 0, 0], np.linspace(0.0040, 0.0003, 12), sides=16
        )
        cedar = np.broadcast_to(np.array([0.74, 0.54, 0.34], np.float32), (64, 16, 3)).copy()
        cedar[46:] = (0.12, 0.10, 0.10)
        for name, mesh, texture in (("barrel", barrel, lacquer), ("point", point, cedar)):
            parts.append(
                Part(
                    name=f"pencil_{k}_{name}",
                    mesh=mesh.turned(turn).moved((x, y, 0)),
                    texture=texture,
                    finish=Finish.GLAZED,
                    roughness=0.3,
                )
            )
    return parts


def everything(rng: np.random.Generator) -> list[Part]:
    makers = (
        teapot,
        cup_and_saucer,
        book_stack,
        open_herbal,
        candlestick,
        fruit,
        potted_plant,
        linen_cloth,
        paper_and_pencil,
    )
    return [part for maker in makers for part in maker(rng)]
