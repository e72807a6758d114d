"""Is this worker whole? `python -m splat_worker.selftest` imports everything and makes a tiny scene.
Needs no network and no photos: it draws its own. Exit 0 and one JSON line, or exit 1 and what is wrong.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import splat_worker
from splat_worker.delivery import Folder
from splat_worker.errors import as_job_error
from splat_worker.job import Report, TrainOverrides
from splat_worker.photos import Source
from splat_worker.progress import silent
from splat_worker.run import Run, SceneJob

PHOTOS = 8
SIZE = (320, 240)
PSNR_LEAST_DB = 14.0
RENDER_DIFFERENCE_MAX = 2e-2
GPU_DEVICE = Path("/dev/nvidiactl")
"""There wherever NVIDIA's driver is, also in a container that was given a GPU."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. detail: what was found, or what is wrong."""

    name: str
    ok: bool
    detail: str
    seconds: float


def main() -> int:
    """Every check runs, also after a failed one: an operator wants the whole list."""
    checks = [
        _timed("every module loads", _import_all),
        _timed("photos become a scene", _tiny_scene),
        _timed("both devices draw the same picture", _same_on_gpu),
    ]
    whole = all(check.ok for check in checks)
    print(json.dumps({"ok": whole, "checks": [check.__dict__ for check in checks]}))
    return 0 if whole else 1


def _timed(name: str, act: Callable[[], str]) -> Check:
    began = time.monotonic()
    try:
        ok, detail = True, act()
    except Exception as error:  # whatever is broken in this worker, the list goes on
        known = as_job_error(error, None)
        ok, detail = False, f"{known.message} ({type(error).__name__}: {str(error)[:200]})"
    return Check(name=name, ok=ok, detail=detail, seconds=round(time.monotonic() - began, 2))


def _import_all() -> str:
    """Compiled GPU code is loaded by its own check; its modules may be absent where no GPU is."""
    names = [
        module.name
        for module in pkgutil.walk_packages(splat_worker.__path__, "splat_worker.")
        if not module.name.endswith("__main__") and ".cuda" not in module.name
    ]
    for name in names:
        importlib.import_module(name)
    return f"{len(names)} modules"


def _tiny_scene() -> str:
    from splat_worker.pipeline import run_folder

    with tempfile.TemporaryDirectory(prefix="splat-selftest-") as folder:
        root = Path(folder)
        (root / "scratch").mkdir()
        sources = draw(root / "photos")
        run = Run(
            job=SceneJob(project_id="selftest", train=TrainOverrides(steps=120, size_px=160)),
            scratch=root / "scratch",
            delivery=Folder(path=root / "out", keeps_checkpoints=False),
            on_event=silent,
        )
        return _judged(run_folder(run, sources))


def _judged(report: Report) -> str:
    psnr_db = report.metrics.psnr_db or 0.0
    if report.photos.registered < PHOTOS:
        raise RuntimeError(f"only {report.photos.registered} of {PHOTOS} drawn photos found their place")
    if psnr_db < PSNR_LEAST_DB:
        raise RuntimeError(f"the scene has {psnr_db:.1f} dB, at least {PSNR_LEAST_DB} are expected")
    return (
        f"{report.photos.registered} photos, {report.metrics.gaussians} Gaussians, {psnr_db:.1f} dB, "
        f"{sum(stage.seconds for stage in report.stages):.1f} s on {report.device.name}"
    )


def _same_on_gpu() -> str:
    """On a machine with a GPU: its kernels against the CPU's on random Gaussians."""
    import torch

    from splat_worker.scene import Camera, Gaussians
    from splat_worker.train.render import render

    if not torch.cuda.is_available():
        if GPU_DEVICE.exists():
            raise RuntimeError(f"this machine has a GPU, but CUDA {torch.version.cuda} cannot use it: an older driver?")
        return "no GPU here; only the CPU was looked at"
    rng = np.random.default_rng(0)
    n = 2000
    gaussians = Gaussians(
        means=rng.normal(0, 0.6, (n, 3)).astype(np.float32) + np.float32([0, 0, 3]),
        log_scales=rng.uniform(-4.5, -2.5, (n, 3)).astype(np.float32),
        quats=rng.normal(size=(n, 4)).astype(np.float32),
        opacity_logits=rng.normal(0, 2, n).astype(np.float32),
        sh=rng.normal(0, 0.4, (n, 4, 3)).astype(np.float32),
    )
    k = np.array([[200.0, 0, 96], [0, 200.0, 64], [0, 0, 1]])
    camera = Camera(world_to_camera=np.eye(4), k=k, width=192, height=128)
    worst = float(np.abs(render(gaussians, camera, "cuda") - render(gaussians, camera, "cpu")).max())
    if worst > RENDER_DIFFERENCE_MAX:
        raise RuntimeError(f"GPU and CPU renders differ by {worst:.3f}, at most {RENDER_DIFFERENCE_MAX} is expected")
    return f"{torch.cuda.get_device_name(0)}, largest difference {worst:.4f}"


def draw(folder: Path) -> list[Source]:
    """PHOTOS pictures of a textured table with a step in it, seen from an arc: enough for a tiny reconstruction."""
    folder.mkdir()
    rng = np.random.default_rng(11)
    texture = sum(
        weight
        * np.asarray(
            Image.fromarray((rng.random((cells, cells, 3)) * 255).astype(np.uint8)).resize((600, 600), 0), dtype=float
        )
        for cells, weight in ((10, 0.3), (40, 0.4), (120, 0.3))
    )
    sources = []
    for i in range(PHOTOS):
        path = folder / f"{i}.jpg"
        Image.fromarray(_photo(texture, azimuth=np.radians(-28 + 8 * i))).save(path, quality=93)
        sources.append(Source(name=path.name, path=path))
    return sources


def _photo(texture: np.ndarray, *, azimuth: float) -> np.ndarray:
    """(H, W, 3) uint8: planes y = 0 and, for x > 0.1, y = -0.35; camera 2.4 away, 40 degrees up."""
    width, height = SIZE
    tilt = np.radians(40.0)
    centre = 2.4 * np.array([np.sin(azimuth) * np.cos(tilt), -np.sin(tilt), -np.cos(azimuth) * np.cos(tilt)])
    forward = -centre / np.linalg.norm(centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    u, v = np.meshgrid(np.arange(2 * width) + 0.5 - width, np.arange(2 * height) + 0.5 - height)
    rays = u[..., None] * right + v[..., None] * down + 2.3 * width * forward
    picture = np.full((*u.shape, 3), 210.0)
    for level, first in ((0.0, True), (-0.35, False)):
        t = (level - centre[1]) / rays[..., 1]
        x, z = centre[0] + t * rays[..., 0], centre[2] + t * rays[..., 2]
        hit = (t > 0) & (np.abs(z) < 1.3) & (np.abs(x) < 1.3) & (first | (x > 0.1))
        picture[hit] = texture[
            (x[hit] * 220 + 300).astype(int) % 600, (z[hit] * 220 + 300 + 70 * (not first)).astype(int) % 600
        ]
    return picture.reshape(height, 2, width, 2, 3).mean(axis=(1, 3)).astype(np.uint8)


if __name__ == "__main__":
    sys.exit(main())
