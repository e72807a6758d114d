"""Finds and loads the compiled kernels, and turns their error codes into exceptions.
Never compiles: build.py makes the library, ahead of time.
"""

from __future__ import annotations

import ctypes
import os
from functools import lru_cache
from pathlib import Path

from splat_worker.train.core.context import BackendUnavailable
from splat_worker.train.cuda import layout
from splat_worker.train.cuda.build import LIBRARY_NAME

ENVIRONMENT = "SPLAT_KERNELS"


class KernelsMissing(BackendUnavailable):
    """There is no usable kernel library. The message gives the path that was tried and how to build one."""


class KernelFailed(RuntimeError):
    """CUDA refused a kernel launch, or an earlier kernel crashed."""


def library_path() -> Path:
    """SPLAT_KERNELS if set, else beside this file."""
    given = os.environ.get(ENVIRONMENT)
    return Path(given) if given else Path(__file__).parent / LIBRARY_NAME


class Kernels:
    """Typed access to one loaded library."""

    def __init__(self, path: Path) -> None:
        try:
            self._lib = ctypes.CDLL(str(path))
        except OSError as error:
            raise KernelsMissing(
                f"no CUDA kernels at {path} ({error}). Build them with "
                f"`python -m splat_worker.train.cuda.build`, set {ENVIRONMENT} to a library that is built, or set "
                "SPLAT_BACKEND=gsplat to train on gsplat's kernels"
            ) from error
        self._declare()
        self._check_layout(path)

    def _declare(self) -> None:
        p, i, f = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
        lib = self._lib
        lib.splat_layout.argtypes, lib.splat_layout.restype = (p,), None
        lib.splat_temporary_bytes.argtypes = (i, i, i, p)
        lib.splat_render.argtypes = (p, p, i, i, i, p, i, p)
        lib.splat_gradients.argtypes = (p, p, i, i, i, p)
        lib.splat_loss.argtypes = (p, p, p, f, p)
        lib.splat_step.argtypes = (p, p, i, i, i, p, p, f, p, p)
        lib.splat_error.argtypes, lib.splat_error.restype = (i,), ctypes.c_char_p

    def _check_layout(self, path: Path) -> None:
        sizes = (ctypes.c_int64 * 7)()
        self._lib.splat_layout(sizes)
        want = [
            *(ctypes.sizeof(s) for s in (layout.CCamera, layout.CBuffers, layout.CUpdate, layout.CPhoto)),
            layout.ROWS,
            layout.TILE_PX,
            layout.BUCKET,
        ]
        if list(sizes) != want:
            raise KernelsMissing(
                f"the CUDA kernels at {path} were built from other sources (layout {list(sizes)}, this code {want}). "
                "Build them again with `python -m splat_worker.train.cuda.build`"
            )

    def temporary_bytes(self, gaussians: int, instances: int, tiles: int) -> int:
        bytes_needed = ctypes.c_uint64()
        self._call("splat_temporary_bytes", gaussians, instances, tiles, ctypes.byref(bytes_needed))
        return bytes_needed.value

    def render(self, *arguments: object) -> None:
        self._call("splat_render", *arguments)

    def gradients(self, *arguments: object) -> None:
        self._call("splat_gradients", *arguments)

    def loss(self, *arguments: object) -> None:
        self._call("splat_loss", *arguments)

    def step(self, *arguments: object) -> None:
        self._call("splat_step", *arguments)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._lib, name)(*arguments)
        if code != 0:
            raise KernelFailed(f"{name} failed: {self._lib.splat_error(code).decode()} (CUDA error {code})")


@lru_cache(maxsize=4)
def load(path: Path | None = None) -> Kernels:
    """The kernels at `path`, by default `library_path()`; loaded once."""
    return Kernels(path or library_path())
