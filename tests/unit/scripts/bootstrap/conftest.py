"""The set-up runs before anything is installed, so its modules are found beside each other, not in a package."""

from __future__ import annotations

import sys
from pathlib import Path

SET_UP = Path(__file__).parents[4] / "scripts/bootstrap.d"
sys.path.insert(0, str(SET_UP))
