"""Figures and the commands that produce them, run from the checkout: `python -m bench.NAME`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "worker_image" / "src"))
