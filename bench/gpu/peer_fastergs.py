"""Runs Faster-GS's own trainer in its framework NeRFICG, and writes PSNR against its training seconds.
Both checkouts are given by path and not changed here; only what a measurement does not use is stubbed.

Usage: python -m bench.gpu.peer_fastergs --source NERFICG FASTERGS --data FOLDER --out FILE.json
       [--seed 0] [--marks 1000 2000 3000 5000 7000] [--schedule 30000] [--set TRAINING.USE_MCMC=true ...]
The folder is undistorted COLMAP. Needs, built and importable: FasterGSCudaBackend, MortonEncoding, fused_ssim. With
CUDA 13 the backend compiles once `cub::Max()` in kernels_forward.cuh is `cuda::maximum<>{}` (<cuda/functional>).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import json
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from bench.gpu.colmap_folder import read_model
from bench.gpu.ours import HELD_OUT_EVERY, colour_fitted


def stub_modules() -> None:
    """Stand-ins for what the trainer imports but its class defaults do not use."""
    # None makes the import fail as a missing module does; upstream then takes scikit-learn. It needs this help:
    # its own error for a missing extension is no ImportError (2026-06).
    sys.modules["Thirdparty.SimpleKNN"] = None
    for name, members in (("ppisp", ("PPISP", "PPISPConfig")), ("ppisp.report", ("export_ppisp_report",))):
        made = types.ModuleType(name)
        made.__dict__.update(dict.fromkeys(members))
        sys.modules[name] = made


def configuration(folder: Path, *, seed: int, schedule: int, overrides: Sequence[str]) -> dict[str, Any]:
    """What NeRFICG reads from its YAML file; all that is not named keeps the default of its class."""
    made: dict[str, Any] = {
        "GLOBAL": {
            "LOG_LEVEL": 0, "GPU_INDICES": [0], "RANDOM_SEED": seed, "ANOMALY_DETECTION": False,
            "FILTER_WARNINGS": True, "METHOD_TYPE": "FasterGS", "DATASET_TYPE": "Colmap",
        },
        "MODEL": {},
        "RENDERER": {},
        "DATASET": {"PATH": str(folder)},
        "TRAINING": {
            "NUM_ITERATIONS": schedule,
            "OPTIMIZER": {"LEARNING_RATE_MEANS_MAX_STEPS": schedule},
            "DATA": {"PRELOADING_LEVEL": 0},  # `main` loads the photos, so that decoding stays out of the seconds
            "BACKUP": {"FINAL_CHECKPOINT": False},
            "WANDB": {"ACTIVATE": False},
            "GUI": {"ACTIVATE": False},
        },
    }  # fmt: skip
    for override in overrides:
        path, value = override.split("=", 1)
        *parents, key = path.split(".")
        at = made
        for parent in parents:
            at = at.setdefault(parent, {})
        at[key] = yaml.safe_load(value)
    return made


def dataset_of(folder: Path) -> Any:
    """The folder in NeRFICG's data model. Its Colmap loader itself divides by zero where a camera has one photo."""
    from Cameras.Perspective import PerspectiveCamera
    from Datasets.Base import BaseDataset
    from Datasets.utils import BasicPointCloud, ImageData, View

    class Folder(BaseDataset):
        def load(self) -> tuple[list[Any], dict[str, list[Any]]]:
            model = read_model(self.dataset_path / "sparse")
            index_of = {key: index for index, key in enumerate(model.cameras)}
            cameras = [
                PerspectiveCamera(
                    shared_settings=self._camera_settings, width=w, height=h,
                    focal_x=fx, focal_y=fy, center_x=cx, center_y=cy,
                )
                for w, h, fx, fy, cx, cy in model.cameras.values()
            ]  # fmt: skip
            parts: dict[str, list[Any]] = {"train": [], "test": [], "val": []}
            for number, pose in enumerate(model.poses):
                world_to_camera = np.eye(4)
                world_to_camera[:3, :3], world_to_camera[:3, 3] = pose.rotation, pose.translation
                view = View(
                    camera=cameras[index_of[pose.camera_id]],
                    camera_index=index_of[pose.camera_id],
                    frame_idx=number,
                    global_frame_idx=number,
                    c2w=np.linalg.inv(world_to_camera),
                    rgb=ImageData(self.dataset_path / "images" / pose.name, n_channels=3),
                )
                parts["test" if number % HELD_OUT_EVERY == 0 else "train"].append(view)
            self.point_cloud = BasicPointCloud(
                positions=torch.from_numpy(np.array([p[0] for p in model.points.values()], np.float32)),
                colors=torch.from_numpy(np.array([p[1] for p in model.points.values()], np.float32) / 255),
            )
            return cameras, parts

    return Folder(str(folder))


