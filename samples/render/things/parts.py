"""What a scene is made of, before any renderer sees it: parts, finishes, lights.

Values only; no geometry is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from samples.render.paint.noise import Array
from samples.render.things.meshes import Mesh


class Finish(StrEnum):
    """How a surface scatters light. None mirrors: structure from motion needs paint that stays put."""

    MATTE = "matte"
    GLAZED = "glazed"
    METAL = "metal"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One thing of one material. texture: (H, W, 3) sRGB 0..1. bump: relief depth in metres, 0 for none."""

    name: str
    mesh: Mesh
    texture: Array
    finish: Finish = Finish.MATTE
    roughness: float = 0.3
    bump: float = 0.0

    def moved(self, offset: tuple[float, float, float]) -> Part:
        return replace(self, mesh=self.mesh.moved(offset))

    def turned(self, degrees: float, axis: str = "z") -> Part:
        return replace(self, mesh=self.mesh.turned(degrees, axis))


def glazed(name: str, mesh: Mesh, texture: Array, roughness: float, *, bump: float = 0.0) -> Part:
    """A part with a shine: ceramics, wax, lacquer, the skin of fruit."""
    return Part(name=name, mesh=mesh, texture=texture, finish=Finish.GLAZED, roughness=roughness, bump=bump)


def plain(*colour: float) -> Array:
    """A texture of one sRGB colour (three numbers), or of one grey."""
    return np.broadcast_to(np.array(colour, np.float32), (4, 4, 3))


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A rectangle of light. centre, half edges: metres; radiance: linear RGB; normal = half_u x half_v."""

    name: str
    centre: tuple[float, float, float]
    half_u: tuple[float, float, float]
    half_v: tuple[float, float, float]
    radiance: tuple[float, float, float]
