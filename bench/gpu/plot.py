"""Draws bench/gpu.json: PSNR against seconds, and steps per second against Gaussians. Needs matplotlib.
Reads figures only; measures nothing. Usage: python -m bench.gpu.plot bench/gpu.json OUT_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt


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
        for peer in facts.get("simple_trainer", []):
            xs, ys = zip(*((r["seconds"], r["psnr"]) for r in peer["rows"]), strict=True)
            colour = {"default": "#777", "mcmc": "#b0488f"}[peer["strategy"]]
            axes.plot(xs, ys, color=colour, lw=1.2, marker=".", label=f"gsplat simple_trainer, {peer['strategy']}")
        axes.set_xscale("log")
        axes.set_xlabel("seconds of training")
        axes.set_ylabel("held-out PSNR, dB")
        axes.set_title(f"{name}: {facts['views']} photos, {facts['size'][0]}x{facts['size'][1]}, {gpu}")
        handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))  # each name once
        axes.legend(handles.values(), handles.keys(), frameon=False)
        figure.tight_layout()
        figure.savefig(out / f"gpu-{name}.svg", metadata={"Date": None})
    if report.get("sweep"):
        figure, axes = plt.subplots(figsize=(7, 4))
        for pixels in sorted({r["pixels"] for r in report["sweep"]}):
            rows = [r for r in report["sweep"] if r["pixels"] == pixels]
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
        axes.set_title(gpu)
        axes.legend(frameon=False)
        figure.tight_layout()
        figure.savefig(out / "gpu-steps.svg", metadata={"Date": None})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
