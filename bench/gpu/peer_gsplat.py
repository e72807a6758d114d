"""Runs gsplat's examples/simple_trainer.py as it stands, and writes PSNR against its own training seconds.
The script's file is given by path and never changed; only what it shows people (viewer, LPIPS, video) is stubbed.

Usage: python -m bench.gpu.peer_gsplat --script examples/simple_trainer.py --data FOLDER --out FILE.json
       [--strategy default|mcmc] [--seed 42] [--marks 1000 2000 3000 5000 7000] [--schedule 30000]
The folder is undistorted COLMAP. Seconds are the loop's, without the evaluations at the marks.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import sys
import tempfile
import time
import types
from pathlib import Path

import torch

from bench.gpu.colmap_folder import read_model
from bench.gpu.ours import colour_fitted


def stub_modules() -> None:
    """Stand-ins for what the script imports but a measurement does not use."""

    class Nothing:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def to(self, _: object) -> Nothing:
            return self

        def __call__(self, *_: object, **__: object) -> torch.Tensor:
            return torch.zeros(())

    def module(name: str, **members: object) -> None:
        made = types.ModuleType(name)
        made.__dict__.update(members)
        sys.modules[name] = made

    module("viser")
    module("nerfview", CameraState=object, RenderTabState=object, Viewer=Nothing, apply_float_colormap=None)
    module("gsplat_viewer", GsplatViewer=Nothing, GsplatRenderTabState=Nothing)
    module("torchmetrics.image.lpip", LearnedPerceptualImagePatchSimilarity=Nothing)
    module("pycolmap", SceneManager=SceneManager)


class SceneManager:
    """The few members of the old pycolmap reader that the script's Parser reads."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def load_cameras(self) -> None:
        import numpy as np

        model = read_model(self._folder)
        self.cameras = {
            key: types.SimpleNamespace(width=w, height=h, fx=fx, fy=fy, cx=cx, cy=cy, camera_type=1)
            for key, (w, h, fx, fy, cx, cy) in model.cameras.items()
        }
        self.images = {
            p.image_id: types.SimpleNamespace(
                name=p.name, camera_id=p.camera_id, tvec=p.translation, R=lambda p=p: p.rotation
            )
            for p in model.poses
        }
        self.name_to_image_id = {p.name: p.image_id for p in model.poses}
        ids = list(model.points)
        self.points3D = np.array([model.points[i][0] for i in ids])
        self.point3D_colors = np.array([model.points[i][1] for i in ids], np.uint8)
        self.point3D_errors = np.array([model.points[i][2] for i in ids])
        self.point3D_id_to_point3D_idx = {point: index for index, point in enumerate(ids)}
        self.point3D_id_to_images: dict[int, list[tuple[int, int]]] = {i: [] for i in ids}
        for p in model.poses:
            for index, point in enumerate(p.point_ids):
                self.point3D_id_to_images[int(point)].append((p.image_id, index))

    def load_images(self) -> None:
        """Done by load_cameras."""

    def load_points3D(self) -> None:
        """Done by load_cameras."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--strategy", choices=["default", "mcmc"], default="default")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--marks", type=int, nargs="+", default=[1000, 2000, 3000, 5000, 7000])
    parser.add_argument(
        "--schedule", type=int, default=30_000, help="the schedule's steps; the run ends at the last mark"
    )
    options = parser.parse_args(arguments)

    stub_modules()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(options.script.parent))
    spec = importlib.util.spec_from_file_location("simple_trainer", options.script)
    script = importlib.util.module_from_spec(spec)
    sys.modules["simple_trainer"] = script
    spec.loader.exec_module(script)

    rows: list[dict[str, float]] = []
    spent = {"evaluation": 0.0}
    last = max(options.marks)

    class Stop(Exception):
        pass

    class Runner(script.Runner):
        def eval(self, step: int, stage: str = "val") -> None:
            torch.cuda.synchronize()
            began = time.time()
            seconds = began - self.began - spent["evaluation"]
            fitted: list[float] = []
            plain = self.psnr

            def both(picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
                """The script's own figure, and beside it the one with exposure taken out (ours.colour_fitted)."""
                error = ((colour_fitted(picture[0], truth[0]) - truth[0]) ** 2).mean()
                fitted.append(float(-10 * torch.log10(error)))
                return plain(picture, truth)

            self.psnr = both
            super().eval(step, stage)
            self.psnr = plain
            figures = json.loads(Path(f"{self.stats_dir}/{stage}_step{step:04d}.json").read_text())
            rows.append(
                {
                    "step": step + 1, "seconds": round(seconds, 3), "psnr": figures["psnr"], "ssim": figures["ssim"],
                    "psnr_fitted": sum(fitted) / len(fitted),
                    "gaussians": figures["num_GS"], "peak_mib": round(torch.cuda.max_memory_allocated() / 2**20),
                }
            )  # fmt: skip
            facts = {"strategy": options.strategy, "seed": options.seed, "schedule": options.schedule, "rows": rows}
            options.out.write_text(json.dumps(facts, indent=1))  # after each mark: a run cut short still tells
            spent["evaluation"] += time.time() - began
            if step + 1 >= last:
                raise Stop

        def train(self) -> None:
            torch.cuda.reset_peak_memory_stats()
            self.began = time.time()
            super().train()

    strategy = (
        script.DefaultStrategy(verbose=False) if options.strategy == "default" else script.MCMCStrategy(verbose=False)
    )
    with tempfile.TemporaryDirectory() as result:
        config = script.Config(
            disable_viewer=True, disable_video=True, data_dir=str(options.data), data_factor=1, result_dir=result,
            strategy=strategy, eval_steps=list(options.marks), save_steps=[], max_steps=options.schedule,
        )  # fmt: skip
        if options.strategy == "mcmc":  # the script's own settings of its `mcmc` command
            config.init_opa, config.init_scale, config.opacity_reg, config.scale_reg = 0.5, 0.1, 0.01, 0.01
        script.set_random_seed(options.seed)
        runner = Runner(0, 0, 1, config)
        # the script seeds itself with 42 + rank in Runner; another seed must come after it
        script.set_random_seed(options.seed)
        with contextlib.suppress(Stop):
            runner.train()
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
