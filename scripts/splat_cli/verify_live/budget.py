"""The spending limit: what may be started, and what was spent at most. Pure."""

from __future__ import annotations

from dataclasses import dataclass


class OverBudget(Exception):
    """A stage could cost more than is left. `str()` has the figures."""


@dataclass(kw_only=True)
class Budget:
    """US dollars. A stage reserves its worst case before it starts, and gives back what it did not use."""

    limit_usd: float
    spent_usd: float = 0.0

    def reserve(self, what: str, *, seconds: float, usd_per_s: float) -> None:
        worst = seconds * usd_per_s
        if self.spent_usd + worst > self.limit_usd:
            raise OverBudget(
                f"{what} can cost ${worst:.2f}, and ${self.limit_usd - self.spent_usd:.2f} of ${self.limit_usd:.2f} "
                "are left. Raise --max-cost"
            )
        self.spent_usd += worst

    def give_back(self, *, seconds: float, usd_per_s: float) -> None:
        """Part of a reservation that cannot be billed any more."""
        self.spent_usd = max(0.0, self.spent_usd - max(0.0, seconds) * usd_per_s)
