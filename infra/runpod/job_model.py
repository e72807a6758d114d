"""How many seconds a job takes on each card: a small model fitted to the recorded runs of bench/gpu.json.
Pure but for `recorded_model`, which reads that file. One card was measured; others are scaled by published figures."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

RUNS_FILE = Path(__file__).parents[2] / "bench/gpu.json"
MEASURED = "H200"
# FP32 TFLOPS and GB/s of memory, dense, as NVIDIA publishes them; not read from the sheets again. A kernel waits for
# one or the other.
CARDS: Mapping[str, tuple[float, float]] = {
    "RTX A4000": (19.2, 448),
    "RTX A4500": (23.7, 640),
    "RTX 4000 Ada": (26.7, 360),
    "L4": (30.3, 300),
    "RTX A5000": (27.8, 768),
    "RTX 3090": (35.6, 936),
    "RTX 4090": (82.6, 1008),
    "RTX 5090": (104.8, 1792),
    "RTX A6000": (38.7, 768),
    "A40": (37.4, 696),
    "L40": (90.5, 864),
    "L40S": (91.6, 864),
    "RTX 6000 Ada": (91.1, 960),
    "A100": (19.5, 2039),
    "H100": (66.9, 3350),
    "H200": (66.9, 4800),
    "RTX PRO 6000": (125.0, 1792),
    "B200": (74.4, 8000),
}
# Extraction and matching are the part of the camera search that runs on the card (two runs of 50 photos).
GPU_STAGES = ("extract", "match")


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recorded job on a warm worker. Seconds."""

    preset: str
    photos: int
    sfm_s: float
    train_s: float
    rest_s: float
    gpu_sfm_s: float | None = None
    start_s: float | None = None

    @property
    def total_s(self) -> float:
        return self.sfm_s + self.train_s + self.rest_s


@dataclass(frozen=True, kw_only=True)
class Model:
    """seconds = sfm_s_per_photo * photos + train_s[preset] + rest_s[preset]. error: the largest relative miss on the
    runs that it was fitted to. start_s: imports of a cold worker. gpu_share: of the camera search."""

    sfm_s_per_photo: float
    gpu_share: float
    train_s: Mapping[str, float]
    rest_s: Mapping[str, float]
    start_s: float
    error: float
    runs: int
    photos: tuple[int, int]

    def seconds(self, preset: str, photos: int, slowness: float = 1.0) -> float:
        """slowness: of the card beside the measured one."""
        sfm_s = self.sfm_s_per_photo * photos
        on_card = sfm_s * self.gpu_share + self.train_s[preset]
        return on_card * slowness + sfm_s * (1 - self.gpu_share) + self.rest_s[preset]


@functools.cache
def recorded_model() -> Model:
    """The model of this checkout's recorded runs."""
    return fit(read_runs(json.loads(RUNS_FILE.read_text("utf-8"))))


def read_runs(bench: Mapping[str, Any], *, handler_photos: int = 24, handler_preset: str = "preview") -> list[Run]:
    """The whole jobs of bench/gpu.json. The first job of the handler is left out: it also imports."""
    runs = []
    for one in bench["whole_job"]:
        stages = one["stages_s"]
        sfm_s = sum(stages[name] for name in (*GPU_STAGES, "map", "undistort"))
        runs.append(
            Run(
                preset=one["preset"],
                photos=one["photos"],
                sfm_s=sfm_s,
                train_s=stages["train"],
                rest_s=stages["photos"] + stages["export"],
                gpu_sfm_s=sum(stages[name] for name in GPU_STAGES),
                start_s=stages["imports"],
            )
        )
    for one in bench["handler_jobs"][1:]:
        stages = dict(one["stages_s"])
        sfm_s, train_s = stages.pop("sfm"), stages.pop("train")
        rest_s = sum(stages.values())
        runs.append(Run(preset=handler_preset, photos=handler_photos, sfm_s=sfm_s, train_s=train_s, rest_s=rest_s))
    return runs


def fit(runs: Sequence[Run]) -> Model:
    """Medians, so that one slow run counts little."""
    presets = sorted({one.preset for one in runs})
    sizes = sorted(one.photos for one in runs)
    # One median per preset first: seven runs of one set must not outweigh two of another.
    per_photo = median(median(one.sfm_s / one.photos for one in runs if one.preset == name) for name in presets)
    model = Model(
        sfm_s_per_photo=per_photo,
        gpu_share=median(one.gpu_sfm_s / one.sfm_s for one in runs if one.gpu_sfm_s is not None),
        train_s={name: median(one.train_s for one in runs if one.preset == name) for name in presets},
        rest_s={name: median(one.rest_s for one in runs if one.preset == name) for name in presets},
        start_s=median(one.start_s for one in runs if one.start_s is not None),
        error=0.0,
        runs=len(runs),
        photos=(sizes[0], sizes[-1]),
    )
    misses = [abs(model.seconds(one.preset, one.photos) / one.total_s - 1) for one in runs]
    return Model(**{**vars(model), "error": max(misses)})


def slowness(card: str) -> float | None:
    """How much slower a card is than the measured one: the geometric mean of both published ratios. None: unknown."""
    words = card.replace("NVIDIA", "").replace("GeForce", "").split()
    names = [name for name in CARDS if _contains(words, name.split())]
    if not names:
        return None
    flops, bandwidth = CARDS[max(names, key=len)]
    best_flops, best_bandwidth = CARDS[MEASURED]
    return float(((best_flops / flops) * (best_bandwidth / bandwidth)) ** 0.5)


def _contains(words: Sequence[str], name: Sequence[str]) -> bool:
    joined = " ".join(words).replace("-", " ").upper().split()
    return all(word.upper() in joined for word in name)
