"""Trains on our kernels and returns PSNR against seconds. Presets come from splat_worker, overrides from the caller."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
import torch

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.backends import choose
from splat_worker.train.core.context import Device, TrainContext
from splat_worker.train.core.preset import Preset
from splat_worker.train.core.schedule import Moment
from splat_worker.train.loop import Training

Pairs = Iterable[tuple[torch.Tensor, torch.Tensor]]


def figures(pairs: Pairs, *, with_ssim: bool) -> dict[str, float]:
    """Mean PSNR, also with exposure taken out, and torchmetrics' SSIM. pairs: (picture, photo), (3, H, W), 0 to 1."""
    found: dict[str, list[float]] = {"psnr": [], "psnr_fitted": []}
    for picture, truth in pairs:
        found["psnr"].append(psnr_of(picture, truth))
        found["psnr_fitted"].append(psnr_of(colour_fitted(picture, truth), truth))
        if with_ssim:
            from torchmetrics.functional.image import structural_similarity_index_measure

            ssim = structural_similarity_index_measure(picture[None], truth[None], data_range=1.0)
            found.setdefault("ssim", []).append(float(ssim))
    return {name: float(np.mean(values)) for name, values in found.items()}


def quality(run: Training, *, with_ssim: bool) -> dict[str, float]:
    """`figures` of the held-out views at their full size."""

    def pair(view: View) -> tuple[torch.Tensor, torch.Tensor]:
        degree = run.backend.degree_at(run.progress.step / run.steps)
        picture = run.backend.engine.render(view.camera, degree=degree).clamp(0, 1)
        return picture, torch.from_numpy(view.image.copy()).to(picture.device).permute(2, 0, 1).float() / 255

    return figures(map(pair, run.held_out), with_ssim=with_ssim)


def psnr_of(picture: torch.Tensor, truth: torch.Tensor) -> float:
    return float(-10 * torch.log10(((picture - truth) ** 2).mean()))


def colour_fitted(picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """`picture` (3, H, W) after the affine of its colours that is closest to `truth`."""
    flat = torch.cat([picture.flatten(1), torch.ones_like(picture[:1]).flatten(1)]).T
    affine = torch.linalg.lstsq(flat, truth.flatten(1).T).solution
    return (flat @ affine).T.reshape(truth.shape).clamp(0, 1)


def curve(
    posed: PosedPhotos, preset: Preset, *, seed: int, marks: int = 8, with_ssim: bool = False, device: str = "cuda"
) -> dict[str, object]:
    """One run. Seconds count from decoded photos on the host to `marks` evenly spaced evaluations, without these."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began, evaluating = time.perf_counter(), 0.0
    fit = Training(posed, preset, TrainContext(device=Device(device), seed=seed), [], choose(Device(device)))
    rows = []
    stops = sorted({round(preset.steps * (i + 1) / marks) for i in range(marks)})
    while fit.progress.step < fit.steps:
        fit.advance()
        if fit.progress.step in stops:
            torch.cuda.synchronize()
            now = time.perf_counter()
            rows.append(
                {
                    "step": fit.progress.step,
                    "seconds": round(now - began - evaluating, 3),
                    **quality(fit, with_ssim=with_ssim),
                    "gaussians": fit.backend.count,
                }
            )
            torch.cuda.synchronize()
            evaluating += time.perf_counter() - now
    peak = torch.cuda.max_memory_allocated()
    return {
        "seed": seed,
        "rows": rows,
        "peak_mib": round(peak / 2**20),
        "overflows": fit.backend.engine.overflows,
        "_fit": fit,
    }


def profile(fit: Training, steps: int = 60) -> list[dict[str, object]]:
    """GPU time per kernel and step over some more steps of a finished run, most expensive first."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    backend, end = fit.backend, Moment(step=fit.steps - 1, steps=fit.steps, background=np.zeros(3, np.float32))
    for _ in range(20):
        backend.step(0, end)
    torch.cuda.synchronize()
    with record(activities=[ProfilerActivity.CUDA]) as trace:
        began = time.perf_counter()
        for i in range(steps):
            backend.step(i % len(fit.training), end)
        torch.cuda.synchronize()
        wall_ms = 1e3 * (time.perf_counter() - began) / steps
    rows = [
        {
            "kernel": e.key.split("<")[0].split("(")[0][-48:],
            "us": round(e.self_device_time_total / steps, 2),
            "calls": e.count / steps,
        }
        for e in trace.key_averages()
        if e.self_device_time_total > 0
    ]
    rows.sort(key=lambda r: -float(r["us"]))
    total = round(sum(float(r["us"]) for r in rows), 1)
    return [{"kernel": "all", "us": total, "wall_us": round(1e3 * wall_ms, 1)}, *rows[:24]]
