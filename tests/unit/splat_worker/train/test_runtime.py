"""Threads and the place of compiled kernels, seen from fresh processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import splat_worker

SOURCE = Path(splat_worker.__file__).parents[1]


def in_a_fresh_process(code: str, **environment: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PYTHONPATH": str(SOURCE), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout.strip()


def test_the_package_settles_threading_before_numba_loads(tmp_path):
    code = "import splat_worker.train, numba, os; print(numba.config.THREADING_LAYER, os.environ['OMP_WAIT_POLICY'])"
    assert in_a_fresh_process(code, NUMBA_CACHE_DIR=str(tmp_path)) == "workqueue PASSIVE"


def test_presets_and_context_load_neither_torch_nor_numba(tmp_path):
    code = (
        "import sys, splat_worker.scene, splat_worker.train.core.preset, splat_worker.train.core.context;"
        "print([m for m in ('torch', 'numba', 'pycolmap') if m in sys.modules])"
    )
    assert in_a_fresh_process(code, NUMBA_CACHE_DIR=str(tmp_path)) == "[]"


def test_the_kernel_cache_is_inside_the_given_folder_and_children_agree(tmp_path):
    child = "import os, splat_worker.train; print(os.environ['NUMBA_CACHE_DIR'])"
    code = f"{child}; import subprocess, sys; sys.stdout.flush(); subprocess.run([sys.executable, '-c', {child!r}])"
    parent, child = in_a_fresh_process(code, NUMBA_CACHE_DIR=str(tmp_path)).splitlines()
    assert parent == child
    assert Path(parent).parent == tmp_path
    assert Path(parent).name.startswith("kernels-")


def test_the_same_sources_find_their_kernels_in_any_folder(tmp_path):
    """A release of the local cloud runs from a copy of the sources; compiling all of it again takes a minute."""
    code = (
        "from splat_worker.train.cpu.kernels.draw import _band_range as kernel; import numpy;"
        "kernel(numpy.ones(16, numpy.float32), 64);"
        "print(sum(kernel.stats.cache_hits.values()), sum(kernel.stats.cache_misses.values()))"
    )
    counts = []
    for copy in ("first", "second"):
        shutil.copytree(SOURCE, tmp_path / copy, ignore=shutil.ignore_patterns("__pycache__"))
        environment = {"NUMBA_CACHE_DIR": str(tmp_path / "kernels"), "PYTHONPATH": str(tmp_path / copy)}
        counts.append(in_a_fresh_process(code, **environment))
    assert counts == ["0 1", "1 0"]
