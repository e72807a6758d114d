"""Runs gsplat's examples/simple_trainer.py unmodified, and writes PSNR against its training seconds.
The script is given by path; only what it shows people (viewer, LPIPS, video) and its old pycolmap reader are stubbed.

    python -m bench.gpu.peer_gsplat --script examples/simple_trainer.py --data FOLDER --out FILE.json [--strategy mcmc]
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import torch

from bench.gpu.ours import colour_fitted, psnr_of
from bench.gpu.peer import Marks, Stop, peer_arguments
from bench.photo_set import read_model


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
    """The members of the old pycolmap reader that the script's Parser reads. folder: its sparse/0."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def load_cameras(self) -> None:
        model = read_model(self._folder.parents[0 if self._folder.name == "sparse" else 1])
        self.cameras, self.images = {}, {}
        ids = sorted(model.points3D)
        points = [model.points3D[i] for i in ids]
        self.points3D = np.array([point.xyz for point in points])
        self.point3D_colors = np.array([point.color for point in points], np.uint8)
        self.point3D_errors = np.array([point.error for point in points])
        self.point3D_id_to_point3D_idx = {point: index for index, point in enumerate(ids)}
        self.point3D_id_to_images: dict[int, list[tuple[int, int]]] = {i: [] for i in ids}
        for key, camera in model.cameras.items():
            k = camera.calibration_matrix()
            size = {"width": camera.width, "height": camera.height, "camera_type": 1}
            self.cameras[key] = types.SimpleNamespace(**size, fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2])
        for key, image in sorted(model.images.items(), key=lambda pair: pair[1].name):
            pose = image.cam_from_world().matrix()
            self.images[key] = types.SimpleNamespace(
                name=image.name, camera_id=image.camera_id, tvec=pose[:, 3], R=lambda pose=pose: pose[:, :3]
            )
            seen = [point.point3D_id for point in image.points2D if point.has_point3D()]
            for index, point in enumerate(seen):
                self.point3D_id_to_images[point].append((key, index))
        self.name_to_image_id = {image.name: key for key, image in self.images.items()}

    def load_images(self) -> None:
        """Done by load_cameras."""

    def load_points3D(self) -> None:
        """Done by load_cameras."""


def main(arguments: list[str] | None = None) -> int:
    parser = peer_arguments(__doc__, seed=42)
    parser.add_argument("--script", type=Path, required=True)
    parser.add_argument("--strategy", choices=["default", "mcmc"], default="default")
    options = parser.parse_args(arguments)

    stub_modules()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(options.script.parent))
    spec = importlib.util.spec_from_file_location("simple_trainer", options.script)
    script = importlib.util.module_from_spec(spec)
    sys.modules["simple_trainer"] = script
    spec.loader.exec_module(script)
    facts = {"strategy": options.strategy, "seed": options.seed, "schedule": options.schedule}
    marks = Marks(facts, options.marks, options.out)

    class Runner(script.Runner):
        def eval(self, step: int, stage: str = "val") -> None:
            marks.measure(step + 1, lambda: self.figures(step, stage))

        def figures(self, step: int, stage: str) -> dict[str, float]:
            """The script's own figures, and PSNR with exposure taken out."""
            fitted: list[float] = []
            plain = self.psnr

            def both(picture: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
                fitted.append(psnr_of(colour_fitted(picture[0], truth[0]), truth[0]))
                return plain(picture, truth)

            self.psnr = both
            super().eval(step, stage)
            self.psnr = plain
            found = json.loads(Path(f"{self.stats_dir}/{stage}_step{step:04d}.json").read_text())
            own = {"psnr": found["psnr"], "ssim": found["ssim"], "gaussians": found["num_GS"]}
            return {**own, "psnr_fitted": sum(fitted) / len(fitted)}

        def train(self) -> None:
            marks.start()
            super().train()

    kinds = {"default": script.DefaultStrategy, "mcmc": script.MCMCStrategy}
    with tempfile.TemporaryDirectory() as result:
        config = script.Config(
            disable_viewer=True, disable_video=True, data_dir=str(options.data), data_factor=1, result_dir=result,
            strategy=kinds[options.strategy](verbose=False), eval_steps=list(options.marks), save_steps=[],
            max_steps=options.schedule,
        )  # fmt: skip
        if options.strategy == "mcmc":  # the settings of the script's own `mcmc` command
            config.init_opa, config.init_scale, config.opacity_reg, config.scale_reg = 0.5, 0.1, 0.01, 0.01
        script.set_random_seed(options.seed)
        runner = Runner(0, 0, 1, config)
        # The script seeds itself with 42 + rank in Runner; another seed must come after it.
        script.set_random_seed(options.seed)
        with contextlib.suppress(Stop):
            runner.train()
    print(json.dumps(marks.rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
