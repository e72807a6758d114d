"""The loss from compression, as reported."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.export.files import FIDELITY_MAX_DB, fidelity_db


def test_fidelity_is_the_psnr_of_two_images_with_a_ceiling() -> None:
    grey = np.full((4, 4, 3), 0.5, np.float32)
    assert fidelity_db(grey, grey) == FIDELITY_MAX_DB
    assert fidelity_db(grey, grey + np.float32(0.1)) == pytest.approx(20.0, abs=0.01)
