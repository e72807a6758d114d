"""Compares the photos of a set in rounds: the pairs chosen beforehand, then pairs that both overlap a third photo.
Small sets need one round, in which all pairs are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pycolmap

from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching.chosen import read_chosen, write_chosen
from splat_worker.sfm.matching.match import match_photos
from splat_worker.sfm.matching.pairs import Pairs, Way, Ways, by_shared_overlap, choose, pairs_of
from splat_worker.sfm.matching.retrieval import likeness
from splat_worker.sfm.preset import OnProgress, SfmPreset

OVERLAP_MATCHES_MIN = 50
"""Verified matches from which two photos count as overlapping: surfaces that look alike seldom give more."""
ROUND_ENDS = (0.6, 0.9, 1.0)
"""Share of the progress at which each round ends."""


def compare_photos(
    preset: SfmPreset, photos: Sequence[Photo], database: Path, work_dir: Path, *, on_progress: OnProgress
) -> tuple[Ways, int]:
    """Compares the pairs that the database lacks. Returns how pairs were chosen, and how many were compared.

    The progress reaches 1 when no pair is left to compare, and not before.
    """
    names = [photo.path.name for photo in photos]
    ways, first = first_round(preset, photos, database)
    rounds = list(read_chosen(database, names) or (first,))
    ends = ROUND_ENDS if Way.RETRIEVAL in ways else (1.0,)
    for number, end in enumerate(ends):
        if number == len(rounds):
            more = by_shared_overlap(_overlapping(database, names), sum(rounds, ()), len(photos))
            if not more:
                break
            rounds.append(more)
            write_chosen(database, names, rounds)
        step = _within(on_progress, ends[number - 1] if number else 0.0, end)
        match_photos(preset, photos, rounds[number], database, work_dir, on_progress=step)
    compared = sum(len(pairs) for pairs in rounds)
    if len(rounds) < len(ends):
        on_progress(1.0, f"Compared {compared} pairs of photos")
    return ways, compared


def first_round(preset: SfmPreset, photos: Sequence[Photo], database: Path) -> tuple[Ways, Pairs]:
    """How pairs are chosen, and those that the database names or, before that, its features choose."""
    positions, names = [photo.position for photo in photos], [photo.path.name for photo in photos]
    clips = {photo.clip for photo in photos}
    ways = choose(preset.matching, positions, one_clip=len(clips) == 1 and None not in clips)
    chosen = read_chosen(database, names)
    if chosen is not None:
        return ways, chosen[0]
    pairs = pairs_of(ways, positions, lambda: likeness(database, names))
    write_chosen(database, names, [pairs])
    return ways, pairs


def _overlapping(database: Path, names: Sequence[str]) -> Pairs:
    index = {name: number for number, name in enumerate(names)}
    with pycolmap.Database.open(database) as db:
        number_of = {image.image_id: index[image.name] for image in db.read_all_images()}
        pair_ids, counts = db.read_two_view_geometry_num_inliers()
    found = []
    for pair_id, count in zip(pair_ids, counts, strict=True):
        if count >= OVERLAP_MATCHES_MIN:
            one, other = (number_of[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
            found.append((min(one, other), max(one, other)))
    return tuple(sorted(found))


def _within(on_progress: OnProgress, begin: float, end: float) -> OnProgress:
    return lambda fraction, message: on_progress(begin + (end - begin) * fraction, message)
