"""Which photos the verified matches connect."""

from __future__ import annotations

import numpy as np

from splat_worker.sfm.matching.verified import VerifiedPair, connected_groups


def pair(first: str, second: str) -> VerifiedPair:
    return VerifiedPair(first=first, second=second, matches=20, first_px=np.zeros((1, 2)), second_px=np.zeros((1, 2)))


def test_chains_of_pairs_form_groups_and_the_largest_comes_first() -> None:
    pairs = [pair("x", "y"), pair("a", "b"), pair("c", "d"), pair("d", "b"), pair("a", "c")]
    assert connected_groups("abcdxyz", pairs) == (frozenset("abcd"), frozenset("xy"), frozenset("z"))


def test_without_pairs_every_photo_is_alone() -> None:
    assert connected_groups("ab", []) == (frozenset("a"), frozenset("b"))
