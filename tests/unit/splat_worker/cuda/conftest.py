"""The kernels under test: compiled for the CPU by the emulator always, and the real library where a GPU is.
Compiles into a folder of the session; never touches the library that a worker would load.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from splat_worker.train.cuda.build import KERNELS
from splat_worker.train.cuda.library import Kernels, KernelsMissing, load

EMULATOR = Path(__file__).parent / "emulator"


@pytest.fixture(scope="session")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Kernels:
    """Our kernels, each CUDA thread a fiber on the CPU."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is needed to run the kernels on a CPU")
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

    if not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    try:
        return SimpleNamespace(device="cuda", kernels=load())
    except KernelsMissing as missing:
        pytest.skip(str(missing))
