"""How many photos fit on a card, for the plan and the edge worker. A test of the worker holds the formula
itself to the trainer (tests/unit/splat_worker/train/cuda/test_memory.py)."""

from __future__ import annotations

import pytest

from infra.runpod.job_memory import PHOTOS_MAX, SHAPES, card_room, needed_bytes, photos_that_fit, too_many_photos


@pytest.mark.parametrize("preset", SHAPES)
@pytest.mark.parametrize("memory_gb", [16, 24, 80])
def test_every_set_up_to_the_limit_fits_and_the_next_does_not(preset: str, memory_gb: int) -> None:
    most = photos_that_fit(preset, memory_gb)
    assert 300 <= most <= PHOTOS_MAX
    assert all(needed_bytes(preset, count) <= memory_gb << 30 for count in range(1, most + 1))
    assert most == PHOTOS_MAX or needed_bytes(preset, most + 1) > memory_gb << 30


def test_a_card_of_unknown_memory_limits_nothing() -> None:
    assert card_room("RTX 9090", 0) is None
    assert too_many_photos(1000, None) is None


def test_a_stack_that_allows_more_photos_than_its_smallest_card_holds_is_warned_with_the_key() -> None:
    card = card_room("RTX 2000 Ada", 16)
    assert too_many_photos(300, card) is None
    sentence = too_many_photos(1000, card)
    assert sentence is not None
    assert sentence.startswith("photo-splat:photosMax is 1000, but RTX 2000 Ada (16 GB), the smallest card of")
    for preset in ("standard", "high"):
        assert f"{photos_that_fit(preset, 16)} with preset {preset}" in sentence
    assert "preview" not in sentence
