"""What the harnesses around other trainers share: arguments, and marks on a clock that stops for evaluation."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from bench.record import arguments

MARKS = (1000, 2000, 3000, 5000, 7000)
HELD_OUT_EVERY = 8  # photos by name, as in simple_trainer


def peer_arguments(doc: str | None, *, seed: int) -> argparse.ArgumentParser:
    parser = arguments(doc)
    parser.add_argument("--data", type=Path, required=True, help="an undistorted COLMAP folder")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--marks", type=int, nargs="+", default=list(MARKS), help="steps; the run ends at the last")
    parser.add_argument("--schedule", type=int, default=30_000, help="the schedule's steps")
    return parser


class Stop(Exception):
    """The last mark is measured."""


@dataclass
class Marks:
    """Rows of one run. They are written after each mark, so an interrupted run keeps what it reached."""

    facts: dict[str, Any]
    marks: list[int]
    out: Path
    rows: list[dict[str, Any]] = field(default_factory=list)
    began: float = 0.0
    evaluating: float = 0.0
    peak: int = 0

    def start(self) -> None:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        self.began = time.perf_counter()

    def measure(self, step: int, figures: Callable[[], dict[str, Any]]) -> None:
        """Adds a row; seconds and memory of `figures` do not count. Raises Stop at the last mark."""
        torch.cuda.synchronize()
        now = time.perf_counter()
        self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        seconds = round(now - self.began - self.evaluating, 3)
        self.rows.append({"step": step, "seconds": seconds, **figures(), "peak_mib": round(self.peak / 2**20)})
        self.out.write_text(json.dumps({**self.facts, "rows": self.rows}, indent=1))
        if step >= max(self.marks):
            raise Stop
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        self.evaluating += time.perf_counter() - now
