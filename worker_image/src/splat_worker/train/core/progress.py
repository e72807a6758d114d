"""The clock of a run: when progress, a preview and a checkpoint are due, and how many steps the time allows.
Calls nobody; loop.py does what is due.
"""

from __future__ import annotations

from splat_worker.train.core.context import TrainContext

_PACE_STEPS = 25  # how often the deadline is checked, and how many steps make a pace


class Timer:
    """Remembers when each thing happened last. Every `now` is a reading of the context's clock."""

    def __init__(self, ctx: TrainContext, step: int) -> None:
        self.ctx = ctx
        self.started_s = ctx.clock()
        self._start_step = step
        self._due_s = {
            "progress": self.started_s + 1.0,
            "snapshot": self.started_s + ctx.snapshot_first_s,
            "checkpoint": self.started_s + ctx.checkpoint_every_s,
        }

    def due(self, what: str, now: float, every_s: float) -> bool:
        """Whether progress, snapshot or checkpoint is due; if so, the next is due in `every_s`."""
        if now < self._due_s[what]:
            return False
        self._due_s[what] = now + every_s
        return True

    def eta_s(self, step: int, steps: int, now: float) -> float | None:
        """Seconds to the end, from the pace of this run so far; None before there is a pace."""
        done = step - self._start_step
        return None if done < _PACE_STEPS else (now - self.started_s) / done * (steps - step)

    def steps_in_time(self, step: int, steps: int, now: float) -> int:
        """`steps`, or fewer where the deadline leaves no time for all of them."""
        if self.ctx.deadline_s is None or step % _PACE_STEPS:
            return steps
        eta_s, left_s = self.eta_s(step, steps, now), self.ctx.deadline_s - now
        if eta_s is None or eta_s <= left_s:
            return steps
        return step + max(0, int((steps - step) * max(left_s, 0.0) / eta_s))
