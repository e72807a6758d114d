"""What a scene is made of, before any renderer sees it: parts, finishes, lights.

Values only; no geometry is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scripts.render_samples.meshes import Mesh
from scripts.render_samples.noise import Array


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


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A rectangle of light. centre, half edges: metres; radiance: linear RGB; normal = half_u x half_v."""

    name: str
    centre: tuple[float, float, float]
    half_u: tuple[float, float, float]
    half_v: tuple[float, float, float]
    radiance: tuple[float, float, float]
