"""The self-test's comparison of devices: correct kernels pass, and a wrong kernel is named.
Always emulated on the CPU; also on a GPU where there is one.
"""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from splat_worker.selftest import gpu

COUNT = 150


@pytest.fixture(autouse=True)
def small_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fiber for each of its pixels takes its time."""
    monkeypatch.setattr(gpu, "WIDTH", 61)
    monkeypatch.setattr(gpu, "HEIGHT", 43)


class Without:
    """The kernels with one entry that does nothing."""

    def __init__(self, kernels: Any, entry: str) -> None:
        self._kernels, self._entry = kernels, entry

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: None) if name == self._entry else getattr(self._kernels, name)


class HalfShare:
    """A loss whose share of SSIM is another: right in form, wrong in value."""

    def __init__(self, kernels: Any) -> None:
        self._kernels = kernels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    def loss(self, buffers: Any, camera: Any, photo: Any, share: float, stream: Any) -> None:
        self._kernels.loss(buffers, camera, photo, ctypes.c_float(share / 2), stream)


def test_correct_kernels_pass_by_a_wide_margin(machine: SimpleNamespace) -> None:
    found = gpu.differences(machine.kernels, machine.device, count=COUNT)
    assert set(found) == set(gpu.RELATIVE_MAX)
    assert gpu.too_different(found) == []
    assert all(0 < off < gpu.RELATIVE_MAX[name] / 5 for name, off in found.items()), found


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("render", {"picture", "gradients"}),
        ("gradients", {"gradients"}),
        ("loss", {"loss"}),
        ("step", {"step"}),
    ],
)
def test_a_kernel_that_does_nothing_is_named(machine: SimpleNamespace, entry: str, named: set[str]) -> None:
    found = gpu.differences(Without(machine.kernels, entry), machine.device, count=COUNT)
    assert {line.split()[0] for line in gpu.too_different(found)} == named


def test_a_kernel_that_is_a_little_wrong_is_named(machine: SimpleNamespace) -> None:
    found = gpu.differences(HalfShare(machine.kernels), machine.device, count=COUNT)
    assert {line.split()[0] for line in gpu.too_different(found)} == {"loss"}


def test_nan_counts_as_different() -> None:
    found = dict.fromkeys(gpu.RELATIVE_MAX, 0.0)
    assert gpu.too_different(found) == []
    assert gpu.too_different({**found, "picture": float("nan")}) != []
