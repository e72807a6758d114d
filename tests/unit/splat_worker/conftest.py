"""Pictures of a small scene with known cameras, drawn once per session: a textured box on a textured table."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def _load(name: str):  # type: ignore[no-untyped-def]
    spec = importlib.util.spec_from_file_location(f"splat_worker_test_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def still_life(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """StillLife: 12 photos at 480x360 px with their true poses."""
    return _load("drawn_scene").draw(tmp_path_factory.mktemp("still-life"), count=12, width=480, height=360)


@pytest.fixture
def runpod_server() -> Iterator:  # type: ignore[type-arg]
    with _load("runpod_server").RunPodServer() as server:
        yield server
