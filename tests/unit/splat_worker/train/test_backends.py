"""Which trainer is chosen, and what a machine without it reports."""

from __future__ import annotations

import pytest
import torch
from scenes import blobs, photos_of

from splat_worker.train.backends import choose
from splat_worker.train.core.context import BackendUnavailable, Device, TrainContext
from splat_worker.train.core.preset import PresetName, resolve_preset
from splat_worker.train.cuda import library
from splat_worker.train.trainer import train


@pytest.fixture
def nothing_loaded():
    """What was loaded once is cached; a test that moves the file starts without it."""
    library.load.cache_clear()
    yield
    library.load.cache_clear()


def test_a_cpu_has_its_own_trainer(monkeypatch):
    monkeypatch.delenv("SPLAT_BACKEND", raising=False)
    assert choose(Device.CPU).name == "cpu"


@pytest.mark.usefixtures("nothing_loaded")
def test_a_gpu_without_kernels_fails_with_the_reason_and_the_next_step(monkeypatch, tmp_path):
    monkeypatch.delenv("SPLAT_BACKEND", raising=False)
    monkeypatch.setenv("SPLAT_KERNELS", str(tmp_path / "none.so"))
    preset = resolve_preset(PresetName.PREVIEW, Device.CUDA, 9)
    with pytest.raises(BackendUnavailable, match=r"no CUDA kernels at .*none\.so.*splat_worker\.train\.cuda\.build"):
        train(photos_of(blobs(20), count=3), preset, TrainContext(device=Device.CUDA))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gsplat", "SPLAT_BACKEND is gsplat, which trains on CUDA, but this job runs on CPU. Unset SPLAT_BACKEND"),
        ("cuda", "set it to cpu"),
        ("opensplat", "SPLAT_BACKEND is opensplat. Set it to cpu, cuda or gsplat"),
    ],
)
def test_a_trainer_that_does_not_fit_the_device_is_named(monkeypatch, name, message):
    monkeypatch.setenv("SPLAT_BACKEND", name)
    with pytest.raises(BackendUnavailable, match=message):
        choose(Device.CPU)


@pytest.mark.filterwarnings("ignore:CUDA initialization")
def test_gsplat_without_a_gpu_or_compiler_says_what_it_needs(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setenv("SPLAT_BACKEND", "gsplat")
    with pytest.raises(BackendUnavailable, match=r"nvcc|pip install gsplat"):
        choose(Device.CUDA)


@pytest.mark.usefixtures("nothing_loaded")
def test_a_job_on_a_gpu_without_kernels_fails_before_any_work(monkeypatch, tmp_path):
    from splat_worker.contract.job_report import Device as Machine
    from splat_worker.errors import JobError
    from splat_worker.job import pipeline

    monkeypatch.delenv("SPLAT_BACKEND", raising=False)
    monkeypatch.setenv("SPLAT_KERNELS", str(tmp_path / "none.so"))
    with pytest.raises(JobError, match=r"cannot train: no CUDA kernels at .*none\.so"):
        pipeline._check_trainer(Machine(kind="cuda", name="RTX 4090", count=1))
