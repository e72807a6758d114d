"""The self-test as a job of the handler: its answer if all checks pass, if one fails, and if there is no report.
The tests of the image and of a stack run the real self-test (tests/docker, tests/stack)."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from splat_worker.errors import Code, JobError
from splat_worker.selftest import __main__ as selftest
from splat_worker.selftest import job as selftest_job

WHOLE = {"ok": True, "checks": [{"name": "every module loads", "ok": True, "detail": "61 modules", "seconds": 1.0}]}
BROKEN = {"ok": False, "checks": [*WHOLE["checks"], {"name": "kernels", "ok": False, "detail": "none for sm_100"}]}


def says(report: Any, status: int = 0) -> list[str]:
    return [sys.executable, "-c", f"print('chatter'); print({json.dumps(report)!r}); raise SystemExit({status})"]


def test_the_library_of_kernels_does_not_count_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(name=f"splat_worker.{name}") for name in ("train.cuda.libsplat_kernels", "export.ply")]
    monkeypatch.setattr(selftest.pkgutil, "walk_packages", lambda *_: found)
    assert selftest._import_all() == "1 modules"


@pytest.mark.parametrize("asked", [{"selftest": True}])
def test_only_the_exact_input_requests_the_self_test(asked: Any) -> None:
    assert selftest_job.is_requested(asked)
    for other in (None, [], {}, {"selftest": False}, {**asked, "project_id": "p"}, {"image_urls": []}):
        assert not selftest_job.is_requested(other)


def test_a_complete_image_answers_with_its_checks() -> None:
    assert asyncio.run(selftest_job.run(says(WHOLE))) == WHOLE


def test_a_failed_check_is_named_with_its_reason() -> None:
    with pytest.raises(JobError, match="kernels: none for sm_100") as failed:
        asyncio.run(selftest_job.run(says(BROKEN, 1)))
    assert "Do not use this image" in failed.value.hint


@pytest.mark.parametrize("command", [["false"], says("words"), says({"ok": True})])
def test_a_self_test_without_a_report_is_a_failure(command: list[str]) -> None:
    with pytest.raises(JobError, match="no report"):
        asyncio.run(selftest_job.run(command))


def test_a_self_test_that_never_ends_is_killed_with_a_timeout() -> None:
    began = time.monotonic()
    with pytest.raises(JobError, match="did not finish within") as failed:
        asyncio.run(selftest_job.run(["sleep", "60"], limit_s=0.3))
    assert failed.value.code is Code.TIME_LIMIT
    assert time.monotonic() - began < 20


def test_a_cancelled_job_leaves_no_self_test_running(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    program = (
        f"import pathlib, time\nwhile True: pathlib.Path({str(mark)!r}).write_text(str(time.time())); time.sleep(0.05)"
    )

    async def cancelled() -> None:
        task = asyncio.create_task(selftest_job.run([sys.executable, "-c", program]))
        while not mark.exists():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    last = mark.read_text()
    time.sleep(0.3)
    assert mark.read_text() == last


def test_an_unusable_gpu_is_a_failure_and_no_gpu_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine's GPU can be used")
    monkeypatch.setattr(selftest, "GPU_DEVICE", tmp_path / "nvidiactl")
    assert "no GPU" in selftest._same_on_gpu()
    (tmp_path / "nvidiactl").touch()
    with pytest.raises(selftest.CheckFailed, match="cannot use it"):
        selftest._same_on_gpu()


def test_an_image_that_names_kernels_must_have_them_even_without_a_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SPLAT_KERNELS", raising=False)
    assert selftest._timed("kernels", selftest._kernels_load).ok
    monkeypatch.setenv("SPLAT_KERNELS", str(tmp_path / "gone.so"))
    check = selftest._timed("kernels", selftest._kernels_load)
    assert not check.ok
    assert f"no CUDA kernels at {tmp_path / 'gone.so'}" in check.detail


def test_a_missing_package_is_named_and_the_other_checks_still_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator must see which package the image lacks."""
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    monkeypatch.setattr(selftest, "_tiny_scene", lambda: "not in this test")
    loaded = dict(sys.modules)
    for name in loaded:
        if name.startswith("splat_worker.") and "selftest" not in name:
            folder, _, leaf = name.rpartition(".")
            monkeypatch.delattr(loaded[folder], leaf, raising=False)  # restored afterwards
            monkeypatch.delitem(sys.modules, name)
    assert selftest.main() == 1
    report = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert not report["ok"]
    wrong = [check for check in report["checks"] if not check["ok"]]
    assert [check["name"] for check in wrong] == ["every module loads"]
    assert "pycolmap" in wrong[0]["detail"]
    assert len(report["checks"]) == 4


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (selftest.CheckFailed("only 3 of 8 drawn photos were placed"), "only 3 of 8 drawn photos were placed"),
        (JobError(Code.INTERNAL, "splat-transform is not installed."), "splat-transform is not installed."),
        (MemoryError(), "The worker ran out of memory."),
        (ModuleNotFoundError("No module named 'torch'"), "ModuleNotFoundError: No module named 'torch'"),
    ],
)
def test_the_reason_of_a_failed_check_is_shown_unchanged(error: Exception, said: str) -> None:
    def fails() -> str:
        raise error

    assert selftest._timed("one", fails).detail == said
