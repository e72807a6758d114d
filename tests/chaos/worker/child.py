"""The worker's own child process with the suite's pipeline in it. Everything else of it is the shipped code."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from splat_worker.job import child
from tests.chaos.worker.pipeline import run_input

if __name__ == "__main__":
    # In the real one's place, whose libraries take seconds to load.
    stand_in: Any = ModuleType("splat_worker.job.pipeline")
    stand_in.run_input = run_input
    sys.modules[stand_in.__name__] = stand_in
    sys.exit(child.main())
