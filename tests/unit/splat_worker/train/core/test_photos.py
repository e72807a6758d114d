"""Which photos are held out."""

from __future__ import annotations

import numpy as np
import pytest

from splat_worker.scene import PosedPhotos, View
from splat_worker.train.core.photos import HELD_OUT_MAX, split_views


def photos(count: int) -> PosedPhotos:
    image = np.zeros((2, 2, 3), np.uint8)
    views = tuple(View(name=f"{i:04}.jpg", image=image, world_to_camera=np.eye(4), k=np.eye(3)) for i in range(count))
    return PosedPhotos(views=views, points=np.zeros((0, 3), np.float32), point_colours=np.zeros((0, 3), np.uint8))


@pytest.mark.parametrize(
    ("count", "held_out", "every"), [(2, 1, 8), (24, 3, 8), (192, 24, 8), (193, 22, 9), (300, 24, 13), (1000, 24, 42)]
)
def test_every_eighth_photo_is_held_out_and_at_most_24(count, held_out, every):
    training, out = split_views(photos(count))
    assert len(out) == held_out <= HELD_OUT_MAX
    assert len(training) + len(out) == count
    assert [int(view.name[:4]) for view in out] == list(range(0, count, every))
