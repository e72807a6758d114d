"""Is this worker whole? `python -m splat_worker.selftest` imports everything, makes a tiny scene, and compares devices.
Needs no network and no photos: it draws its own. Exit 0 and one JSON line, or exit 1 and what is wrong.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import splat_worker
from splat_worker.contract.job_input import TrainOverrides
from splat_worker.contract.job_report import Report
from splat_worker.errors import Code, as_job_error
from splat_worker.job.run import Run, SceneJob
from splat_worker.progress import silent
from splat_worker.selftest.drawn_photos import PHOTOS, draw
from splat_worker.train.cuda.build import LIBRARY_NAME
from splat_worker.transfer.delivery import Folder

PSNR_LEAST_DB = 14.0
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
        _timed("the GPU's kernels load", _kernels_load),
        _timed("photos become a scene", _tiny_scene),
        _timed("both devices compute the same", _same_on_gpu),
    ]
    whole = all(check.ok for check in checks)
    print(json.dumps({"ok": whole, "checks": [check.__dict__ for check in checks]}))
    return 0 if whole else 1


def _timed(name: str, act: Callable[[], str]) -> Check:
    began = time.monotonic()
    try:
        ok, detail = True, act()
    except Exception as error:  # whatever is broken in this worker, the list goes on
        ok, detail = False, _what_is_wrong(error)
    return Check(name=name, ok=ok, detail=detail, seconds=round(time.monotonic() - began, 2))


class Broken(Exception):
    """This worker is not whole; the message says where and what to do."""


def _what_is_wrong(error: Exception) -> str:
    """For an operator: unlike a job's sender, one who may read an exception's own words."""
    known = as_job_error(error, None)
    if isinstance(error, Broken):
        return str(error)
    if known.code is not Code.INTERNAL or known is error:
        return known.message
    return f"{type(error).__name__}: {str(error)[:400]}"


def _import_all() -> str:
    """Compiled GPU code is loaded by its own check; its library lies among the modules and only looks like one."""
    library = Path(LIBRARY_NAME).stem
    names = [
        module.name
        for module in pkgutil.walk_packages(splat_worker.__path__, "splat_worker.")
        if module.name.rsplit(".", 1)[-1] not in ("__main__", library)
    ]
    for name in names:
        importlib.import_module(name)
    return f"{len(names)} modules"


def _tiny_scene() -> str:
    from splat_worker.job.pipeline import run_folder

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
        raise Broken(f"only {report.photos.registered} of {PHOTOS} drawn photos found their place")
    if psnr_db < PSNR_LEAST_DB:
        raise Broken(f"the scene has {psnr_db:.1f} dB, at least {PSNR_LEAST_DB} are expected")
    return (
        f"{report.photos.registered} photos, {report.metrics.gaussians} Gaussians, {psnr_db:.1f} dB, "
        f"{sum(stage.seconds for stage in report.stages):.1f} s on {report.device.name}"
    )


def _kernels_load() -> str:
    """Also where no GPU is: an image for GPUs names its library, which must be there and of these sources."""
    from splat_worker.train.cuda import library

    if not _has_kernels():
        return "none in this worker"
    library.load()
    return str(library.library_path())


def _has_kernels() -> bool:
    """Whether this worker was made with some: the image for GPUs names its own, a checkout may have built them."""
    from splat_worker.train.cuda import library

    return library.ENVIRONMENT in os.environ or library.library_path().exists()


def _same_on_gpu() -> str:
    """On a machine with a GPU: each of its kernels against the CPU's on random Gaussians."""
    import torch

    if not torch.cuda.is_available():
        if GPU_DEVICE.exists():
            raise Broken(f"this machine has a GPU, but CUDA {torch.version.cuda} cannot use it: an older driver?")
        return "no GPU here; only the CPU was looked at"
    from splat_worker.selftest import gpu
    from splat_worker.train.backends import choose
    from splat_worker.train.core.context import Device
    from splat_worker.train.cuda import library

    card = torch.cuda.get_device_name(0)
    if (kind := choose(Device.CUDA)).name != "cuda":
        return f"{card}: our kernels were not compared, because SPLAT_BACKEND is {kind.name}"
    found = gpu.differences(library.load())
    if wrong := gpu.too_different(found):
        raise Broken(f"on {card} {'; '.join(wrong)}")
    return f"{card}: " + ", ".join(f"{name} off by {off:.0e}" for name, off in found.items())


if __name__ == "__main__":
    sys.exit(main())
