"""The Dockerfile agrees with the sources that rely on it. The stack and the workflow build it without a target.
Builds nothing; tests/docker builds the image."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.unit.worker_image.sources import WORKER_IMAGE

DOCKERFILE = (WORKER_IMAGE / "Dockerfile").read_text()
STAGES = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
IGNORE = [line for line in (WORKER_IMAGE / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]


def instructions() -> list[str]:
    return re.sub(r"\\\n\s*", " ", DOCKERFILE).splitlines()


def copied_from_context() -> list[str]:
    lines = [line.split()[1:-1] for line in instructions() if line.startswith("COPY ") and "--from" not in line]
    return sorted({source for sources in lines for source in sources})


def test_a_build_without_a_target_is_the_image_for_gpus() -> None:
    assert STAGES[-1] == "cuda"
    assert "cpu" in STAGES


def test_the_base_is_pinned_by_digest() -> None:
    assert re.search(r"^ARG BASE_IMAGE=\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)


def test_the_architectures_are_those_of_the_kernels() -> None:
    """Read from the sources, because the worker's package is not installed here."""
    build = (WORKER_IMAGE / "src/splat_worker/train/cuda/build.py").read_text()
    named = re.search(r"^ARCHITECTURES = \(([^)]*)\)", build, re.MULTILINE)
    assert named is not None
    wanted = re.findall(r"\d+", named[1])
    given = re.findall(r'^ARG CUDA_ARCHITECTURES="([\d ]+)"$', DOCKERFILE, re.MULTILINE)
    assert len(given) == 2  # the stage that compiles them, and the stage with the label
    assert all(one.split() == wanted for one in given)


def test_the_sources_in_the_kernels_stage_are_enough_to_compile_them(tmp_path: Path) -> None:
    """Imported from these files alone, by a Python without packages."""
    stage = "\n".join(instructions()).partition(" AS kernels\n")[2].partition("\nFROM ")[0]
    for line in re.findall(r"^COPY (src/.+)$", stage, re.MULTILINE):
        *sources, target = line.split()
        for source in map(WORKER_IMAGE.joinpath, sources):
            folder = tmp_path / target.removeprefix("/build/")
            if source.is_dir():
                shutil.copytree(source, folder)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder)
    command = [sys.executable, "-S", "-c", "from splat_worker.train.cuda import build; print(build.ARCHITECTURES)"]
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "90" in done.stdout


def test_the_label_with_the_cuda_version_matches_torchs_libraries() -> None:
    label = re.search(r'splat\.cuda="(\d+\.\d+)"', DOCKERFILE)
    assert label is not None
    for lock in ("requirements.txt", "requirements-kernels.txt"):
        versions = re.findall(r"^nvidia-cuda-runtime==(\d+\.\d+)", (WORKER_IMAGE / lock).read_text(), re.MULTILINE)
        assert versions == [label[1]], lock


def test_the_labels_with_versions_match_the_lock_and_the_package() -> None:
    lock = (WORKER_IMAGE / "requirements.txt").read_text()
    for package in ("torch", "pycolmap"):
        locked = re.findall(rf"^{package}==([\d.]+)", lock, re.MULTILINE)
        assert re.findall(rf'splat\.{package}="([^"]+)"', DOCKERFILE) == [*locked, *locked], package
    named = re.findall(r"^ARG VERSION=(\S+)$", DOCKERFILE, re.MULTILINE)
    package = (WORKER_IMAGE / "src/splat_worker/__init__.py").read_text()
    project = (WORKER_IMAGE / "pyproject.toml").read_text()
    assert set(named) == set(re.findall(r'^__version__ = "(\S+)"$', package, re.MULTILINE))
    assert set(named) == set(re.findall(r'^version = "(\S+)"$', project, re.MULTILINE))


@pytest.mark.parametrize("target", ["cpu", "cuda"])
def test_both_targets_have_labels_for_origin_and_content(target: str) -> None:
    stage = DOCKERFILE.partition(f"AS {target}\n")[2].partition("\nFROM ")[0]
    labels = dict(re.findall(r'([\w.]+)="([^"]*)"', stage))
    oci = {"title", "source", "revision", "version", "licenses", "base.name"}
    assert {f"org.opencontainers.image.{name}" for name in oci} <= set(labels)
    assert {"splat.cuda", "splat.architectures", "splat.torch", "splat.pycolmap"} <= set(labels)
    # A variable of a label must be declared in its own stage, or it is empty.
    for variable in re.findall(r"\$\{(\w+)\}", " ".join(labels.values())):
        assert re.search(rf"^ARG {variable}\b", stage, re.MULTILINE), variable


@pytest.mark.parametrize("source", copied_from_context())
def test_every_copied_file_exists_and_is_part_of_the_context(source: str) -> None:
    assert (WORKER_IMAGE / source).exists()
    let_in = [line[1:].rstrip("/") for line in IGNORE if line.startswith("!")]
    assert any(source == one or source.startswith(f"{one}/") for one in let_in)
    kept_out = [line for line in IGNORE if not line.startswith("!") and line != "*"]
    assert not any(fnmatch(source, pattern) for pattern in kept_out)


def test_the_context_has_no_file_that_is_not_copied() -> None:
    """A change of such a file would rebuild the same image."""
    copied = copied_from_context()
    let_in = [line[1:].rstrip("/") for line in IGNORE if line.startswith("!")]
    assert IGNORE[0] == "*"
    assert [one for one in let_in if not any(f"{source}/".startswith(f"{one}/") for source in copied)] == []


def test_both_targets_run_as_a_user_other_than_root() -> None:
    for target in ("cpu", "cuda"):
        stage = DOCKERFILE.partition(f"AS {target}\n")[2].partition("\nFROM ")[0]
        assert re.findall(r"^USER (\S+)$", stage, re.MULTILINE) == ["splat"], target
