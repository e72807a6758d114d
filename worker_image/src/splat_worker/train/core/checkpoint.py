"""A training run's whole state as bytes, and back.
Only packing; when to save and where to is the caller's business. No pickle: a checkpoint comes from a bucket.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from splat_worker.archive import read_arrays
from splat_worker.train.core.backend import State
from splat_worker.train.core.preset import Preset

VERSION = 2
_FACTS = "facts"


class CheckpointMismatch(ValueError):
    """The bytes are no checkpoint of this version, or they belong to another run."""


@dataclass(frozen=True, kw_only=True)
class RunId:
    """What must be equal for a run to continue another. backend: the trainer's name; photos: names in order."""

    backend: str
    preset: Preset
    photos: tuple[str, ...]

    def as_json(self) -> Any:
        return json.loads(json.dumps(asdict(self)))


@dataclass(kw_only=True)
class Progress:
    """What the loop itself remembers. queue: photos left of this round; seconds: of the runs before this one."""

    rng: np.random.Generator
    step: int = 0
    queue: list[int]
    seconds: float = 0.0
    floaters_removed: int = 0


def pack(run: RunId, progress: Progress, state: State) -> bytes:
    """Everything as one uncompressed npz."""
    facts = {"version": VERSION, "run": run.as_json(), **progress.__dict__, "rng": progress.rng.bit_generator.state}
    file = io.BytesIO()
    np.savez(file, **state, **{_FACTS: np.frombuffer(json.dumps(facts).encode(), np.uint8)})
    return file.getvalue()


def unpack(data: bytes, run: RunId) -> tuple[Progress, State]:
    """What `pack` wrote. Raises CheckpointMismatch where it does not fit this run."""
    try:
        state = read_arrays(data, bytes_max=len(data))
        facts: dict[str, Any] = json.loads(state.pop(_FACTS).tobytes())
        version, of = facts.pop("version"), facts.pop("run")
    # numpy and zipfile raise almost anything on damaged bytes, and the facts may be any JSON.
    except Exception as error:
        raise CheckpointMismatch(f"not a training checkpoint: {error}") from error
    if version != VERSION:
        raise CheckpointMismatch(f"checkpoint has version {version}, this trainer reads {VERSION}")
    if of != run.as_json():
        raise CheckpointMismatch("the checkpoint belongs to a run with other photos, another preset or another trainer")
    try:
        return _progress(facts, photos=len(run.photos)), state
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise CheckpointMismatch(f"not a training checkpoint: {error}") from error


def _progress(facts: dict[str, Any], *, photos: int) -> Progress:
    """Raises ValueError, KeyError, TypeError or OverflowError for facts that `pack` did not write."""
    rng = np.random.default_rng()
    rng.bit_generator.state = facts.pop("rng")
    progress = Progress(rng=rng, **facts)
    if type(progress.step) is not int or progress.step < 0:
        raise ValueError("its step is no number of steps")
    if not isinstance(progress.queue, list) or not all(type(i) is int and 0 <= i < photos for i in progress.queue):
        raise ValueError("its queue names other photos")
    return replace(progress, seconds=float(progress.seconds), floaters_removed=int(progress.floaters_removed))
