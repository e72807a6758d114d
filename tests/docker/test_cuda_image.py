"""The `cuda` image, built without a GPU: kernels, size as pushed, and the self-test on the CPU.
`make image` builds every architecture; CI builds one, because each takes 20 s."""

from __future__ import annotations

import json
import os
import subprocess

import httpx
import pytest

from bench.image import MAX_COMPRESSED_BYTES, Measured, Reference, read
from infra.image import labels

from .conftest import ROOT, BuiltImage
from .engine import Engine

ALL = labels.labels_of_folder(ROOT / "worker_image").architectures
ARCHITECTURES = ("89",) if os.environ.get("CI") else ALL


@pytest.fixture(scope="module")
def cuda_image(engine: Engine, cpu_image: BuiltImage) -> BuiltImage:
    """Built after the `cpu` image, with which it shares most stages."""
    tag = f"{engine.registry}/splat-worker:cuda"
    arguments = {"CUDA_ARCHITECTURES": " ".join(ARCHITECTURES), "REVISION": cpu_image.revision, "SOURCE": "test"}
    engine.build(ROOT / "worker_image", tag=tag, target="cuda", arguments=arguments)
    return BuiltImage(engine=engine, reference=engine.push(tag), revision=cpu_image.revision)


@pytest.fixture(scope="module")
def measured(cuda_image: BuiltImage) -> Measured:
    with httpx.Client(timeout=30) as http:
        return read(Reference.parse(cuda_image.reference), http)


def test_the_image_is_small_enough_for_a_cold_start(measured: Measured) -> None:
    assert measured.compressed_bytes < MAX_COMPRESSED_BYTES


def test_the_labels_name_cuda_and_the_architectures(measured: Measured) -> None:
    facts = labels.labels_of_folder(ROOT / "worker_image")
    assert (measured.cuda, measured.architectures) == (facts.cuda, ARCHITECTURES)


def test_the_kernels_load_and_the_self_test_passes_without_a_gpu(cuda_image: BuiltImage) -> None:
    """torch loads with the hollow libraries, and so does the library of kernels."""
    run = ("run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", cuda_image.reference)
    loads = "import ctypes, os; print(ctypes.CDLL(os.environ['SPLAT_KERNELS'])._name)"
    assert cuda_image.engine.docker(*run, "python", "-c", loads).strip() == "/opt/kernels/libsplat_kernels.so"
    report = json.loads(cuda_image.engine.docker(*run, "selftest", limit_s=1200).strip().splitlines()[-1])
    assert report["ok"], report
    details = {check["name"]: check["detail"] for check in report["checks"]}
    assert details["the GPU's kernels load"] == "/opt/kernels/libsplat_kernels.so"


def test_a_missing_kernel_library_fails_the_self_test_without_a_gpu(cuda_image: BuiltImage) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        cuda_image.engine.docker(
            "run", "--rm", "--read-only", "--tmpfs", "/tmp", "--network", "none", "-e", "SPLAT_KERNELS=/opt/gone.so",
            cuda_image.reference, "selftest", limit_s=1200,
        )  # fmt: skip
    report = json.loads(failed.value.stdout.strip().splitlines()[-1])
    failed_checks = [check for check in report["checks"] if not check["ok"]]
    assert [check["name"] for check in failed_checks] == ["the GPU's kernels load"]
    assert "no CUDA kernels at /opt/gone.so" in failed_checks[0]["detail"]
