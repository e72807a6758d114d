"""What the names of the key `scaling` stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scaling(StrEnum):
    """How many workers may run. Independent of their GPU."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, kw_only=True)
class ScalingPreset:
    """Numbers behind a Scaling name."""

    workers_min: int
    workers_max: int
    idle_timeout_s: int


SCALING_PRESETS: Mapping[Scaling, ScalingPreset] = {
    Scaling.SMALL: ScalingPreset(workers_min=0, workers_max=2, idle_timeout_s=15),
    Scaling.MEDIUM: ScalingPreset(workers_min=0, workers_max=5, idle_timeout_s=30),
    Scaling.LARGE: ScalingPreset(workers_min=1, workers_max=10, idle_timeout_s=60),
}
