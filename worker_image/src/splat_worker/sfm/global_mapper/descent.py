"""Levenberg-Marquardt over photos and points, for any error of both.
Pure.
"""

from __future__ import annotations

from typing import Protocol, Self, TypeVar

from torch import Tensor

from splat_worker.sfm.global_mapper.schur import Normal, Structure, step_of

DAMPING, DAMPING_MIN, DAMPING_MAX = 1e-3, 1e-9, 1e8
FALL, RISE = 0.2, 4.0


class Problem(Protocol):
    """What is minimised, at one estimate."""

    structure: Structure
    columns: Tensor
    damps_inside: bool

    def cost(self) -> Tensor: ...

    def normal(self, damping: float, /) -> Normal: ...

    def moved(self, photo_step: Tensor, point_step: Tensor, damping: float, /) -> Self: ...


P = TypeVar("P", bound=Problem)


def minimised(problem: P, *, steps_max: int, settled_at: float) -> P:
    """The estimate after at most `steps_max` steps, or once a step lowers the cost by less than the share
    `settled_at`."""
    damping, cost = DAMPING, float(problem.cost())
    normal = None
    for _ in range(steps_max):
        normal = problem.normal(damping) if normal is None else normal
        steps = step_of(problem.structure, normal, damping, problem.columns)
        if steps is not None:
            after = problem.moved(*steps, damping)
            new = float(after.cost())
            if new < cost:
                settled = cost - new < settled_at * cost
                problem, cost, normal = after, new, None
                damping = max(damping * FALL, DAMPING_MIN)
                if settled:
                    break
                continue
        damping *= RISE
        if problem.damps_inside:
            normal = None
        if damping > DAMPING_MAX:
            break
    return problem
