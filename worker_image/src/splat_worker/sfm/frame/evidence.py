"""What speaks for an up direction, how exact it is, and how several such things are weighed.

Each kind of evidence is a quadratic form: `direction @ precision @ direction`, in 1 / rad^2, grows with the square of
the angle that a direction is off. Forms add up, and the eigenvector of the smallest eigenvalue is what they say
together. A form may leave an angle open: cameras in one direction fix the roll, not the pitch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from splat_worker.scene import Float64

AGREES_SIGMAS = 3.0
AGREES_MAX_DEG = 20.0
"""Evidence counts if it is within three standard deviations of the rest, and never beyond this angle. A roof or a ramp
at 15 degrees is no floor where the cameras are sure to two degrees."""
UNSURE_DEG = 90.0


class UpFrom(StrEnum):
    """Where the up direction comes from."""

    GRAVITY = "gravity in the photos' tags"
    POSITIONS = "positions in the photos' tags"
    LEVEL_CAMERAS = "level cameras"
    SIDEWAYS_CAMERAS = "cameras held sideways"
    PATH = "path of the cameras"
    PLANE = "plane that agrees with the cameras"
    STRAIGHT_DOWN = "cameras that look straight down"
    MEAN_CAMERA = "mean of the cameras"


@dataclass(frozen=True, kw_only=True)
class Tags:
    """What the tags of a photo say. down: (3,) unit vector of gravity in the camera's axes (x right, y down, z
    forward); position: latitude and longitude in degrees, altitude in m, 0 where the tag is absent."""

    down: tuple[float, float, float] | None = None
    position: tuple[float, float, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Up:
    """direction: (3,) unit. known: whether it can be relied on; otherwise it is a guess. error_deg: the estimated
    standard deviation, for a guess only of what was measured."""

    direction: Float64
    source: UpFrom
    known: bool
    error_deg: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """direction: (3,) unit, points up; precision: (3, 3) symmetric, 1 / rad^2. trusted: it alone may support a claim,
    its sign included."""

    source: UpFrom
    direction: Float64
    precision: Float64
    trusted: bool

    @property
    def error_deg(self) -> float:
        """Standard deviation in the least certain direction, at most UNSURE_DEG."""
        weakest = float(np.linalg.eigvalsh(_across(self.direction, self.precision)[1])[0])
        return UNSURE_DEG if weakest <= 0 else min(UNSURE_DEG, float(np.degrees(weakest**-0.5)))

    def agrees(self, direction: Float64, own_deg: float = 0.0) -> bool:
        """Whether another up direction, itself sure to `own_deg`, is compatible with this one."""
        off = direction - (direction @ self.direction) * self.direction
        return self._allows(np.degrees(np.arctan2(np.linalg.norm(off), direction @ self.direction)), off, own_deg)

    def is_level(self, normal: Float64, own_deg: float) -> bool:
        """Whether a vector that should be horizontal, such as the normal of a wall, is compatible with this."""
        off = normal - (normal @ self.direction) * self.direction
        return self._allows(np.degrees(np.arcsin(min(1.0, abs(normal @ self.direction)))), off, own_deg)

    def _allows(self, angle_deg: float, off: Float64, own_deg: float) -> bool:
        if np.linalg.norm(off) < 1e-9:
            return bool(angle_deg < AGREES_MAX_DEG)
        basis, precision = _across(self.direction, self.precision)
        along = basis @ off / np.linalg.norm(off)
        variance = float(along @ np.linalg.pinv(precision) @ along) if precision.any() else np.inf
        sigma_deg = np.hypot(np.degrees(np.sqrt(variance)), own_deg)
        return bool(angle_deg <= min(AGREES_MAX_DEG, AGREES_SIGMAS * sigma_deg))


def around(direction: Float64, sigma_deg: float) -> Float64:
    """(3, 3) precision of a direction that is known to sigma_deg on all sides."""
    return (np.eye(3) - np.outer(direction, direction)) / np.radians(sigma_deg) ** 2


def square_to(axis: Float64, sigma_deg: float) -> Float64:
    """(3, 3) precision of a direction that stands square to `axis`, to sigma_deg."""
    return np.outer(axis, axis) / np.radians(sigma_deg) ** 2


def with_bias(direction: Float64, precision: Float64, bias_deg: float) -> Float64:
    """The precision after a common error of bias_deg, which no number of photos averages out."""
    basis, inside = _across(direction, precision)
    values, vectors = np.linalg.eigh(inside)
    values = np.maximum(values, 0.0)
    values = values / (1.0 + values * np.radians(bias_deg) ** 2)
    return basis.T @ (vectors * values) @ vectors.T @ basis


def weighed(base: Evidence, forms: Sequence[Float64]) -> Evidence:
    """The base together with further precisions (3, 3)."""
    total = base.precision + sum(forms, np.zeros((3, 3)))
    direction = np.linalg.eigh(total)[1][:, 0]
    direction = direction if direction @ base.direction >= 0 else -direction
    return replace(base, direction=direction, precision=total)


def _across(direction: Float64, precision: Float64) -> tuple[Float64, Float64]:
    """A (2, 3) basis square to `direction`, and the precision (2, 2) in it."""
    basis = np.linalg.svd(direction[None])[2][1:]
    return basis, basis @ precision @ basis.T
