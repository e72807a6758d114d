"""How many tile instances to sort in a step, without waiting for the GPU: from what the same view needed before.
Pure. A count may arrive late; then a few far Gaussians are dropped, or some sorting is wasted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MARGIN = 1.25  # growth of one view's instances between two visits; more is counted and corrected
GRANULE = 1 << 14  # rooms are multiples of it


@dataclass(kw_only=True)
class RoomPlan:
    """Remembers, per view, the instances last counted and with how many Gaussians that was."""

    first_guess: int
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
        return max(1, -(-int(wanted) // GRANULE)) * GRANULE

    def forget(self) -> None:
        """Call when the pictures' size changes: old counts mean nothing then."""
        self._per_gaussian.clear()
