"""Options of a search for cameras, and the type of its progress callback.
Holds no algorithm and does not import COLMAP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from splat_worker.contract.job_input import Matching

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class SfmPreset:
    """matching: which pairs to compare; threads: cores that COLMAP may use; gpu: torch device that finds and matches
    features, None to let COLMAP do both on the CPU.

    extract_max_px: longer side at which features are found, None for the photos' own size. Cameras always refer to
    the photos' own size.
    """

    matching: Matching = Matching.AUTO
    threads: int = 2
    gpu: str | None = None
    extract_max_px: int | None = None