@torch.no_grad()
def quality(renderer: Any, views: Sequence[Any]) -> dict[str, float]:
    """Mean figures over the views at their full size, as bench/gpu/ours.py takes them."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    found: dict[str, list[float]] = {"psnr": [], "psnr_fitted": [], "ssim": []}
    for view in views:
        picture = renderer.render_image(view, to_chw=True)["rgb"].clamp(0, 1)
        truth = view.rgb
        fitted = colour_fitted(picture, truth)
        found["psnr"].append(float(-10 * torch.log10(((picture - truth) ** 2).mean())))
        found["psnr_fitted"].append(float(-10 * torch.log10(((fitted - truth) ** 2).mean())))
        found["ssim"].append(float(structural_similarity_index_measure(picture[None], truth[None], data_range=1.0)))
    return {name: float(np.mean(values)) for name, values in found.items()}


class Stop(Exception):
    """The last mark is measured."""


def measured(trainer: type, marks: Sequence[int], report: dict[str, Any], out: Path) -> type:
    """`trainer` with one callback more, the last of a step: at a mark it stops the clock and measures."""
    from Methods.Base.utils import training_callback

    wanted, last = frozenset(marks), max(marks)

    class Measured(trainer):
        began, evaluating, peak = 0.0, 0.0, 0

        @training_callback(priority=-1000)
        def measure(self, iteration: int, dataset: Any) -> None:
            step = iteration + 1
            if step not in wanted:
                return
            torch.cuda.synchronize()
            now = time.perf_counter()
            self.peak = max(self.peak, torch.cuda.max_memory_allocated())
            self.model.eval()  # the next step puts it back, as it does each time
            report["rows"].append(
                {
                    "step": step,
                    "seconds": round(now - self.began - self.evaluating, 3),
                    **quality(self.renderer, dataset.data["test"]),
                    "gaussians": self.model.gaussians.means.shape[0],
                    "peak_mib": round(self.peak / 2**20),
                }
            )
            out.write_text(json.dumps(report, indent=1))  # after each mark: a run cut short still tells
            if step >= last:
                raise Stop
            torch.cuda.reset_peak_memory_stats()
            torch.cuda.synchronize()
            self.evaluating += time.perf_counter() - now

    return Measured


def train(method: Any, dataset: Any, marks: Sequence[int], report: dict[str, Any], out: Path) -> None:
    """One run from photos decoded on the host up to the last mark."""
    for view in dataset.data["train"]:
        view._rgb.prefetch(False)
    model = method.MODEL("measured").build()
    trainer = measured(method.TRAINING_INSTANCE, marks, report, out)(model=model, renderer=method.RENDERER(model))
    report["expandable_segments"] = not trainer.requires_empty_cache
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    trainer.began = time.perf_counter()
    for view in dataset.data["train"]:
        view._rgb.prefetch(True)
    with contextlib.suppress(Stop):
        trainer.run(dataset)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, nargs=2, required=True, metavar=("NERFICG", "FASTERGS"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--marks", type=int, nargs="+", default=[1000, 2000, 3000, 5000, 7000])
    parser.add_argument(
        "--schedule", type=int, default=30_000,
        help="steps, also of the means' learning rate; the run ends at the last mark",
    )  # fmt: skip
    parser.add_argument("--warm-up", type=int, default=60, help="steps of a run before it that nobody counts")
    parser.add_argument("--set", nargs="*", default=[], metavar="GROUP.KEY=VALUE", help="other than the class default")
    options = parser.parse_args(arguments)
    if max(options.marks) > options.schedule:
        parser.error(f"the last mark, {max(options.marks)}, is after the schedule's end, {options.schedule}")
    options.out.parent.mkdir(parents=True, exist_ok=True)

    stub_modules()
    nerficg, fastergs = (path.resolve() for path in options.source)
    config = configuration(options.data, seed=options.seed, schedule=options.schedule, overrides=options.set)
    with tempfile.TemporaryDirectory() as scratch:
        # NeRFICG looks for a method in its own tree; `Methods` is a namespace, so a link elsewhere does as well.
        (Path(scratch) / "Methods").mkdir()
        (Path(scratch) / "Methods" / "FasterGS").symlink_to(fastergs, target_is_directory=True)
        sys.path[:0] = [str(nerficg / "src"), scratch]
        framework = importlib.import_module("Framework")
        framework.Directories.OUTPUT_DIR = framework.Directories.CACHE_DIR = Path(scratch)
        file = Path(scratch) / "config.yaml"
        file.write_text(yaml.safe_dump(config))
        framework.setup(require_custom_config=True, config_path=str(file))
        method = importlib.import_module("Methods.FasterGS")

        dataset = dataset_of(options.data)
        for view in dataset.data["test"]:
            view._rgb.prefetch(False)  # the held-out photos are decoded once and stay on the host
        report: dict[str, Any] = {
            "strategy": "faster-gs", "seed": options.seed, "schedule": options.schedule, "set": options.set, "rows": [],
        }  # fmt: skip
        if options.warm_up:
            train(method, dataset, [options.warm_up], {"rows": []}, Path(scratch) / "warm.json")
            gc.collect()
            torch.cuda.empty_cache()
            framework.set_random_seed()
        train(method, dataset, options.marks, report, options.out)
    print(json.dumps(report["rows"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
