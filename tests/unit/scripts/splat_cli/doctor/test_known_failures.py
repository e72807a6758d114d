"""Every failure of the runbook by lines as tools and platforms print them, and lines that are no failure."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.splat_cli.doctor.examine import examine_log
from scripts.splat_cli.doctor.known_failures import KNOWN, known_failure, scan
from scripts.splat_cli.errors import CommandError

LINES = {
    "cuda-not-found": [
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU",
        "RuntimeError: No CUDA GPUs are available. no CUDA-capable device is detected",
        "AssertionError: Torch not compiled with CUDA enabled",
        "OSError: libcuda.so.1: cannot open shared object file: No such file or directory",
        "RuntimeError: CUDA driver version is insufficient for CUDA runtime version",
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.8 requires cuda >= 12.8",
        "/bin/sh: 1: nvcc: not found",
        "Fitness check failed: _cuda_init_check | RuntimeError: CUDA initialization failed: unknown error",
    ],
    "out-of-memory-in-the-build": [
        "c++: fatal error: Killed signal terminated program cc1plus",
        "#18 812.4 nvcc error   : 'cicc' died due to signal 9 (Kill signal)",
        'ERROR: process "/bin/sh -c make kernels" did not complete successfully: exit code: 137',
        "error: failed to solve: executor failed running: signal: killed",
    ],
    "no-kernel-for-the-gpu": [
        "CUDA error: no kernel image is available for execution on the device",
        "NVIDIA B200 with CUDA capability sm_100 is not compatible with the current PyTorch installation.",
    ],
    "container-failed-to-start": [
        "OCI runtime create failed: runc create failed: unable to start container process",
        "exec /usr/local/bin/python: exec format error",
        "Fitness check failed: _gpu_check | RuntimeError: Both checks of the GPU failed",
        "Worker is unhealthy, exiting.",
        "unhealthy: its process exited with status 1",
        "unhealthy: cannot be started: no such command",
        "ModuleNotFoundError: No module named 'splat_worker'",
    ],
    "start-timeout": [
        "worker did not start within 600 s",
        "unhealthy: never polled for a job in 600 s",
        "timed out waiting for the container to be ready",
        "startup timed out after 8m0s",
    ],
    "cuda-out-of-memory": [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 23.5 GiB",
        "RuntimeError: CUDA error: out of memory",
        "splat_worker.sfm WARNING the GPU is out of memory; finding features on the CPU",
        "CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
    "job-timeout": [
        "job timed out after 1 retries",
        "The job exceeded its time limit of 3600 s.",
        "status TIMED_OUT executionTimeout exceeded",
    ],
    "webhook-not-received": [
        "splat_worker.handler WARNING could not reach the webhook: 502",
        "splat_worker.background WARNING lost a progress message: ConnectionError",
        "webhook delivery failed after 3 attempts",
    ],
    "slow-colmap": [
        "Creating SIFT CPU feature extractor",
        "WARNING: SiftGPU is not supported on this device",
    ],
    "slow-training": ["falling back to the CPU trainer", "training on the CPU: no GPU"],
    "worker-out-of-memory": [
        "Out of memory: Killed process 4711 (python)",
        "unhealthy: its process exited with status 137",
        "MemoryError",
        "The worker ran out of memory and was stopped.",
    ],
    "worker-disk-full": ["OSError: [Errno 28] No space left on device", "The worker's disk is full."],
    "image-not-pulled": [
        "Error response from daemon: manifest for ghcr.io/team/splat-worker@sha256:aa not found: manifest unknown",
        "pull access denied for team/splat-worker, repository does not exist or may require 'docker login'",
    ],
}


@pytest.mark.parametrize(("id_", "line"), [(id_, line) for id_, lines in LINES.items() for line in lines])
def test_a_line_of_a_known_failure_is_recognised(id_: str, line: str) -> None:
    known = known_failure(line)
    assert known is not None
    assert known.id == id_


def test_every_known_failure_has_a_line_that_shows_it() -> None:
    assert {known.id for known in KNOWN} == set(LINES)


@pytest.mark.parametrize(
    "line",
    [
        "starting checkout.local/splat-worker@sha256:aa (release 3)",
        "ready",
        "ending: idle for 60 s",
        "ending: its process exited",
        "INFO   | Running 5 fitness check(s)...",
        "INFO   | All fitness checks passed. (812.11ms)",
        "INFO   | CUDA version 12.8 is available",
        "splat_worker.job INFO stage train: step 700 of 1000",
        "INFO   | Job timed 12.2 s",
        "webhook answered 204",
        "memory: 12.4 of 24 GB",
        "PSNR 24.12 dB",
    ],
)
def test_a_line_of_a_healthy_worker_is_no_failure(line: str) -> None:
    assert known_failure(line) is None


def test_a_failure_that_repeats_is_one_finding_with_its_last_line() -> None:
    [finding] = scan(
        ["ready", "CUDA out of memory. Tried 1 GiB", "CUDA out of memory. Tried 2 GiB"], source="worker w1"
    )
    assert finding.evidence == "worker w1: CUDA out of memory. Tried 2 GiB (2 times)"
    assert "photo-splat:gpu" in finding.fix
    assert finding.runbook == "docs/runbook.md#cuda-out-of-memory"


def test_a_saved_build_log_is_scanned(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_bytes(b"#18 building \xff\n#18 c++: fatal error: Killed signal terminated program cc1plus\n")
    [finding] = examine_log(log).findings
    assert finding.id == "out-of-memory-in-the-build"
    assert "CUDA_ARCHITECTURES" in finding.fix
    log.write_text("#18 DONE 120.3s\n")
    assert examine_log(log).healthy
    with pytest.raises(CommandError, match=r"none\.log cannot be read"):
        examine_log(tmp_path / "none.log")
