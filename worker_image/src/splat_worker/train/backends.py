"""Which trainer runs: the device's own, or another that SPLAT_BACKEND names.
Loads a trainer's modules only when it is chosen.
"""

from __future__ import annotations

import os

from splat_worker.train.core.backend import Kind
from splat_worker.train.core.context import BackendUnavailable, Device

ENVIRONMENT = "SPLAT_BACKEND"
OURS = {Device.CPU: "cpu", Device.CUDA: "cuda"}
"""The trainer of each device where SPLAT_BACKEND is not set."""


def choose(device: Device) -> Kind:
    """The trainer for this device, ready to run. Raises BackendUnavailable with the reason and the next step."""
    name = os.environ.get(ENVIRONMENT) or OURS[device]
    kind = _load(name)
    if kind.device is not device:
        raise BackendUnavailable(
            f"{ENVIRONMENT} is {name}, which trains on {kind.device.upper()}, but this job runs on {device.upper()}. "
            f"Unset {ENVIRONMENT}, or set it to {OURS[device]}"
        )
    kind.check()
    return kind


def _load(name: str) -> Kind:
    if name == "cpu":
        from splat_worker.train.cpu import backend as cpu

        return cpu.KIND
    if name == "cuda":
        from splat_worker.train.cuda import backend as cuda

        return cuda.KIND
    if name == "gsplat":
        from splat_worker.train.gsplat import backend as gsplat

        return gsplat.KIND
    raise BackendUnavailable(f"{ENVIRONMENT} is {name}. Set it to cpu, cuda or gsplat, or unset it")
