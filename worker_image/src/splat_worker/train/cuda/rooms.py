"""How many tile instances to sort in a step, without waiting for the GPU: from what the same view needed before.
Pure. A count may arrive late; then a few far Gaussians are dropped, or some sorting is wasted. Never more than the
card has memory for: then far Gaussians are dropped too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from splat_worker.train.cuda.memory import INSTANCES_LIMIT

MARGIN = 1.25  # growth of one view's instances between two visits; more is counted and corrected
GRANULE = 1 << 14  # rooms are multiples of it


@dataclass(kw_only=True)
class RoomPlan:
    """Remembers, per view, the instances last counted and with how many Gaussians that was.

    most: instances that may be sorted at once.
    """

    first_guess: int
    most: int = INSTANCES_LIMIT
    _per_gaussian: dict[int, float] = field(default_factory=dict)
    overflows: int = 0

    def note(self, view: int, *, counted: int, gaussians: int, room: int) -> None:
        """A step's count has arrived: `counted` instances were wanted, `room` were sorted."""
        self._per_gaussian[view] = counted / max(gaussians, 1)
        if counted > room:
            self.overflows += 1

    def room(self, view: int, gaussians: int) -> int:
        """Instances to sort for `view` now; for a new view, as many as the most demanding known view needs."""
        known = self._per_gaussian.get(view)
        if known is None:
            most = max(self._per_gaussian.values(), default=0.0)
            wanted = max(most * gaussians * MARGIN * MARGIN, self.first_guess)
        else:
            wanted = known * gaussians * MARGIN
        return min(max(1, -(-int(wanted) // GRANULE)) * GRANULE, self.most)

    def forget(self) -> None:
        """Call when the pictures' size changes: old counts mean nothing then."""
        self._per_gaussian.clear()
