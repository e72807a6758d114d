"""Compares photos by learned features where SIFT left some without a camera.
Ends after the first pairs if they show nothing. Imports torch, so import it only where needed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from splat_worker.photos.validation import Photo
from splat_worker.sfm.learned.aliked import Aliked, LearnedFeatures
from splat_worker.sfm.learned.candidates import probes, taking_part, worth_comparing
from splat_worker.sfm.learned.joined import JoinedMatches
from splat_worker.sfm.learned.lightglue import LightGlue
from splat_worker.sfm.preset import OnProgress, SfmPreset

log = logging.getLogger(__name__)

SIDE_MAX_PX = 1024
FEATURES_MAX = 1024
MORE_THAN_SIFT = 2
"""Verified matches of a pair, as a multiple of SIFT's, from which learned features are worth their time."""
ALIKE_MIN = 0.6
"""Cosine of descriptors from which two features count as alike."""


class LearnedSearch:
    """One search. database: SIFT's matches; placed: file names of photos with a camera, none if there is no model or a
    weak one; out: a folder of its own."""

    def __init__(
        self,
        preset: SfmPreset,
        photos: Sequence[Photo],
        database: Path,
        *,
        placed: frozenset[str],
        out: Path,
        on_progress: OnProgress,
    ) -> None:
        out.mkdir(exist_ok=True)
        device = preset.gpu or "cpu"
        names = [photo.path.name for photo in photos]
        self._photos, self._on_progress = photos, on_progress
        # One thread for each photo and pair: sums of several threads depend on their number.
        at_once = 1 if preset.gpu else preset.threads
        self._pool = ThreadPoolExecutor(at_once, initializer=torch.set_num_threads, initargs=(1,))
        self._joined = JoinedMatches(database, out / "joined.db", names, with_sift=bool(placed))
        self._seen = self._joined.seen(placed)
        self._aliked, self._lightglue = Aliked(device), LightGlue(device)
        self._features: dict[int, LearnedFeatures] = {}

    def run(self) -> Path | None:
        """The match database with learned matches, or None if they show no overlap."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            # The image leaves cuDNN out, so that torch's own convolutions run.
            with self._pool, torch.backends.cudnn.flags(enabled=False):
                return self._run()
        finally:
            torch.set_num_threads(threads)

    def _run(self) -> Path | None:
        tried = self._probed()
        if not tried:
            return None
        photos = taking_part(self._seen)
        self._find(photos)
        pairs = [pair for pair in worth_comparing(self._alike(photos), photos) if pair not in tried]
        verified = self._compare(pairs)
        log.info("learned features: %d of %d pairs overlap", sum(map(bool, verified.values())), len(pairs))
        return self._joined.path

    def _probed(self) -> set[tuple[int, int]]:
        """The pairs compared up to the first that shows more than SIFT did; empty if none does."""
        tried: set[tuple[int, int]] = set()
        pairs = probes(self._seen)
        for pair in pairs:
            self._on_progress(0.1 * len(tried) / len(pairs), "Comparing the photos left out by learned features")
            tried.add(pair)
            by_sift = self._seen.verified[pair] if self._seen.placed else 0
            if self._compare([pair])[pair] >= max(MORE_THAN_SIFT * by_sift, 1):
                return tried
        log.info("learned features: none of %d pairs overlaps more than by SIFT", len(pairs))
        return set()

    def _compare(self, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
        self._find(sorted({photo for pair in pairs for photo in pair}))
        sides = ([self._features[pair[side]] for pair in pairs] for side in (0, 1))
        found = {}
        for pair, matches in zip(pairs, self._pool.map(self._lightglue.match, *sides), strict=True):
            found[pair] = matches
            if len(pairs) > 1:
                message = f"Comparing photos by learned features: {len(found)} of {len(pairs)} pairs"
                self._on_progress(0.5 + 0.5 * len(found) / len(pairs), message)
        return self._joined.add_matches(found)

    def _find(self, photos: Sequence[int]) -> None:
        """Finds the features of photos that lack them, and writes them in order."""
        missing = [photo for photo in photos if photo not in self._features]
        for done, (photo, found) in enumerate(zip(missing, self._pool.map(self._features_of, missing), strict=True)):
            if len(missing) > 2:
                message = f"Finding learned features: {done + 1} of {len(missing)} photos"
                self._on_progress(0.1 + 0.4 * (done + 1) / len(missing), message)
            self._joined.add_features(photo, found.pixels * self._enlarged(photo, found))
            self._features[photo] = found

    def _enlarged(self, photo: int, found: LearnedFeatures) -> NDArray[np.float32]:
        """(2,) size of the photo over the size at which features were found."""
        one = self._photos[photo]
        return np.array([one.width / found.size[0], one.height / found.size[1]], np.float32)

    def _features_of(self, photo: int) -> LearnedFeatures:
        with Image.open(self._photos[photo].path) as picture:
            small = picture.convert("RGB")
        small.thumbnail((SIDE_MAX_PX, SIDE_MAX_PX), Image.Resampling.LANCZOS)
        found = self._aliked.find(np.asarray(small), features_max=FEATURES_MAX)
        mask = self._photos[photo].mask
        return found if mask is None else kept_by(mask, found, self._enlarged(photo, found))

    def _alike(self, photos: Sequence[int]) -> NDArray[np.int64]:
        """(N, N) symmetric: features of two photos that are each other's nearest, and near."""
        alike = np.zeros((len(self._photos), len(self._photos)), np.int64)
        for i, j in combinations(photos, 2):
            cosines = self._features[i].descriptors @ self._features[j].descriptors.T
            best, there = cosines.max(1)
            rows = torch.arange(len(there), device=there.device)
            mutual = cosines.argmax(0)[there] == rows
            alike[i, j] = alike[j, i] = int((mutual & (best > ALIKE_MIN)).sum())
        return alike


def kept_by(mask: Path, found: LearnedFeatures, enlarged: NDArray[np.float32]) -> LearnedFeatures:
    """The features that a photo's mask keeps: the pixel of the mask under each is not black."""
    with Image.open(mask) as opened:
        kept = np.asarray(opened.convert("L")) > 0
    x, y = (found.pixels * enlarged).astype(int).T
    inside = kept[np.clip(y, 0, kept.shape[0] - 1), np.clip(x, 0, kept.shape[1] - 1)]
    chosen = torch.from_numpy(inside).to(found.descriptors.device)
    return replace(found, pixels=found.pixels[inside], descriptors=found.descriptors[chosen])
