"""Runs Faster-GS's own trainer in its framework NeRFICG, and writes PSNR against its training seconds.
Both checkouts are given by path and stay unmodified; only what a measurement does not use is stubbed.

    python -m bench.gpu.peer_fastergs --source NERFICG FASTERGS --data FOLDER --out FILE.json [--schedule 7000]

Needs FasterGSCudaBackend, MortonEncoding and fused_ssim, built and importable. The backend compiles with CUDA 13 once
`cub::Max()` in kernels_forward.cuh is `cuda::maximum<>{}` (<cuda/functional>).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from bench.gpu.ours import figures
from bench.gpu.peer import HELD_OUT_EVERY, Marks, Stop, peer_arguments
from bench.photo_set import read_model


def stub_modules() -> None:
    """Stand-ins for what the trainer imports but its class defaults do not use."""
    # None makes the import fail as a missing module does, and upstream then uses scikit-learn. Its own error for a
    # missing extension is no ImportError (2026-06).
    sys.modules["Thirdparty.SimpleKNN"] = None
    for name, members in (("ppisp", ("PPISP", "PPISPConfig")), ("ppisp.report", ("export_ppisp_report",))):
        made = types.ModuleType(name)
        made.__dict__.update(dict.fromkeys(members))
        sys.modules[name] = made


def configuration(folder: Path, *, seed: int, schedule: int) -> dict[str, Any]:
    """What NeRFICG reads from its YAML file; everything else keeps the default of its class."""
    return {
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


def dataset_of(folder: Path) -> Any:
    """The folder in NeRFICG's data model. Its Colmap loader itself divides by zero where a camera has one photo."""
    from Cameras.Perspective import PerspectiveCamera
    from Datasets.Base import BaseDataset
    from Datasets.utils import BasicPointCloud, ImageData, View

    class Folder(BaseDataset):
        def load(self) -> tuple[list[Any], dict[str, list[Any]]]:
            model = read_model(self.dataset_path)
            index_of, cameras = {}, []
            for key, camera in model.cameras.items():
                k = camera.calibration_matrix()
                index_of[key] = len(cameras)
                cameras.append(
                    PerspectiveCamera(
                        shared_settings=self._camera_settings, width=camera.width, height=camera.height,
                        focal_x=k[0, 0], focal_y=k[1, 1], center_x=k[0, 2], center_y=k[1, 2],
                    )
                )  # fmt: skip
            parts: dict[str, list[Any]] = {"train": [], "test": [], "val": []}
            for number, image in enumerate(sorted(model.images.values(), key=lambda image: image.name)):
                pose = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
                view = View(
                    camera=cameras[index_of[image.camera_id]],
                    camera_index=index_of[image.camera_id],
                    frame_idx=number,
                    global_frame_idx=number,
                    c2w=np.linalg.inv(pose),
                    rgb=ImageData(self.dataset_path / "images" / image.name, n_channels=3),
                )
                parts["test" if number % HELD_OUT_EVERY == 0 else "train"].append(view)
            points = [model.points3D[key] for key in sorted(model.points3D)]
            self.point_cloud = BasicPointCloud(
                positions=torch.from_numpy(np.array([point.xyz for point in points], np.float32)),
                colors=torch.from_numpy(np.array([point.color for point in points], np.float32) / 255),
            )
            return cameras, parts

    return Folder(str(folder))


def measured(trainer: type, marks: Marks) -> type:
    """`trainer` with one more callback, the last of a step, that measures at each mark."""
    from Methods.Base.utils import training_callback

    class Measured(trainer):
        @training_callback(priority=-1000)
        def measure(self, iteration: int, dataset: Any) -> None:
            if iteration + 1 in marks.marks:
                self.model.eval()  # every step switches it back to training
                marks.measure(iteration + 1, lambda: self.figures(dataset))

        @torch.no_grad()
        def figures(self, dataset: Any) -> dict[str, float]:
            pairs = (
                (self.renderer.render_image(view, to_chw=True)["rgb"].clamp(0, 1), view.rgb)
                for view in dataset.data["test"]
            )
            return {**figures(pairs, with_ssim=True), "gaussians": self.model.gaussians.means.shape[0]}

    return Measured


def train(method: Any, dataset: Any, marks: Marks) -> None:
    """One run from photos decoded on the host up to the last mark."""
    for view in dataset.data["train"]:
        view._rgb.prefetch(False)
    model = method.MODEL("measured").build()
    trainer = measured(method.TRAINING_INSTANCE, marks)(model=model, renderer=method.RENDERER(model))
    marks.facts["expandable_segments"] = not trainer.requires_empty_cache
    marks.start()
    for view in dataset.data["train"]:
        view._rgb.prefetch(True)
    with contextlib.suppress(Stop):
        trainer.run(dataset)


def main(arguments: list[str] | None = None) -> int:
    parser = peer_arguments(__doc__, seed=0)
    parser.add_argument("--source", type=Path, nargs=2, required=True, metavar=("NERFICG", "FASTERGS"))
    parser.add_argument("--warm-up", type=int, default=60, help="steps of an uncounted run before it")
    options = parser.parse_args(arguments)
    if max(options.marks) > options.schedule:
        parser.error(f"the last mark, {max(options.marks)}, is after the schedule's end, {options.schedule}")
    options.out.parent.mkdir(parents=True, exist_ok=True)

    stub_modules()
    nerficg, fastergs = (path.resolve() for path in options.source)
    config = configuration(options.data, seed=options.seed, schedule=options.schedule)
    with tempfile.TemporaryDirectory() as scratch:
        # NeRFICG searches for a method in its own tree. `Methods` is a namespace, so a link elsewhere works too.
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
        if options.warm_up:
            train(method, dataset, Marks({}, [options.warm_up], Path(scratch) / "warm.json"))
            gc.collect()
            torch.cuda.empty_cache()
            framework.set_random_seed()
        facts = {"strategy": "faster-gs", "seed": options.seed, "schedule": options.schedule}
        marks = Marks(facts, options.marks, options.out)
        train(method, dataset, marks)
    print(json.dumps(marks.rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
