"""Loads the programs of the image's build, which are not in a package. Imports nothing of the worker."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

WORKER_IMAGE = Path(__file__).parents[3] / "worker_image"


def load(name: str) -> ModuleType:
    """Load worker_image/image/<name>.py; it can import its neighbours as in the build stage."""
    folder = str(WORKER_IMAGE / "image")
    spec = importlib.util.spec_from_file_location(name, f"{folder}/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(folder)
    return module
