"""Compiles the kernels ahead of time: `python -m splat_worker.train.cuda.build [--arch 80 ...] [--out FILE]`.
Needs nvcc, not a GPU and not torch; runs at image build, never in a worker.

nvcc is taken from CUDA_HOME, from PATH, or from PyPI's nvidia-cuda-nvcc beside this Python. The library has a plain
C interface and its own copy of the CUDA runtime, so one build serves every torch and Python.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

LIBRARY_NAME = "libsplat_kernels.so"
KERNELS = Path(__file__).parent / "kernels"
# A100; RTX 3090; RTX 4090, L4, L40S; H100, H200; RTX 5090 and RTX PRO 6000.
ARCHITECTURES = ("80", "86", "89", "90", "120")


class NoCompiler(RuntimeError):
    """nvcc was not found."""


def find_nvcc() -> Path:
    home = os.environ.get("CUDA_HOME")
    places = [
        Path(home) / "bin" / "nvcc" if home else None,
        Path(found) if (found := shutil.which("nvcc")) else None,
        Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13" / "bin" / "nvcc",
    ]
    for place in places:
        if place is not None and place.is_file():
            return place
    raise NoCompiler(
        "nvcc is neither in CUDA_HOME nor on PATH: install the CUDA toolkit, or "
        "`pip install nvidia-cuda-nvcc nvidia-cuda-cccl nvidia-nvvm nvidia-cuda-crt nvidia-cuda-runtime`"
    )


def nvcc_command(nvcc: Path, out: Path, architectures: tuple[str, ...]) -> list[str]:
    """The newest architecture is also embedded as PTX: later GPUs can run it."""
    targets = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in architectures]
    newest = max(architectures, key=int)
    targets.append(f"-gencode=arch=compute_{newest},code=compute_{newest}")
    home = nvcc.parent.parent
    return [
        str(nvcc), "-O3", "-std=c++17", "--use_fast_math", *targets, "-shared", "-Xcompiler", "-fPIC",
        "--cudart=static", f"-I{home / 'include'}", f"-L{home / 'lib'}", "-o", str(out), str(KERNELS / "splat.cu"),
    ]  # fmt: skip


def build(out: Path, architectures: tuple[str, ...] = ARCHITECTURES) -> Path:
    """Compiles to `out`; the old file stays until the new one is complete."""
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part.so")
    subprocess.run(nvcc_command(find_nvcc(), part, architectures), check=True)
    return part.replace(out)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m splat_worker.train.cuda.build", description=__doc__)
    parser.add_argument("--arch", action="append", help=f"compute capability, repeatable; default {ARCHITECTURES}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / LIBRARY_NAME)
    options = parser.parse_args(arguments)
    try:
        out = build(options.out, tuple(options.arch or ARCHITECTURES))
    except NoCompiler as error:
        print(f"hint: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"nvcc failed with status {error.returncode}; its messages are above", file=sys.stderr)
        return 2
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB)", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
