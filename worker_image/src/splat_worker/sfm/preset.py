"""What a search for cameras is told to do, and how it tells how far it is.
Holds no algorithm and imports no COLMAP.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from splat_worker.contract.job_input import Matching

OnProgress = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class SfmPreset:
    """matching: which pairs; threads: cores COLMAP may use; on_gpu: features are found and compared on the GPU.

    extract_max_px: longer side at which features are looked for, None for the photos' own; cameras are those of the
    photos either way.
    """

    matching: Matching = Matching.AUTO
    threads: int = 2
    on_gpu: bool = False
    extract_max_px: int | None = None
