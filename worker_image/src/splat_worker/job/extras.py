"""Checkpoints of a job, and previews of its training, made in the background.
Runs in threads of its own and never fails the job.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap

from splat_worker.background import Latest
from splat_worker.errors import Stage
from splat_worker.export.sog import without_harmonics, write_sog
from splat_worker.job.checkpoint import Checkpoint
from splat_worker.job.plan import plan_of
from splat_worker.job.run import JobRun
from splat_worker.progress import Event, Preview
from splat_worker.scene import Gaussians
from splat_worker.sfm.cameras import OnMatches
from splat_worker.sfm.resume import PartialModel, copy_database
from splat_worker.sfm.sparse import SparseModel

log = logging.getLogger(__name__)

MATCHES_EVERY_S = 10.0
MATCHES_COPY_SHARE_MAX = 0.02
"""Share of the search's time that copying its database may take; the search waits meanwhile, so large sets are copied
less often. 24 photos: 0.05 s for 23 MB in every 10 s."""
MATCHES_BYTES_MAX = 512 << 20
"""Largest match database in a checkpoint, about 400 photos. A larger upload takes longer than it saves."""
TOO_LARGE = (
    f"The matches of these photos exceed the {MATCHES_BYTES_MAX >> 20} MiB of a checkpoint. If the worker is lost"
    " while it compares photos, the next worker starts again from the first photo."
)
PREVIEW_GAUSSIANS_MAX = 150_000
"""A preview holds no more, so that its file stays small. Large sets are trained with up to 550,000."""
CLOSE_S = 20.0
"""How long the end of a job waits for an unfinished preview or checkpoint."""


class Extras:
    """The background work of one job."""

    def __init__(self, run: JobRun, fingerprint: str) -> None:
        self._run, self._base = run, Checkpoint(fingerprint=fingerprint)
        self._matches_at = self._began = run.clock()
        self._copy_s = 0.0
        self._complete: Path | None = None
        self._fraction, self._seq = 0.0, 0
        self._finding = (0.0, "Finding camera positions")
        self._latest_preview = Latest("preview", self._send_preview) if "preview.sog" in run.delivery.wanted else None
        self._latest_checkpoint = Latest("checkpoint", self._send) if run.delivery.keeps_checkpoints else None

    def __enter__(self) -> Extras:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._latest_preview:
            self._latest_preview.close(finish=False, timeout_s=CLOSE_S)
        if self._latest_checkpoint:
            lost = kind is not None and self._base.sparse is not None
            self._latest_checkpoint.close(finish=lost, timeout_s=CLOSE_S)
        self._drop_complete()

    @property
    def on_matches(self) -> OnMatches | None:
        return self.matches if self._latest_checkpoint else None

    def matches(self, database: Path, *, complete: bool, partial: PartialModel | None = None) -> None:
        """OnMatches. Makes a checkpoint when one is due, and at once when all pairs are complete: the mapper's first
        cameras may take a while."""
        latest = self._latest_checkpoint
        assert latest is not None
        if partial is not None:
            self._show(partial)
        now = self._run.clock()
        if complete and partial is None:
            due = now - self._began >= MATCHES_EVERY_S
        else:
            every_s = max(MATCHES_EVERY_S, self._copy_s / MATCHES_COPY_SHARE_MAX)
            # While one is being sent, another copy would be wasted.
            due = now - self._matches_at >= every_s and latest.idle
        if not due:
            return
        self._matches_at = now
        copy = self._complete or self._copied(database, complete=complete)
        self._copy_s = self._run.clock() - now
        if copy is not None:
            self._complete = copy if complete else None
            checkpoint = replace(self._base, matches=copy, complete=complete, partial=partial)
            latest.offer(checkpoint)

    def _copied(self, database: Path, *, complete: bool) -> Path | None:
        """None if the database is too large or cannot be copied."""
        if not complete and self._too_large(database):
            return None
        copy = self._run.scratch / ("matches.complete.db" if complete else "matches.copy.db")
        try:
            copy_database(database, copy, descriptors=not complete)
        except (OSError, sqlite3.Error) as error:
            log.warning("cannot copy the matches for a checkpoint: %s", type(error).__name__)
            return None
        return None if self._too_large(copy) else copy

    def _too_large(self, database: Path) -> bool:
        if database.stat().st_size <= MATCHES_BYTES_MAX:
            return False
        if TOO_LARGE not in self._run.warnings:
            self._run.warnings.append(TOO_LARGE)
        return True

    def finding(self, fraction: float, message: str) -> None:
        """Progress of the search for cameras."""
        self._finding = (fraction, message)
        self._run.on_event(Event(stage=Stage.SFM, fraction=fraction, message=message))

    def _show(self, partial: PartialModel) -> None:
        """The cameras of a partial model, for whoever watches the job."""
        folder = self._run.scratch / "shown"
        try:
            partial.write(folder)
            images = pycolmap.Reconstruction(folder).images.values()
            poses = [image.cam_from_world().matrix() for image in images if image.has_pose]
        except Exception as error:  # a drawing is not worth the job
            log.warning("cannot show the cameras found so far: %s", type(error).__name__)
            return
        fraction, message = self._finding
        self._run.on_event(Event(stage=Stage.SFM, fraction=fraction, message=message, cameras=plan_of(np.array(poses))))

    def placed(self, sparse: SparseModel) -> None:
        """The cameras are found; every checkpoint from now on includes them."""
        plan = plan_of(np.stack([camera.world_to_camera for camera in sparse.cameras]))
        message = f"Found {len(sparse.cameras)} camera positions"
        self._run.on_event(Event(stage=Stage.SFM, fraction=1.0, message=message, cameras=plan))
        self._base = replace(self._base, sparse=sparse)
        if self._latest_checkpoint:
            self.checkpoint(None)

    @property
    def on_snapshot(self) -> Callable[[Gaussians], None] | None:
        return self.preview if self._latest_preview else None

    @property
    def on_checkpoint(self) -> Callable[[bytes], None] | None:
        return self.checkpoint if self._latest_checkpoint else None

    def training(self, fraction: float, message: str, eta_s: float | None) -> None:
        """Progress of the training run itself."""
        self._fraction = fraction
        self._run.on_event(Event(stage=Stage.TRAIN, fraction=fraction, message=message, eta_s=eta_s))

    def preview(self, gaussians: Gaussians) -> None:
        assert self._latest_preview is not None
        self._latest_preview.offer(gaussians)

    def checkpoint(self, train: bytes | None) -> None:
        assert self._latest_checkpoint is not None
        self._latest_checkpoint.offer(replace(self._base, train=train))

    def _send_preview(self, gaussians: Gaussians) -> None:
        path = self._run.scratch / "preview.sog"
        # A preview needs no view-dependent colour.
        write_sog(path, without_harmonics(most_visible(gaussians, PREVIEW_GAUSSIANS_MAX)), threads=1)
        self._run.delivery.deliver({"preview.sog": path})
        self._seq += 1
        self._run.on_event(
            Event(
                stage=Stage.TRAIN,
                fraction=self._fraction,
                message=f"Preview of the scene so far, {len(gaussians)} Gaussians",
                preview=Preview(artifact="preview.sog", seq=self._seq),
            )
        )

    def _send(self, checkpoint: Checkpoint) -> None:
        path = self._run.scratch / "checkpoint.zip"
        checkpoint.write(path)
        if checkpoint.matches is not None and not checkpoint.complete:
            checkpoint.matches.unlink()
        if checkpoint.sparse is not None:
            self._drop_complete()
        self._run.delivery.save_checkpoint(path)

    def _drop_complete(self) -> None:
        """Free its disk space once the cameras are found."""
        if self._complete is not None:
            self._complete.unlink(missing_ok=True)
            self._complete = None


def most_visible(gaussians: Gaussians, count: int) -> Gaussians:
    """At most `count` Gaussians, in their order: those whose opacity times area is largest."""
    if len(gaussians) <= count:
        return gaussians
    sizes = np.sort(gaussians.log_scales, axis=1)
    worth = sizes[:, 1] + sizes[:, 2] - np.logaddexp(0.0, -gaussians.opacity_logits)
    return gaussians.select(np.sort(np.argpartition(-worth, count)[:count]))
