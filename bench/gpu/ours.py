"""Trains on our kernels and returns PSNR against seconds. Presets come from splat_worker, overrides from the caller."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch

from bench.gpu.peer import HELD_OUT_EVERY
from splat_worker.scene import PosedPhotos, View
from splat_worker.train.cuda.fit import Fit, extent_of
from splat_worker.train.cuda.start import start_from_points
from splat_worker.train.exposure import affines_of, photo_gains
from splat_worker.train.presets import Preset


def split(posed: PosedPhotos) -> tuple[tuple[View, ...], tuple[View, ...]]:
    """Training and held-out views: every eighth by name is held out, as in simple_trainer."""
    views = sorted(posed.views, key=lambda v: v.name)
    held = tuple(v for i, v in enumerate(views) if i % HELD_OUT_EVERY == 0)
    return tuple(v for i, v in enumerate(views) if i % HELD_OUT_EVERY != 0), held


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


def quality(fit: Fit, held_out: tuple[View, ...], *, with_ssim: bool) -> dict[str, float]:
    """`figures` of the held-out views at their full size."""

    def pair(view: View) -> tuple[torch.Tensor, torch.Tensor]:
        picture = fit.engine.render(view.camera, degree=fit.degree).clamp(0, 1)
        return picture, torch.from_numpy(view.image.copy()).to(picture.device).permute(2, 0, 1).float() / 255

    return figures(map(pair, held_out), with_ssim=with_ssim)


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
    training, held_out = split(posed)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    began, evaluating = time.perf_counter(), 0.0
    start = start_from_points(
        posed,
        limit=preset.gaussians_max,
        sh_degree=preset.sh_degree,
        opacity=preset.opacity_start,
        seed=seed,
        device=device,
        times=preset.start_size,
    )
    gains = photo_gains(posed, training) if preset.exposure else np.ones((len(training), 3))
    fit = Fit(
        maps=affines_of(gains) if np.ptp(gains) > 0 else None,
        start=start,
        views=training,
        preset=preset,
        extent=extent_of(replace(posed, views=training)),
        seed=seed,
        device=device,
    )
    rows = []
    stops = sorted({round(preset.steps * (i + 1) / marks) for i in range(marks)})
    while not fit.done:
        fit.step()
        if fit.at_step in stops:
            torch.cuda.synchronize()
            now = time.perf_counter()
            rows.append(
                {
                    "step": fit.at_step,
                    "seconds": round(now - began - evaluating, 3),
                    **quality(fit, held_out, with_ssim=with_ssim),
                    "gaussians": fit.engine.count,
                }
            )
            torch.cuda.synchronize()
            evaluating += time.perf_counter() - now
    peak = torch.cuda.max_memory_allocated()
    return {"seed": seed, "rows": rows, "peak_mib": round(peak / 2**20), "overflows": fit.engine.overflows, "_fit": fit}


def profile(fit: Fit, steps: int = 60) -> list[dict[str, object]]:
    """GPU time per kernel and step over some more steps of a finished run, most expensive first."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    fit.steps += 10**9  # rates stay at their end
    for _ in range(20):
        fit.engine.step(fit._views[0], fit.rates(), degree=fit.degree)
    torch.cuda.synchronize()
    with record(activities=[ProfilerActivity.CUDA]) as trace:
        began = time.perf_counter()
        for i in range(steps):
            fit.engine.step(fit._views[i % len(fit._views)], fit.rates(), degree=fit.degree)
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
