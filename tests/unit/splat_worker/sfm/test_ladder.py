"""When the climb from one mapper to the next ends."""

import pytest

from splat_worker.sfm.ladder import is_top


@pytest.mark.parametrize(
    ("placed", "before", "seen", "ends"),
    [
        pytest.param(29, 0, 29, True, id="all are placed"),
        pytest.param(21, 0, 21, False, id="the first rung never ends it with most"),
        pytest.param(21, 21, 21, True, id="most, and the rung found no more"),
        pytest.param(21, 21, 0, True, id="most, and the rung found nothing"),
        pytest.param(21, 21, 29, False, id="a model of all that was not believed: a street's, folded"),
        pytest.param(25, 21, 25, False, id="the rung brought some"),
        pytest.param(20, 20, 20, False, id="too few to be content with"),
    ],
)
def test_the_climb_ends_where_nothing_more_is_found(placed: int, before: int, seen: int, ends: bool) -> None:
    assert is_top(placed, before=before, seen=seen, of=29) is ends
