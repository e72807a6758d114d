"""The native run of the worker: the shared loop's clock, progress, checkpoints and result around a Fit.
Trains nothing itself; what a step is, fit.py says, and the shared Run (train/loop.py) everything else.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass

import numpy as np
import torch

from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.train.checkpoint import CheckpointMismatch
from splat_worker.train.cuda.fit import Fit
from splat_worker.train.cuda.floaters import keep_rows
from splat_worker.train.cuda.start import start_from_points
from splat_worker.train.loop import Run

VERSION = "native-1"


@dataclass(kw_only=True)
class NativeState:
    """As checkpoint.RunState for the shared loop: what changes while a run goes on."""

    fit: Fit
    seconds: float = 0.0
    floaters_removed: int = 0

    @property
    def step(self) -> int:
        return self.fit.at_step


class NativeRun(Run):
    """One attempt at one size on our kernels."""

    state: NativeState  # type: ignore[assignment]

    def _fresh(self, posed: PosedPhotos) -> NativeState:  # type: ignore[override]
        if self.device != "cpu":
            torch.cuda.reset_peak_memory_stats()
        start = start_from_points(
            posed,
            limit=self.preset.gaussians_max,
            sh_degree=self.preset.sh_degree,
            opacity=self.preset.opacity_start,
            seed=self.ctx.seed,
            device=self.device,
            times=self.preset.start_size,
        )
        return NativeState(fit=self._fit(start))

    def _fit(self, start: Gaussians) -> Fit:
        maps = self.affines.cpu().numpy()
        same = np.allclose(maps, np.eye(3, 4), atol=1e-6)
        return Fit(
            start=start,
            views=self.training,
            preset=self.preset,
            extent=self.extent,
            seed=self.ctx.seed,
            maps=None if same else maps,
            device=self.device,
        )

    def _step(self) -> None:
        self.state.fit.steps = self.steps
        self.state.fit.step()

    def _scene(self) -> Gaussians:
        fit = self.state.fit
        return fit.engine.gaussians(fit.preset.sh_degree)

    def _count(self) -> int:
        return self.state.fit.engine.count

    def _clean(self) -> None:
        state, engine = self.state, self.state.fit.engine
        points = torch.from_numpy(self.points).to(self.device)
        rows = keep_rows(engine.params, tuple(view.camera for view in self.training), points)
        state.floaters_removed += engine.count - len(rows)
        columns = engine.params[:, rows]
        first, second = engine.moments
        engine.replace(columns, (first[:, rows], second[:, rows]))

    def _save(self, now: float) -> bytes:
        fit = self.state.fit
        first, second = fit.engine.moments
        facts = {
            "version": VERSION,
            "preset": asdict(self.preset),
            "photos": list(self.names),
            "fit": fit.facts(),
            "seconds": self.state.seconds + now - self.started_s,
            "floaters_removed": self.state.floaters_removed,
        }
        file = io.BytesIO()
        np.savez(
            file,
            columns=fit.engine.params.cpu().numpy(),
            first=first.cpu().numpy(),
            second=second.cpu().numpy(),
            stats=fit.engine.stats.cpu().numpy(),
            facts=np.frombuffer(json.dumps(facts).encode(), np.uint8),
        )
        return file.getvalue()

    def _resumed(self) -> NativeState | None:  # type: ignore[override]
        if self.ctx.resume is None:
            return None
        try:
            return self._unpacked(self.ctx.resume)
        except CheckpointMismatch as error:
            self.ctx.warn(f"Training starts anew: {error}.")
            return None

    def _unpacked(self, data: bytes) -> NativeState:
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            facts = json.loads(arrays["facts"].tobytes())
        except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise CheckpointMismatch(f"not a training checkpoint: {error}") from error
        if facts.get("version") != VERSION:
            raise CheckpointMismatch(f"checkpoint has version {facts.get('version')}, this trainer reads {VERSION}")
        wanted = (json.loads(json.dumps(asdict(self.preset))), list(self.names))
        if (facts["preset"], facts["photos"]) != wanted:
            raise CheckpointMismatch("the checkpoint belongs to a run with other photos or another preset")
        columns, first, second, stats = (
            torch.from_numpy(arrays[name]).to(self.device) for name in ("columns", "first", "second", "stats")
        )
        fit = self._fit(Gaussians(**_one_gaussian()))
        fit.engine.replace(columns, (first, second))
        fit.engine.stats[:] = stats
        fit.restore(facts["fit"])
        return NativeState(fit=fit, seconds=facts["seconds"], floaters_removed=facts["floaters_removed"])


def _one_gaussian() -> dict[str, np.ndarray]:
    """What an engine is made with before a checkpoint's columns replace it."""
    zero = np.zeros((1, 3), np.float32)
    quats = np.array([[1, 0, 0, 0]], np.float32)
    return {
        "means": zero,
        "log_scales": zero,
        "quats": quats,
        "opacity_logits": np.zeros(1, np.float32),
        "sh": np.zeros((1, 1, 3), np.float32),
    }
