"""`scripts/gpu-kernels`: when it compiles kernels for a machine's GPUs, when not, and its messages.
nvidia-smi, g++ and the worker's Python are recorders; the image's build compiles the real kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
# `-m venv FOLDER` makes an environment of this recorder; build_kernels.py writes the library that it is given.
PYTHON = """#!/bin/sh
echo "$*" >> "$LOG"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; cp "$0" "$3/bin/pip" ;;
  *build_kernels.py*) [ -z "${BROKEN:-}" ] || { echo "nvcc: $BROKEN"; exit 1; }; touch "$2" ;;
esac
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "a checkout"
    for name in ("scripts/gpu-kernels", "worker_image/image/build_kernels.py", "worker_image/requirements-kernels.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "worker_image/src/splat_worker/train/cuda").mkdir(parents=True)
    (folder / "worker_image/src/splat_worker/train/cuda/splat.cu").write_text("first\n")
    program(folder / ".venv-worker/bin/python", PYTHON)
    return folder


@pytest.fixture
def run(checkout: Path, tmp_path: Path) -> Run:
    def started(*cards: str, compiler: bool = True, broken: str = "") -> subprocess.CompletedProcess[str]:
        tools = tmp_path / "tools"
        shutil.rmtree(tools, ignore_errors=True)
        if cards:
            lines = "".join(f'echo "{card}"\n' for card in cards)
            program(tools / "nvidia-smi", f"#!/bin/sh\n{lines}")
        if compiler:
            program(tools / "g++", "#!/bin/sh\n")
        # The machine's programs that the script uses, without a compiler.
        tools.mkdir(exist_ok=True)
        for name in ("sh", "dirname", "cut", "tr", "head", "tail", "sort", "find", "sha256sum", "mkdir", "touch", "cp"):
            (tools / name).symlink_to(str(shutil.which(name)))
        return subprocess.run(
            [checkout / "scripts" / "gpu-kernels"],
            env={"PATH": str(tools), "LOG": str(tmp_path / "log"), "BROKEN": broken, "HOME": os.environ["HOME"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return started


def test_a_machine_without_a_gpu_compiles_nothing_and_prints_nothing(run: Run) -> None:
    done = run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_kernels_are_compiled_once_for_all_cards_of_the_machine(run: Run, checkout: Path, tmp_path: Path) -> None:
    cards = ("8.9, 580.95.05", "12.0, 580.95.05", "8.9, 580.95.05")
    done = run(*cards)
    assert done.returncode == 0, done.stderr
    library = Path(done.stdout.strip())
    assert library.is_file()
    assert library.is_relative_to(checkout / ".tools")
    installed, compiled = (tmp_path / "log").read_text().splitlines()[-2:]
    assert "--require-hashes" in installed
    assert compiled.endswith(f"{library} 120 89")

    calls = (tmp_path / "log").read_text()
    again = run(*cards)
    assert (again.stdout, again.stderr) == (done.stdout, "")
    assert (tmp_path / "log").read_text() == calls


def test_other_sources_and_other_cards_are_compiled_again(run: Run, checkout: Path) -> None:
    first = run("8.9, 580.95.05").stdout
    assert run("9.0, 580.95.05").stdout != first
    (checkout / "worker_image/src/splat_worker/train/cuda/splat.cu").write_text("second\n")
    assert run("8.9, 580.95.05").stdout not in ("", first)


def test_an_old_driver_is_reported_and_the_cpu_is_used(run: Run) -> None:
    done = run("8.6, 535.183.01")
    assert (done.returncode, done.stdout) == (0, "")
    assert "driver 535.183.01 is older than 580" in done.stderr


def test_a_missing_compiler_is_named_with_a_hint(run: Run) -> None:
    done = run("8.6, 580.95.05", compiler=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "g++ is missing" in done.stderr
    assert "hint: " in done.stderr


def test_a_failed_build_reports_the_reason_and_leaves_no_library(run: Run) -> None:
    done = run("8.6, 580.95.05", broken="unsupported GNU version")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nvcc: unsupported GNU version" in done.stderr
    assert "hint: " in done.stderr
    assert run("8.6, 580.95.05").returncode == 0
