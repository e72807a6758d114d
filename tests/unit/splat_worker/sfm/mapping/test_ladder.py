"""When the ladder of mappers ends, and when a rung begins anew."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping import ladder
from splat_worker.sfm.mapping.judge import Misplaced, Verdict
from splat_worker.sfm.mapping.ladder import Ladder, is_done
from splat_worker.sfm.matching.verified import VerifiedPair


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


@dataclass
class Model:
    """Stands for a model of COLMAP: how many photos it holds, and how many of them are in a wrong place."""

    photos: int
    wrong: int = 0

    def num_reg_images(self) -> int:
        return self.photos

    def compute_mean_reprojection_error(self) -> float:
        return 0.5


@pytest.mark.parametrize(
    ("models", "ran", "placed"),
    [
        pytest.param(
            {"default": Model(23), "relaxed": Model(29)},
            ["default", "relaxed from 23"],
            29,
            id="the rest joins the model of the first rung",
        ),
        pytest.param(
            {"default": Model(23), "relaxed": Model(29, wrong=3), "relaxed anew": Model(29)},
            ["default", "relaxed from 23", "relaxed anew"],
            29,
            id="a camera of the grown model is wrong, and the rung alone is right",
        ),
        pytest.param(
            {"default": Model(23), "relaxed": Model(29, wrong=3), "relaxed anew": Model(20), "loose": Model(26)},
            ["default", "relaxed from 23", "relaxed anew", "loose from 26"],
            26,
            id="beginning anew is worse",
        ),
        pytest.param(
            {"default": Model(23)},
            ["default", "relaxed from 23"],
            23,
            id="the rung adds no photo to a large set",
        ),
        pytest.param(
            {"default": Model(12), "relaxed": Model(29)},
            ["default", "relaxed"],
            29,
            id="too few photos to build on",
        ),
    ],
)
def test_a_rung_begins_anew_where_its_grown_model_has_a_wrong_camera(
    models: dict[str, Model], ran: list[str], placed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    class Mapper:
        def __init__(self, **of: object) -> None:
            self.name = str(of["name"])

        def run(self, _partial: object, *, begin_with: Model | None = None) -> list[Model]:
            calls.append(self.name if begin_with is None else f"{self.name} from {begin_with.photos}")
            return [models[self.name]] if self.name in models else []

    def remove(model: Model, names: dict[str, Misplaced]) -> None:
        model.photos -= len(names)

    def judge(model: Model, *_: object, **__: object) -> Verdict:
        return Verdict(fault=None, misplaced={f"{number}.jpg": Misplaced.COARSE for number in range(model.wrong)})

    monkeypatch.setattr(ladder, "Mapper", Mapper)
    monkeypatch.setattr(ladder, "evidence_of", lambda model, _: model)
    monkeypatch.setattr(ladder, "judge", judge)
    monkeypatch.setattr(ladder, "remove_cameras", remove)
    photos = [
        Photo(
            name=f"{number}.jpg", path=tmp_path / f"{number}.jpg", width=1000, height=750, sharpness=1.0,
            camera_key="one", focal_px=800.0,
        )
        for number in range(29)
    ]  # fmt: skip
    nothing = np.zeros((0, 2))
    pairs = [
        VerifiedPair(first=one.name, second=other.name, matches=50, first_px=nothing, second_px=nothing)
        for one, other in itertools.pairwise(photos)
    ]
    climbed = Ladder(
        photos=photos, database=tmp_path / "matches.db", work_dir=tmp_path, pairs=pairs,
        positions={}, on_progress=lambda *_: None, on_partial=None,
    ).climb()  # fmt: skip
    assert calls == ran
    assert climbed.best is not None
    assert climbed.best.placed == placed
