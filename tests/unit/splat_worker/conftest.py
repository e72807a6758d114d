"""What several folders are tested with: photos of a drawn scene, a server with RunPod's protocol, and the GPU's
kernels, always compiled for the CPU by the emulator, and the real library where there is a GPU."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parent
EMULATOR = HERE / "train/cuda/emulator"


def _load(name: str):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(f"splat_worker_test_{Path(name).name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def still_life(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """StillLife: 12 photos at 480x360 px with their true poses."""
    return _load("drawn_scene").draw(tmp_path_factory.mktemp("still-life"), count=12, width=480, height=360)


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """StillLife: 12 photos with an alpha channel that cuts out the boxes and their table."""
    return _load("drawn_scene").draw(tmp_path_factory.mktemp("alone"), count=12, width=480, height=360, alone=True)


@pytest.fixture
def runpod_server() -> Iterator:  # type: ignore[type-arg]
    with _load("runpod_server").RunPodServer() as server:
        yield server


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Our kernels, each CUDA thread a fiber on the CPU; never the library that a worker would load."""
    from splat_worker.train.cuda.build import KERNELS
    from splat_worker.train.cuda.library import Kernels

    compiler = shutil.which("g++")
    if compiler is None:
        absent = pytest.fail if os.environ.get("CI") else pytest.skip
        absent("THE CUDA KERNELS ARE NOT TESTED: g++ is needed to run them on a CPU")
    out = tmp_path_factory.mktemp("kernels") / "emulated.so"
    subprocess.run(
        [
            compiler, "-O2", "-std=c++17", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-DSPLAT_ON_CPU",
            f"-I{EMULATOR}", "-shared", "-fPIC", "-x", "c++", str(KERNELS / "splat.cu"), "-o", str(out),
        ],
        check=True,
        timeout=120,
    )  # fmt: skip
    return Kernels(out)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def machine(request: pytest.FixtureRequest) -> SimpleNamespace:
    """`device` and `kernels`: every test of a kernel runs emulated, and again on a GPU where there is one."""
    if request.param == "cpu":
        return SimpleNamespace(device="cpu", kernels=request.getfixturevalue("emulated"))
    import torch

    from splat_worker.train.cuda.library import KernelsMissing, load

    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    try:
        return SimpleNamespace(device="cuda", kernels=load())
    except KernelsMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def drawn_clip(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """`film` (drawn_clip.Film), `path`, an MP4 of it, and `encode`."""
    module = _load("video/drawn_clip")
    film = module.film()
    path = module.encode(tmp_path_factory.mktemp("clip") / "walk.mp4", film.frames)
    return SimpleNamespace(film=film, path=path, encode=module.encode)
