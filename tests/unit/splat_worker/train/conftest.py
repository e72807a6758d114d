"""Makes reference.py importable under pytest's importlib mode, and loads the runtime before numba and torch."""

from __future__ import annotations

import sys
from pathlib import Path

import splat_worker.train

sys.path.insert(0, str(Path(__file__).parent))
assert splat_worker.train.runtime is not None
