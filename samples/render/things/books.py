"""Three bound books, an open herbal, two cards and two pencils; metres."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from samples.render.paint import books as paint
from samples.render.paint.noise import Array, fbm, smoothstep
from samples.render.things.meshes import Mesh, box, extrusion, grid_uv, joined, lengths_along, sheet, tube
from samples.render.things.parts import Part, glazed


@dataclass(frozen=True, kw_only=True)
class Binding:
    """size: width from spine to fore-edge, height, thickness, metres; colour: of its cloth; style: of its ornaments."""

    size: tuple[float, float, float]
    colour: tuple[float, float, float]
    style: int


def closed_book(name: str, binding: Binding, rng: np.random.Generator) -> list[Part]:
    """A cloth-bound book lying flat: the spine at -x, height along y."""
    width, height, thickness = binding.size
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
    steps = lengths_along(outer)
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
        texture=paint.binding(rng, binding.colour, spine_u, binding.style),
        roughness=0.45,
        bump=0.0004,
    )
    pages = Part(
        name=f"{name}_pages",
        mesh=_page_block(width - square, height - 2 * square, board, thickness - board),
        texture=paint.page_edges(rng),
    )
    return [part.moved((-width / 2, 0, 0)) for part in (cloth, pages)]


def _page_block(width: float, height: float, low: float, high: float) -> Mesh:
    """Three cut edges of the leaves: hollow fore-edge, head and tail."""
    z = np.linspace(low, high, 16)
    hollow = width - 0.0045 * np.sin(np.pi * (z - low) / (high - low))
    y = np.linspace(-height / 2, height / 2, 20)
    u = np.linspace(0, 1, 20)
    uv = grid_uv(u, np.linspace(0, 1, 16))
    fore = np.stack(np.broadcast_arrays(hollow[:, None], y[None, :], z[:, None]), -1)
    parts = [sheet(fore, uv)]
    for side in (-1, 1):
        x = 0.008 + u[None, :] * (hollow[:, None] - 0.008)
        end = np.stack(np.broadcast_arrays(x, np.float64(side * height / 2), z[:, None]), -1)
        parts.append(sheet(end, uv * [0.7, 1.0], flip=side > 0))
    return joined(*parts)


BOOKS = (
    ("red", Binding(size=(0.165, 0.235, 0.040), colour=(0.46, 0.095, 0.085), style=0), 62, (0.0, 0.0, 0.0)),
    ("green", Binding(size=(0.150, 0.215, 0.030), colour=(0.09, 0.24, 0.19), style=1), 86, (0.006, -0.004, 0.0402)),
    ("ochre", Binding(size=(0.125, 0.180, 0.026), colour=(0.17, 0.22, 0.36), style=3), 40, (-0.004, 0.004, 0.0704)),
)
"""Name, binding, turn in degrees, and offset in the stack, metres."""


def book_stack(rng: np.random.Generator) -> list[Part]:
    parts = []
    for name, binding, turn_deg, (dx, dy, z) in BOOKS:
        at = (-0.135 + dx, 0.135 + dy, z)
        parts += [part.turned(turn_deg).moved(at) for part in closed_book(f"book_{name}", binding, rng)]
    return parts


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
        page = sheet(top, grid_uv(s, np.linspace(0, 1, 12))).facing_up()
        name = f"page_{'left' if side < 0 else 'right'}"
        parts.append(Part(name=name, mesh=page, texture=paint.printed_page(rng, picture=side < 0)))
        for rim, reach, flip in (
            (top[0], (0.6, 0.5), True),
            (top[-1], (0.6, 0.5), False),
            (top[:, -1 if side > 0 else 0], (1.0, 0.4), side < 0),
        ):
            strip = np.stack([rim, rim * [1, 1, 0] + [0, 0, 0.003]])
            uv = grid_uv(np.linspace(0, reach[0], len(rim)), np.array([0.0, reach[1]]))
            edges.append(sheet(strip, uv, flip=flip))
    parts.append(Part(name="herbal_edges", mesh=joined(*edges), texture=paint.page_edges(rng)))
    boards = box((2 * width + 0.012, height + 0.010, 0.003), (0, 0, 0.0016))
    leather = paint.binding(rng, (0.42, 0.26, 0.14), (0.45, 0.55), 2, (300, 420))
    parts.append(Part(name="herbal_boards", mesh=boards, texture=leather))
    return [part.turned(68).moved((0.305, 0.115, 0.0)) for part in parts]


def paper_and_pencil(rng: np.random.Generator) -> list[Part]:
    parts = []
    for k, (x, y, turn, curl) in enumerate(((-0.165, -0.285, -24.0, 0.012), (-0.335, 0.065, 74.0, 0.008))):
        u = np.linspace(0, 1, 24)
        gx, gy = np.meshgrid((u - 0.5) * 0.15, (0.5 - u) * 0.105)
        gz = 0.0012 + curl * ((gx / 0.075) ** 2 * (gx > 0) + (gy / 0.053) ** 2 * (gy < 0)) * 0.5
        card = sheet(np.stack([gx, gy, gz], -1), grid_uv(u, u)).facing_up()
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
            parts.append(glazed(f"pencil_{k}_{name}", mesh, texture, 0.3).turned(turn).moved((x, y, 0)))
    return parts
