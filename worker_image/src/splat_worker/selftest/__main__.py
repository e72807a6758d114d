"""Checks this worker: `python -m splat_worker.selftest` imports every module, makes a tiny scene and compares devices.
Needs no network and no photos. Prints one JSON line; exit status 0 if all checks pass, else 1.
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
from splat_worker.job.run import JobRun, SceneJob
from splat_worker.progress import silent
from splat_worker.selftest.drawn_photos import PHOTOS, draw
from splat_worker.train.cuda.build import LIBRARY_NAME
from splat_worker.transfer.delivery import Folder

PSNR_MIN_DB = 14.0
GPU_DEVICE = Path("/dev/nvidiactl")
"""Exists wherever NVIDIA's driver runs, also in a container with a GPU."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. detail: its result, or what failed."""

    name: str
    ok: bool
    detail: str
    seconds: float


def main() -> int:
    """Runs every check, also after a failed one, so that an operator sees all failures."""
    checks = [
        _timed("every module loads", _import_all),
        _timed("the GPU's kernels load", _kernels_load),
        _timed("photos become a scene", _tiny_scene),
        _timed("both devices compute the same", _same_on_gpu),
    ]
    ok = all(check.ok for check in checks)
    print(json.dumps({"ok": ok, "checks": [check.__dict__ for check in checks]}))
    return 0 if ok else 1


def _timed(name: str, act: Callable[[], str]) -> Check:
    began = time.monotonic()
    try:
        ok, detail = True, act()
    except Exception as error:  # the other checks still run
        ok, detail = False, _reason(error)
    return Check(name=name, ok=ok, detail=detail, seconds=round(time.monotonic() - began, 2))


class CheckFailed(Exception):
    """A check failed; the message gives the reason."""


def _reason(error: Exception) -> str:
    """For an operator, who unlike the sender of a job may read an exception's text."""
    known = as_job_error(error, None)
    if isinstance(error, CheckFailed):
        return str(error)
    if known.code is not Code.INTERNAL or known is error:
        return known.message
    return f"{type(error).__name__}: {str(error)[:400]}"


def _import_all() -> str:
    """Skips the compiled GPU library, which lies among the modules and has a check of its own."""
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
        run = JobRun(
            job=SceneJob(project_id="selftest", train=TrainOverrides(steps=120, size_px=160)),
            scratch=root / "scratch",
            delivery=Folder(path=root / "out", keeps_checkpoints=False),
            on_event=silent,
        )
        return _checked_report(run_folder(run, sources))


def _checked_report(report: Report) -> str:
    psnr_db = report.metrics.psnr_db or 0.0
    if report.photos.registered < PHOTOS:
        raise CheckFailed(f"only {report.photos.registered} of {PHOTOS} drawn photos were placed")
    if psnr_db < PSNR_MIN_DB:
        raise CheckFailed(f"the scene has {psnr_db:.1f} dB, below {PSNR_MIN_DB} dB")
    return (
        f"{report.photos.registered} photos, {report.metrics.gaussians} Gaussians, {psnr_db:.1f} dB, "
        f"{sum(stage.seconds for stage in report.stages):.1f} s on {report.device.name}"
    )


def _kernels_load() -> str:
    """Runs even without a GPU: the library that an image names must exist and fit its sources."""
    from splat_worker.train.cuda import library

    if not _has_kernels():
        return "none in this worker"
    library.load()
    return str(library.library_path())


def _has_kernels() -> bool:
    """True in an image for GPUs, which names its library, and in a checkout that has built one."""
    from splat_worker.train.cuda import library

    return library.ENVIRONMENT in os.environ or library.library_path().exists()


def _same_on_gpu() -> str:
    """Compares each GPU kernel with the CPU on random Gaussians, if there is a GPU."""
    import torch

    if not torch.cuda.is_available():
        if GPU_DEVICE.exists():
            raise CheckFailed(f"this machine has a GPU, but CUDA {torch.version.cuda} cannot use it: an older driver?")
        return "no GPU here; only the CPU was checked"
    from splat_worker.selftest import gpu
    from splat_worker.train.backends import choose
    from splat_worker.train.core.context import Device
    from splat_worker.train.cuda import library

    card = torch.cuda.get_device_name(0)
    if (kind := choose(Device.CUDA)).name != "cuda":
        return f"{card}: our kernels were not compared, because SPLAT_BACKEND is {kind.name}"
    found = gpu.differences(library.load())
    if wrong := gpu.too_different(found):
        raise CheckFailed(f"on {card} {'; '.join(wrong)}")
    return f"{card}: " + ", ".join(f"{name} off by {off:.0e}" for name, off in found.items())


if __name__ == "__main__":
    sys.exit(main())
