"""Draws bench/gpu.json: PSNR against seconds and steps, a job's stages, and steps per second.
Needs matplotlib. Reads figures only; measures nothing. Usage: python -m bench.gpu.plot bench/gpu.json OUT_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt

PEERS = {
    "default": ("gsplat simple_trainer, default", "#777"),
    "mcmc": ("gsplat simple_trainer, MCMC", "#b0488f"),
    "faster-gs": ("Faster-GS", "#8a6d1a"),
}
"""Strategy of a peer's run: its name and colour."""


def draw_resampling(again: dict[str, Any], out: Path) -> None:
    """PSNR against steps, per set: both kinds of growth and simple_trainer."""
    names = list(again["simple_trainer"])
    figure, panels = plt.subplots(1, len(names), figsize=(4 * len(names), 3.6))
    shown = {"resampled (`standard` now)": "#2563a8", "splits, as `standard` was": "#c2702a"}
    for axes, name in zip(panels, names, strict=True):
        for run in again["runs"]:
            if run["set"] == name and run["name"] in shown:
                xs, ys = zip(*((r["step"], r["psnr"]) for r in run["rows"]), strict=True)
                axes.plot(xs, ys, color=shown[run["name"]], lw=1.2, marker=".", label=run["name"].replace("`", ""))
        for peer in again["simple_trainer"][name]:
            xs, ys = zip(*((r["step"], r["psnr"]) for r in peer["rows"]), strict=True)
            label, colour = PEERS[peer["strategy"]]
            axes.plot(xs, ys, color=colour, lw=1.2, marker=".", label=label)
        axes.set_xlabel("steps")
        axes.set_title(f"{name}: {again['sets'][name]['views']} photos")
    panels[0].set_ylabel("held-out PSNR, dB")
    handles = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    panels[0].legend(handles.values(), handles.keys(), frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(out / "gpu-resampling.svg", metadata={"Date": None})


def draw_jobs(jobs: list[dict[str, Any]], out: Path) -> None:
    """One bar a job, one part a stage."""
    figure, axes = plt.subplots(figsize=(8, 2.4))
    for row, job in enumerate(jobs):
        at = 0.0
        for index, (stage, seconds) in enumerate(job["stages_s"].items()):
            axes.barh(row, seconds, left=at, color=plt.cm.tab10(index), label=stage if row == 0 else None)
            at += seconds
    axes.set_yticks(range(len(jobs)), [f"{job['preset']}, {job['as']}" for job in jobs])
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds of a whole job, {jobs[0]['photos']} photos, {max(jobs[0]['size'])} px")
    axes.legend(frameon=False, fontsize=8, ncols=8, loc="lower center", bbox_to_anchor=(0.45, 1.0), handlelength=1)
    figure.tight_layout()
    figure.savefig(out / "gpu-job.svg", metadata={"Date": None})


def main() -> int:
    report, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "gpu"})
    gpu = report["machine"]["gpu"]
    for name, facts in report["sets"].items():
        figure, axes = plt.subplots(figsize=(7, 4))
        colours = {"preview": "#c2702a", "standard": "#2563a8", "high": "#3c7d3c"}
        for run in facts["ours"]:
            xs, ys = zip(*((r["seconds"], r["psnr"]) for r in run["rows"]), strict=True)
            label = run["preset"] if run["seed"] == 0 else None
            axes.plot(xs, ys, color=colours[run["preset"]], lw=1.2, marker=".", label=label)
        for peer in facts.get("peers", []):
            xs, ys = zip(*((r["seconds"], r["psnr"]) for r in peer["rows"]), strict=True)
            label, colour = PEERS[peer["strategy"]]
            axes.plot(xs, ys, color=colour, lw=1.2, marker=".", label=label)
        axes.set_xscale("log")
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("held-out PSNR, dB")
        axes.set_title(f"{name}: {facts['views']} photos, {facts['size'][0]}x{facts['size'][1]}, {gpu}")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # each name once
        axes.legend(handles.values(), handles.keys(), frameon=False)
        figure.tight_layout()
        figure.savefig(out / f"gpu-{name}.svg", metadata={"Date": None})
    if jobs := report.get("whole_job"):
        draw_jobs(jobs, out)
    earlier = report.get("earlier", {})
    if again := earlier.get("resampling"):
        draw_resampling(again, out)
    if swept := next((part for part in (report, earlier) if part.get("sweep")), None):
        figure, axes = plt.subplots(figsize=(7, 4))
        for pixels in sorted({r["pixels"] for r in swept["sweep"]}):
            rows = [r for r in swept["sweep"] if r["pixels"] == pixels]
            axes.plot(
                [r["gaussians"] for r in rows],
                [r["steps_per_s"] for r in rows],
                marker=".",
                label=f"{pixels / 1e6:.2f} megapixels",
            )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("Gaussians")
        axes.set_ylabel("training steps per second")
        axes.set_title(swept["machine"]["gpu"])
        axes.legend(frameon=False)
        figure.tight_layout()
        figure.savefig(out / "gpu-steps.svg", metadata={"Date": None})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
