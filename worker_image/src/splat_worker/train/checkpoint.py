"""A training run's whole state as bytes, and back.
Only packing; when to save and where to is the caller's business. No pickle: a checkpoint comes from a bucket.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from splat_worker.train.densify import Budget
from splat_worker.train.model import NAMES, Splats
from splat_worker.train.presets import Preset

VERSION = 1


class CheckpointMismatch(ValueError):
    """The bytes are no checkpoint of this version, or one of another run (preset or photos differ)."""


@dataclass(kw_only=True)
class RunState:
    """Everything that changes while a run goes on."""

    step: int
    splats: Splats
    budget: Budget
    queue: list[int]
    rng: np.random.Generator
    seconds: float
    floaters_removed: int = 0


def pack(state: RunState, preset: Preset, photo_names: tuple[str, ...]) -> bytes:
    """The state as one uncompressed npz."""
    arrays: dict[str, np.ndarray] = {}
    for name in NAMES:
        arrays[f"value_{name}"] = _out(state.splats.values[name])
        arrays[f"first_{name}"] = _out(state.splats.first[name])
        arrays[f"second_{name}"] = _out(state.splats.second[name])
    for name in ("score", "seen", "radius_px"):
        arrays[f"budget_{name}"] = _out(getattr(state.budget, name))
    facts = {
        "version": VERSION,
        "preset": asdict(preset),
        "photos": list(photo_names),
        "step": state.step,
        "adam_steps": state.splats.steps,
        "budget_start": state.budget.start,
        "queue": state.queue,
        "rng": state.rng.bit_generator.state,
        "seconds": state.seconds,
        "floaters_removed": state.floaters_removed,
    }
    arrays["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def unpack(data: bytes, preset: Preset, photo_names: tuple[str, ...], device: str) -> RunState:
    """The state that `pack` wrote. Raises CheckpointMismatch where it does not fit this run."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        facts: dict[str, Any] = json.loads(arrays["facts"].tobytes())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointMismatch(f"not a training checkpoint: {error}") from error
    if facts.get("version") != VERSION:
        raise CheckpointMismatch(f"checkpoint has version {facts.get('version')}, this trainer reads {VERSION}")
    if facts["preset"] != json.loads(json.dumps(asdict(preset))) or facts["photos"] != list(photo_names):
        raise CheckpointMismatch("the checkpoint belongs to a run with other photos or another preset")
    splats = Splats({name: _in(arrays[f"value_{name}"], device) for name in NAMES})
    splats.first = {name: _in(arrays[f"first_{name}"], device) for name in NAMES}
    splats.second = {name: _in(arrays[f"second_{name}"], device) for name in NAMES}
    splats.steps = facts["adam_steps"]
    budget = Budget(preset, splats)
    budget.start = facts["budget_start"]
    for name in ("score", "seen", "radius_px"):
        setattr(budget, name, _in(arrays[f"budget_{name}"], device))
    rng = np.random.default_rng()
    rng.bit_generator.state = facts["rng"]
    return RunState(
        step=facts["step"],
        splats=splats,
        budget=budget,
        queue=list(facts["queue"]),
        rng=rng,
        seconds=facts["seconds"],
        floaters_removed=facts["floaters_removed"],
    )


def _out(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _in(array: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(array.copy()).to(device)
