"""What can be fuzzed. A kind makes a case from a random source, and checks what the code makes of it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

KINDS = {
    "photos": "tests.fuzz.photos",
    "job-input": "tests.fuzz.job_input",
    "checkpoints": "tests.fuzz.checkpoints",
    "configuration": "tests.fuzz.configuration",
}
"""Kind to its module. Each module has `make` and `check`, and imports what only its environment has."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """make: a case as bytes. check: raises for a case that the code handles wrongly; the folder is new and empty."""

    make: Callable[[random.Random], bytes]
    check: Callable[[bytes, Path], None]


def load(name: str) -> Kind:
    module = importlib.import_module(KINDS[name])
    return Kind(make=module.make, check=module.check)


def case(kind: Kind, name: str, seed: int, number: int) -> bytes:
    return kind.make(random.Random(f"{seed} {name} {number}"))
