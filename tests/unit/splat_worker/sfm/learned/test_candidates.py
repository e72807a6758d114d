"""Which pairs learned features compare. Silent failures: minutes on photos of different places, a second room compared
with itself."""

from __future__ import annotations

import numpy as np

from splat_worker.sfm.learned.candidates import PAIRS_MAX, PROBES, Seen, probes, taking_part, worth_comparing


def seen(count: int, verified: dict[tuple[int, int], int], placed: set[int]) -> Seen:
    table = np.zeros((count, count), np.int64)
    for (i, j), matches in verified.items():
        table[i, j] = table[j, i] = matches
    return Seen(matches=table.copy(), verified=table, placed=placed)


def test_photos_of_different_places_cost_a_fixed_number_of_pairs() -> None:
    pairs = probes(seen(30, {}, set()))
    assert len(pairs) == PROBES
    assert len({photo for pair in pairs for photo in pair}) <= PROBES + 1


def test_the_first_probes_are_the_best_partners_of_each_photo_left_out() -> None:
    found = probes(seen(6, {(0, 1): 90, (1, 2): 90, (3, 0): 20}, {0, 1, 2}))
    assert found[:3] == ((0, 3), (3, 4), (4, 5))


def test_a_second_room_is_not_compared_with_itself() -> None:
    room_a, room_b = {0, 1, 2}, {3, 4, 5}
    verified = {(0, 1): 300, (1, 2): 300, (3, 4): 30, (4, 5): 30}
    pairs = probes(seen(6, verified, room_a))
    assert pairs
    assert not any(i in room_b and j in room_b for i, j in pairs)


def test_without_a_scene_well_connected_photos_are_probed_too() -> None:
    assert probes(seen(2, {(0, 1): 400}, set())) == ((0, 1),)


def test_a_chain_of_pairs_is_one_group() -> None:
    chain = seen(9, {(i, i + 1): 20 for i in range(7)}, set())
    assert chain.groups.tolist() == [0] * 8 + [8]


def test_few_photos_all_take_part_and_of_many_only_the_neighbours_of_those_left_out() -> None:
    assert taking_part(seen(12, {}, set(range(11)))) == tuple(range(12))
    assert taking_part(seen(30, {}, set(range(29)))) == (23, 24, 25, 26, 27, 28, 29)


def test_the_pairs_with_the_most_alike_features_are_compared_up_to_a_limit() -> None:
    alike = np.random.default_rng(0).integers(0, 100, (30, 30))
    alike = alike + alike.T
    pairs = worth_comparing(alike, range(30))
    assert len(pairs) == PAIRS_MAX
    assert pairs == tuple(sorted(set(pairs)))
    assert max(((i, j) for i in range(30) for j in range(i + 1, 30)), key=lambda p: alike[p]) in pairs
