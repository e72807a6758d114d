"""When the ladder of mappers ends."""

import pytest

from splat_worker.sfm.mapping.ladder import is_done


@pytest.mark.parametrize(
    ("placed", "before", "seen", "ends"),
    [
        pytest.param(29, 0, 29, True, id="all are placed"),
        pytest.param(21, 0, 21, False, id="the first rung does not end it with most photos"),
        pytest.param(21, 21, 21, True, id="most are placed, and the rung placed no more"),
        pytest.param(21, 21, 0, True, id="most are placed, and the rung found no model"),
        pytest.param(21, 21, 29, False, id="an implausible model of all photos: a folded street"),
        pytest.param(25, 21, 25, False, id="the rung placed more"),
        pytest.param(20, 20, 20, False, id="too few are placed"),
    ],
)
def test_the_ladder_ends_when_a_rung_places_no_more_photos(placed: int, before: int, seen: int, ends: bool) -> None:
    assert is_done(placed, before=before, seen=seen, of=29) is ends
