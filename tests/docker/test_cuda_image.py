"""The image for GPUs, built to its end without one: kernels, size as pushed, and the self-test on the CPU.
Every architecture of the catalogue in `make image`; one in CI, where each costs a third of a minute."""

from __future__ import annotations

import json
import os
import subprocess

import httpx
import pytest

from bench.image import MAX_COMPRESSED_BYTES, Measured, Reference, read
from infra import image_facts

from .conftest import ROOT, BuiltImage
from .engine import Engine

ALL = image_facts.of_folder(ROOT / "worker_image").architectures
ARCHITECTURES = ("89",) if os.environ.get("CI") else ALL


@pytest.fixture(scope="module")
def cuda_image(engine: Engine, cpu_image: BuiltImage) -> BuiltImage:
    """After the one for CPUs: most stages are the same."""
    tag = f"{engine.registry}/splat-worker:cuda"
    arguments = {"CUDA_ARCHITECTURES": " ".join(ARCHITECTURES), "REVISION": cpu_image.revision, "SOURCE": "test"}
    engine.build(ROOT / "worker_image", tag=tag, target="cuda", arguments=arguments)
    return BuiltImage(engine=engine, reference=engine.push(tag), revision=cpu_image.revision)


@pytest.fixture(scope="module")
def measured(cuda_image: BuiltImage) -> Measured:
    with httpx.Client(timeout=30) as http:
        return read(Reference.parse(cuda_image.reference), http)


def test_it_is_small_enough_for_a_cold_start(measured: Measured) -> None:
    assert measured.compressed_bytes < MAX_COMPRESSED_BYTES


def test_it_says_what_it_was_built_for(measured: Measured) -> None:
    facts = image_facts.of_folder(ROOT / "worker_image")
    assert (measured.cuda, measured.architectures) == (facts.cuda, ARCHITECTURES)


def test_its_kernels_are_there_and_it_works_where_no_gpu_is(cuda_image: BuiltImage) -> None:
    """torch loads although the libraries that nothing calls are hollow; the kernels' library loads too."""
    run = ("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", cuda_image.reference)
    loads = "import ctypes, os; print(ctypes.CDLL(os.environ['SPLAT_KERNELS'])._name)"
    assert cuda_image.engine.docker(*run, "python", "-c", loads).strip() == "/opt/kernels/libsplat_kernels.so"
    report = json.loads(cuda_image.engine.docker(*run, "selftest", limit_s=1200).strip().splitlines()[-1])
    assert report["ok"], report
    details = {check["name"]: check["detail"] for check in report["checks"]}
    assert details["the GPU's kernels load"] == "/opt/kernels/libsplat_kernels.so"


def test_a_missing_kernel_library_is_found_where_no_gpu_is(cuda_image: BuiltImage) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        cuda_image.engine.docker(
            "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "-e", "SPLAT_KERNELS=/opt/gone.so",
            cuda_image.reference, "selftest", limit_s=1200,
        )  # fmt: skip
    report = json.loads(failed.value.stdout.strip().splitlines()[-1])
    wrong = [check for check in report["checks"] if not check["ok"]]
    assert [check["name"] for check in wrong] == ["the GPU's kernels load"]
    assert "no CUDA kernels at /opt/gone.so" in wrong[0]["detail"]
