"""Whether a trained scene may be delivered: nobody gets an empty scene as a success.
Words the failure; train/health/ decides.
"""

from __future__ import annotations

from splat_worker.errors import HINTS, Code, JobError
from splat_worker.train.core.context import HeldOut
from splat_worker.train.health.floor import below_floor

_MORE_TIME = "Set a longer time limit, or use fewer photos."


def check_quality(figures: HeldOut, *, shortened: bool) -> None:
    """Raises TRAINING_FAILED where the scene shows nothing of its photos. shortened: by the time limit."""
    reason = below_floor(figures)
    if reason is None:
        return
    count = len(figures.names)
    photos = "the photo that was" if count == 1 else f"the {count} photos that were"
    raise JobError(
        Code.TRAINING_FAILED,
        f"The scene does not look like {photos} kept back from training: {reason}.",
        hint=f"{_MORE_TIME} {HINTS[Code.TRAINING_FAILED]}" if shortened else None,
    )
