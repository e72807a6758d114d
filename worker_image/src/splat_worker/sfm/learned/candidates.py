"""Which pairs of photos to compare by learned features, the most promising first.
Pure: what SIFT has found in, index pairs out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from splat_worker.sfm.matching.pairs import Pairs
from splat_worker.sfm.matching.rounds import OVERLAP_MATCHES_MIN

PROBES = 8
"""Pairs compared before the search ends without a result: photos of different places cost no more."""
ALL_UP_TO = 12
"""Photos up to which all take part. In larger sets those without a camera do, each with PARTNERS others."""
PARTNERS = 6
PAIRS_PER_PHOTO = 8
PAIRS_MAX = 60
"""Pairs compared after the probes: at most 40 s on two cores."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What SIFT has found among N photos in their order. matches, verified: (N, N) symmetric; placed: photos with a
    camera."""

    matches: NDArray[np.int64]
    verified: NDArray[np.int64]
    placed: Collection[int]

    @property
    def left_out(self) -> tuple[int, ...]:
        return tuple(i for i in range(len(self.matches)) if i not in self.placed)

    @property
    def groups(self) -> NDArray[np.int64]:
        """(N,) number of the group of each photo: those that verified matches connect."""
        reach = (self.verified > 0) | np.eye(len(self.verified), dtype=bool)
        for _ in range(len(reach).bit_length()):
            reach = reach @ reach
        first: NDArray[np.int64] = reach.argmax(axis=1)
        return first

    def partners(self, photo: int) -> list[int]:
        """The other photos, in turn the one with the most matches and the one nearest in order."""
        others = [i for i in range(len(self.matches)) if i != photo]
        alike = sorted(others, key=lambda i: (-self.verified[photo, i], -self.matches[photo, i], abs(i - photo), i))
        near = sorted(others, key=lambda i: (abs(i - photo), i))
        return list(dict.fromkeys(one for both in zip(alike, near, strict=True) for one in both))


def probes(seen: Seen) -> Pairs:
    """The first PROBES pairs: the best partner of every photo without a camera, then the next best of each. Beside a
    scene, pairs that SIFT connects well are none, nor are those inside a group apart from it: they cannot join it."""
    groups = seen.groups
    scene = {groups[photo] for photo in seen.placed}

    def may_help(one: int, other: int) -> bool:
        if not scene:
            return True
        joins = groups[one] != groups[other] or groups[one] in scene
        return bool(joins and seen.verified[one, other] < OVERLAP_MATCHES_MIN)

    ranked = [[_pair(i, j) for j in seen.partners(i) if may_help(i, j)] for i in seen.left_out]
    rounds = (pair for round_ in zip_longest(*ranked) for pair in round_ if pair is not None)
    return tuple(dict.fromkeys(rounds))[:PROBES]


def taking_part(seen: Seen) -> tuple[int, ...]:
    """Photos whose learned features are found."""
    count = len(seen.matches)
    if count <= ALL_UP_TO:
        return tuple(range(count))
    found = set(seen.left_out)
    for photo in seen.left_out:
        found |= set(seen.partners(photo)[:PARTNERS])
    return tuple(sorted(found))


def worth_comparing(alike: NDArray[np.int64], photos: Iterable[int]) -> Pairs:
    """Of each photo the PAIRS_PER_PHOTO pairs with the most alike features, and of these the best PAIRS_MAX. alike:
    (N, N) symmetric."""
    members = list(photos)
    chosen: set[tuple[int, int]] = set()
    for photo in members:
        others = sorted((i for i in members if i != photo), key=lambda i: (-alike[photo, i], abs(i - photo), i))
        chosen |= {_pair(photo, other) for other in others[:PAIRS_PER_PHOTO]}
    return tuple(sorted(sorted(chosen, key=lambda pair: (-alike[pair], pair))[:PAIRS_MAX]))


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)
