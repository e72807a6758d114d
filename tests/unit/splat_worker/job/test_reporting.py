"""What the report of a finished job warns of. Silent failure: a tilted scene that nobody is warned about."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.job.reporting import tilted
from splat_worker.sfm.frame.evidence import Up, UpFrom


@pytest.mark.parametrize(
    ("known", "warnings"),
    [(True, ()), (False, ("The scene may be tilted: the photos do not show clearly which way is up.",))],
)
def test_the_report_warns_of_a_guessed_up_direction_only(known: bool, warnings: tuple[str, ...]) -> None:
    up = Up(direction=np.array([0.0, -1.0, 0.0]), source=UpFrom.LEVEL_CAMERAS, known=known, error_deg=3.0)
    assert tilted(up) == warnings
