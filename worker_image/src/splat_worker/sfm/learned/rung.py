"""The last rung: learned features for small sets of which the ladder leaves photos out or finds few points. The same
mapper and the same judge decide.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from splat_worker.photos.validation import Photo
from splat_worker.sfm.learned import weights
from splat_worker.sfm.mapping.ladder import Climbed, Found, Ladder
from splat_worker.sfm.mapping.positions import Metres
from splat_worker.sfm.matching.verified import read_verified
from splat_worker.sfm.preset import OnProgress, SfmPreset

log = logging.getLogger(__name__)

LEARNED = "learned"
PHOTOS_MAX = 30
POINTS_FEW_PER_PHOTO = 45
"""Points per photo below which a model is weak. Wrong models that the judge let pass have 8 to 35, right ones 57 (a
walk along a street) and more."""
POINTS_GAIN = 2.0
"""Points, as a multiple of the weak model's, from which a model of as many photos is better."""
BRIDGE_MIN = 30
"""Points that two groups of photos of a learned model must share. Learned features match look-alike houses of both
sides of a drawn street: one pair of photos with 32 matches joined two right halves to a scene 45 % of its extent
off."""
COMPARED_AT = 0.7
"""Share of the rung's progress at which all pairs are compared."""


@dataclass(frozen=True, kw_only=True)
class LearnedRung:
    """database: SIFT's matches of the photos; work_dir: a folder of its own; positions: as in Ladder."""

    preset: SfmPreset
    photos: Sequence[Photo]
    database: Path
    work_dir: Path
    positions: Mapping[str, Metres]
    on_progress: OnProgress

    def climb(self, before: Climbed) -> tuple[Climbed, Path]:
        """The ladder's result or a better one, and the match database of its cameras."""
        placed = frozenset[str]() if is_weak(before.best) else placed_names(before.best)
        joined = self._joined(placed) if len(placed) < len(self.photos) <= PHOTOS_MAX else None
        if joined is None:
            return before, self.database
        after = Ladder(
            photos=self.photos,
            database=joined,
            work_dir=self.work_dir,
            pairs=read_verified(joined),
            positions=self.positions,
            on_progress=lambda f, m: self.on_progress(COMPARED_AT + (1.0 - COMPARED_AT) * f, m),
            gpu=self.preset.gpu,
            bridge_min=BRIDGE_MIN,
        ).climb()
        tried = {**before.tried, **{f"{LEARNED} {rung}": count for rung, count in after.tried.items()}}
        best = after.best
        if best is None or not is_better(best, before.best):
            return replace(before, tried=tried), self.database
        return replace(after, best=replace(best, rung=f"{LEARNED} {best.rung}"), tried=tried), joined

    def _joined(self, placed: frozenset[str]) -> Path | None:
        """The match database with learned matches; None if they show no overlap or this machine cannot find them."""
        if weights.folder() is None:
            log.warning("the weights of the learned features are not installed: %s", weights.INSTALL)
            return None
        import torch  # only where the rung is needed

        from splat_worker.sfm.learned.search import LearnedSearch

        try:
            return LearnedSearch(
                self.preset,
                self.photos,
                self.database,
                placed=placed,
                out=self.work_dir,
                on_progress=lambda fraction, message: self.on_progress(COMPARED_AT * fraction, message),
            ).run()
        except RuntimeError:  # of torch, out of memory among them: a fault here must not cost the scene of SIFT
            log.exception("no learned features")
            torch.cuda.empty_cache()
            return None


def settings() -> dict[str, object]:
    """Everything that shapes this rung's cameras besides the match database."""
    return {"photos_max": PHOTOS_MAX, "weights": None if weights.folder() is None else weights.ALIKED}


def is_weak(found: Found | None) -> bool:
    return found is None or found.model.num_points3D() < POINTS_FEW_PER_PHOTO * found.placed


def is_better(learned: Found, before: Found | None) -> bool:
    """More photos, or as many with clearly more points where these were few."""
    if before is None or learned.placed != before.placed:
        return before is None or learned.placed > before.placed
    return is_weak(before) and learned.model.num_points3D() >= POINTS_GAIN * before.model.num_points3D()


def placed_names(found: Found | None) -> frozenset[str]:
    """File names of the photos with a camera."""
    return frozenset(image.name for image in found.model.images.values() if image.has_pose) if found else frozenset()
