"""Facts about this worker: its device, its peak memory, the versions it runs.
Imports torch only to look for a GPU.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from splat_worker import __version__
from splat_worker.contract.job_report import Device
from splat_worker.limits import cpu_count

REPORTED = ("pycolmap", "torch", "numba", "runpod")


def find_device() -> Device:
    """The GPU if torch can use one, else the CPU. count: GPUs, or the cores this process may use."""
    import torch

    if torch.cuda.is_available():
        return Device(kind="cuda", name=torch.cuda.get_device_name(0), count=torch.cuda.device_count())
    return Device(kind="cpu", name=_cpu_name(), count=cpu_count())


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "CPU"
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "CPU")


def reset_peak_memory() -> None:
    """Reset the peak, so that a warm worker does not report the previous job's. Does nothing without Linux's procfs."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def versions() -> dict[str, str]:
    found = {"splat_worker": __version__}
    for package in REPORTED:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
