"""Compiles our CUDA kernels in the image's build stage: `build_kernels.py OUT ARCH...`.
First adds the links that nvcc's linker needs and PyPI's toolkit lacks. Never runs in a worker."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path


def complete(toolkit: Path) -> None:
    """Add the links that PyPI's toolkit lacks and the linker needs: `lib64`, and lib*.so for every lib*.so.N."""
    lib = toolkit / "lib"
    if not (toolkit / "lib64").exists():
        (toolkit / "lib64").symlink_to("lib")
    for library in lib.glob("lib*.so.*"):
        plain = lib / f"{library.name.partition('.so.')[0]}.so"
        if not plain.exists():
            plain.symlink_to(library.name)


def main(arguments: list[str]) -> int:
    out, *architectures = arguments
    toolkit = Path(sysconfig.get_paths()["purelib"]) / "nvidia" / "cu13"
    complete(toolkit)
    os.environ["CUDA_HOME"] = str(toolkit)
    sys.path.insert(0, str(Path(__file__).parent))
    from splat_worker.train.cuda import build

    return build.main(["--out", out, *(f"--arch={architecture}" for architecture in architectures)])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
