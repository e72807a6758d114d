"""A ladder of mappers: ours on a GPU, then COLMAP's from its default thresholds to its global mapper. Every model is
judged; the best that is right wins.
Reads the matches of a database and changes none.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pycolmap

from splat_worker.limits import PHOTOS_MIN
from splat_worker.photos.validation import Photo
from splat_worker.sfm.mapping.bridges import BRIDGE_MIN
from splat_worker.sfm.mapping.evidence import evidence_of
from splat_worker.sfm.mapping.judge import Fault, Misplaced, judge
from splat_worker.sfm.mapping.lenses import (
    ZOOM_ERROR_DROP,
    adjust,
    grouped,
    untagged,
    write_own_lenses,
    zoom_suspected,
)
from splat_worker.sfm.mapping.mapper import Mapper, OnPartial, Rung
from splat_worker.sfm.mapping.positions import Metres
from splat_worker.sfm.mapping.turned import share_turned_lenses, turned_lenses
from splat_worker.sfm.matching.verified import VerifiedPair, connected_groups
from splat_worker.sfm.preset import OnProgress
from splat_worker.sfm.resume import PartialModel

log = logging.getLogger(__name__)

ENOUGH_SHARE = 0.7
"""From this share of placed photos, a rung that places no more ends the ladder: later rungs cost minutes on large sets
and place photos of other scenes wrongly. The next rung then adds photos to the model. It begins anew only if a camera
of the grown model is taken out."""

GPU_RUNG = Rung(name="gpu", on_gpu=True, tries_lenses=True)
"""Our global mapper, the first rung where a GPU is."""
LADDER = (
    Rung(name="default", tries_lenses=True),
    Rung(
        name="relaxed",
        init_min_angle_deg=4.0,
        init_max_forward=1.0,
        init_min_inliers=30,
        pose_min_inliers=15,
        tries_lenses=True,
    ),
    Rung(name="loose", init_min_angle_deg=1.5, init_max_forward=1.0, init_min_inliers=30, pose_min_inliers=15),
    Rung(name="global", is_global=True, seeds=3),
)
"""A walk along a street fails the first rung (2 of 29 photos: its first pair looks ahead, with almost no angle between
them) and passes the others. The global mapper takes a second and fails with two of three seeds on the smallest such
set, hence three seeds."""
OWN_LENSES = "with a lens for each photo"
ANEW = "anew"
RUNG_ENDS = (0.5, 0.75, 0.9, 1.0)
GPU_RUNG_ENDS = (0.2, 0.6, 0.8, 0.9, 1.0)
"""Share of the mapping's progress at which each rung ends, so that progress never falls back."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A model that is right, without its misplaced cameras (file names). rung: what made it; shared_lenses: its cameras
    are those of the match database."""

    model: pycolmap.Reconstruction
    rung: str
    misplaced: Mapping[str, Misplaced] = field(default_factory=dict)
    shared_lenses: bool = True

    @property
    def placed(self) -> int:
        return int(self.model.num_reg_images())

    @property
    def error_px(self) -> float:
        return float(self.model.compute_mean_reprojection_error())


@dataclass(frozen=True, kw_only=True)
class Climbed:
    """best: None if no model is right; fault: of most models that are wrong; tried: photos placed, by rung that ran."""

    best: Found | None
    fault: Fault | None
    tried: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The search on one match database. pairs: its verified matches; positions: of photos with position tags, by file
    name; on_partial receives the cameras placed so far from time to time; gpu: torch device of a first rung that places
    all photos at once; bridge_min: points that two groups of photos
    of a model must share."""

    photos: Sequence[Photo]
    database: Path
    work_dir: Path
    pairs: Sequence[VerifiedPair]
    positions: Mapping[str, Metres]
    on_progress: OnProgress
    on_partial: OnPartial | None = None
    gpu: str | None = None
    bridge_min: int = BRIDGE_MIN

    def climb(self, partial: PartialModel | None = None) -> Climbed:
        """Tries rungs until `is_done`. partial: cameras that on_partial received, from the same database. Their rung
        resumes from them; earlier rungs run again."""
        names = [photo.path.name for photo in self.photos]
        reachable = len(connected_groups(names, self.pairs)[0])
        best: Found | None = None
        tried: dict[str, int] = {}
        faults: Counter[Fault] = Counter()
        rungs, ends = ((GPU_RUNG, *LADDER), GPU_RUNG_ENDS) if self.gpu else (LADDER, RUNG_ENDS)
        for number, rung in enumerate(rungs):
            begin, end = (0.0, *ends)[number], ends[number]
            before = best.placed if best else 0
            attempt = _Attempt(self, rung, reachable, begin, end)
            found = attempt.run(partial, best if before >= ENOUGH_SHARE * reachable else None)
            faults.update(attempt.faults)
            tried.update(attempt.tried)
            if found is not None and (best is None or merit(found) > merit(best)):
                best = found
            placed = best.placed if best else 0
            if is_done(placed, before=before, seen=attempt.seen, of=reachable):
                break
            if number + 1 < len(rungs):
                self.on_progress(
                    end, f"{placed} of {len(self.photos)} photos placed; trying {rungs[number + 1].name} settings"
                )
        fault = max(sorted(faults), key=lambda f: faults[f]) if faults and best is None else None
        return Climbed(best=best, fault=fault, tried=tried)


def is_done(placed: int, *, before: int, seen: int, of: int) -> bool:
    """Whether the ladder ends at a rung: all photos are placed, or most are and the rung placed no more.

    placed, before: photos of the best model with this rung and without; seen: photos of the rung's largest refused
    model; of: photos that matches connect, so that no rung can place more. A folded model of all photos shows that they
    belong together: the next rung may get it right. Too few connected photos are no scene by any rung.
    """
    if of < PHOTOS_MIN:
        return True
    return placed >= of or (placed == before and seen <= placed and placed >= ENOUGH_SHARE * of)


