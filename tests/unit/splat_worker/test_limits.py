"""The needs of a job, the resources of the machine, and the failure if the job does not fit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from splat_worker import limits
from splat_worker.errors import Code, JobError


def test_a_job_that_does_not_fit_is_rejected_before_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits.check_room(limits.Need(disk_bytes=1, memory_bytes=1), tmp_path)
    with pytest.raises(JobError) as disk:
        limits.check_room(limits.Need(disk_bytes=1 << 60, memory_bytes=1), tmp_path)
    assert disk.value.code is Code.OUT_OF_DISK
    monkeypatch.setattr(limits, "available_memory_bytes", lambda: 300 * limits.MIB)
    with pytest.raises(JobError) as memory:
        limits.check_room(limits.need_of(24, 10**8, 1000), tmp_path)
    assert memory.value.code is Code.OUT_OF_MEMORY
    assert "300 MiB" in memory.value.message


def test_the_need_grows_with_photos_and_size() -> None:
    few, many, large = (
        limits.need_of(10, 10**7, 1000),
        limits.need_of(100, 10**8, 1000),
        limits.need_of(10, 10**7, 2400),
    )
    assert few.memory_bytes < many.memory_bytes
    assert few.memory_bytes < large.memory_bytes
    assert few.disk_bytes < many.disk_bytes


def test_the_limit_of_the_control_group_counts(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 300\nactive_file 50\n")
    assert limits._cgroup_bytes(tmp_path) == 450
    (tmp_path / "memory.max").write_text("max\n")
    assert limits._cgroup_bytes(tmp_path) == 1 << 62
    assert limits._cgroup_bytes(tmp_path / "absent") == 1 << 62


def test_a_system_without_proc_and_affinity_still_has_memory_and_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS has neither."""
    assert limits._machine_bytes(tmp_path / "meminfo") > 100 * limits.MIB
    monkeypatch.delattr(limits.os, "sched_getaffinity")
    assert 1 <= limits.cpu_count() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(("system", "raw"), [("darwin", 300 * limits.MIB), ("linux", 300 * 1024)])
def test_peak_memory_is_in_mib_whatever_unit_the_system_counts_in(
    system: str, raw: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"ru_maxrss": raw})
    monkeypatch.setattr(limits.resource, "getrusage", lambda _: usage)
    monkeypatch.setattr(limits.sys, "platform", system)
    monkeypatch.setattr(limits.Path, "read_text", lambda _: (_ for _ in ()).throw(FileNotFoundError()))
    assert limits.peak_memory_mb() == 300