def merit(found: Found) -> tuple[int, float]:
    """Order of models: most photos first, then the lowest reprojection error."""
    return found.placed, -found.error_px


def _merit_or_none(found: Found | None) -> tuple[int, float]:
    return (0, 0.0) if found is None else merit(found)


class _Attempt:
    """One rung: with the lenses that tags give and, if these leave doubt, with a lens for each photo.

    tried: photos placed by name; faults: of models that were refused; seen: photos of the largest refused model.
    """

    def __init__(self, ladder: Ladder, rung: Rung, reachable: int, begin: float, end: float) -> None:
        self._ladder, self._rung, self._reachable = ladder, rung, reachable
        self._begin, self._end = begin, end
        self._open = untagged(ladder.photos) if rung.tries_lenses else frozenset()
        self._turned = turned_lenses(ladder.photos)
        self.tried: dict[str, int] = {}
        self.faults: list[Fault] = []
        self.seen = 0

    def run(self, partial: PartialModel | None, begin_with: Found | None) -> Found | None:
        ladder, rung = self._ladder, self._rung
        middle = self._begin + (self._end - self._begin) * (0.5 if self._open else 1.0)
        shared = None
        if begin_with is None or begin_with.shared_lenses:
            shared = self._shared(rung.name, middle, partial, begin_with)
            if begin_with is not None and shared is not None and shared is not begin_with and shared.misplaced:
                # The model may be wrong where it began: on a walk along a street three cameras were taken out that a
                # model of this rung alone places.
                shared = max(shared, self._shared(f"{rung.name} {ANEW}", middle, partial, None), key=_merit_or_none)
        if not self._open or not self._lens_in_doubt(shared):
            return shared
        name = f"{rung.name} {OWN_LENSES}"
        database = ladder.work_dir / "own-lenses.db"
        if not database.exists():
            write_own_lenses(ladder.database, database, self._open)
        own = self._best(
            self._mapper(name, database, middle, self._end).run(partial),
            name,
            shared_lenses=False,
        )
        return better_lenses(shared, own)

    def _shared(self, name: str, end: float, partial: PartialModel | None, begin_with: Found | None) -> Found | None:
        """The best model with the lenses of the match database; `begin_with` where the rung adds no photo to it."""
        mapper = self._mapper(name, self._ladder.database, self._begin, end)
        models = mapper.run(partial, begin_with=begin_with and begin_with.model)
        if begin_with is not None and not models:
            self.tried[name] = begin_with.placed
            log.info("rung %s adds no photo to %d of %d", name, begin_with.placed, len(self._ladder.photos))
            return begin_with
        return self._best(models, name, shared_lenses=True)

    def _lens_in_doubt(self, shared: Found | None) -> bool:
        if shared is None or shared.placed < ENOUGH_SHARE * self._reachable:
            return True
        return zoom_suspected(shared.model, self._open)

    def _mapper(self, name: str, database: Path, begin: float, end: float) -> Mapper:
        ladder = self._ladder
        return Mapper(
            rung=self._rung,
            name=name,
            photos=ladder.photos,
            reachable=self._reachable,
            database=database,
            out=ladder.work_dir / name.replace(" ", "-"),
            on_progress=lambda fraction, message: ladder.on_progress(begin + (end - begin) * fraction, message),
            on_partial=ladder.on_partial,
            gpu=ladder.gpu,
        )

    def _best(self, models: Sequence[pycolmap.Reconstruction], name: str, *, shared_lenses: bool) -> Found | None:
        """The best model that is right. Refused models leave their fault."""
        started = time.monotonic()
        found = []
        for model in models:
            regrouped = model if shared_lenses else grouped(model, self._open)
            if shared_lenses:
                share_turned_lenses(model, self._turned)
            verdict = judge(
                evidence_of(regrouped, self._ladder.pairs),
                self._ladder.positions,
                photos_min=PHOTOS_MIN,
                bridge_min=self._ladder.bridge_min,
            )
            if verdict.fault is not None:
                log.info("rung %s: a model of %d photos is wrong: %s", name, model.num_reg_images(), verdict.fault)
                if model.num_reg_images() >= PHOTOS_MIN:
                    self.faults += [verdict.fault] * model.num_reg_images()
                self.seen = max(self.seen, model.num_reg_images())
                continue
            remove_cameras(regrouped, verdict.misplaced)
            if shared_lenses and verdict.misplaced:
                share_turned_lenses(model, self._turned)
            found.append(Found(model=regrouped, rung=name, misplaced=verdict.misplaced, shared_lenses=shared_lenses))
        best = max(found, key=merit, default=None)
        self.tried[name] = best.placed if best else 0
        log.info(
            "rung %s placed %d of %d; judged in %.1f s",
            name, self.tried[name], len(self._ladder.photos), time.monotonic() - started,
        )  # fmt: skip
        return best


def better_lenses(shared: Found | None, own: Found | None) -> Found | None:
    """What the matches support: lenses of their own must place more photos, or as many with a clearly lower error."""
    if shared is None or own is None:
        return shared or own
    if own.placed != shared.placed:
        return max(shared, own, key=merit)
    return own if own.error_px <= ZOOM_ERROR_DROP * shared.error_px else shared


def remove_cameras(model: pycolmap.Reconstruction, names: Mapping[str, object]) -> None:
    """Takes photos (file names) out of the model, and what they pulled at: the others are adjusted again."""
    if not names:
        return
    for image in [image for image in model.images.values() if image.name in names]:
        model.deregister_frame(image.frame_id)
    adjust(model)
