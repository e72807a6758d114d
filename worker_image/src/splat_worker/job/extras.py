"""What is made beside the work: checkpoints to go on from, and preview scenes to look at while training.
Runs in threads of its own; none of it can fail or slow down the job itself by more than a core's share.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from splat_worker.errors import Stage
from splat_worker.export.sog import without_harmonics, write_sog
from splat_worker.job.background import Latest
from splat_worker.job.checkpoint import Checkpoint
from splat_worker.job.run import Run
from splat_worker.progress import Event, Preview
from splat_worker.scene import Gaussians
from splat_worker.sfm.cameras import OnMatches
from splat_worker.sfm.kept import Begun, copy_database
from splat_worker.sfm.sparse import SparseModel

log = logging.getLogger(__name__)

MATCHES_EVERY_S = 10.0
MATCHES_COPY_SHARE_MAX = 0.02
"""Share of the search for cameras that may go into copying its database, while which it waits: large sets are kept
less often. 24 photos of a field set: 0.05 s for 23 MB, of 10 s."""
MATCHES_BYTES_MAX = 512 << 20
"""Largest match database that is kept, about 400 photos: a larger one would be under way for longer than it saves."""
TOO_LARGE = (
    f"The features and matches of these photos take more than the {MATCHES_BYTES_MAX >> 20} MiB that a checkpoint may"
    " hold of them: a worker that is lost before all photos are compared is made up for from the first one on."
)
CLOSE_S = 20.0
"""How long the end of a job waits for a preview or checkpoint that is still on its way."""


class Extras:
    """Checkpoints of a job, and previews of its training, made beside it."""

    def __init__(self, run: Run, fingerprint: str) -> None:
        self._run, self._base = run, Checkpoint(fingerprint=fingerprint)
        self._matches_at = self._began = run.clock()
        self._copy_s = 0.0
        self._compared: Path | None = None
        self._fraction, self._seq = 0.0, 0
        self._latest_preview = Latest("preview") if "preview.sog" in run.delivery.wanted else None
        self._latest_checkpoint = Latest("checkpoint") if run.delivery.keeps_checkpoints else None

    def __enter__(self) -> Extras:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._latest_preview:
            self._latest_preview.close(finish=False, timeout_s=CLOSE_S)
        if self._latest_checkpoint:
            lost = kind is not None and self._base.sparse is not None
            self._latest_checkpoint.close(finish=lost, timeout_s=CLOSE_S)
        self._drop_compared()

    @property
    def on_matches(self) -> OnMatches | None:
        return self.matches if self._latest_checkpoint else None

    def matches(self, database: Path, *, complete: bool, begun: Begun | None = None) -> None:
        """As OnMatches. Kept when it is time; once all pairs are there, at once, since the mapper's first cameras may
        be a while."""
        latest = self._latest_checkpoint
        assert latest is not None
        now = self._run.clock()
        if complete and begun is None:
            due = now - self._began >= MATCHES_EVERY_S
        else:
            every_s = max(MATCHES_EVERY_S, self._copy_s / MATCHES_COPY_SHARE_MAX)
            # not while one is being sent: the next would be copied for nothing
            due = now - self._matches_at >= every_s and latest.idle
        if not due:
            return
        self._matches_at = now
        copy = self._compared or self._copied(database, complete=complete)
        self._copy_s = self._run.clock() - now
        if copy is not None:
            self._compared = copy if complete else None
            checkpoint = replace(self._base, matches=copy, compared=complete, begun=begun)
            latest.offer(lambda: self._send(checkpoint))

    def _copied(self, database: Path, *, complete: bool) -> Path | None:
        """None where the database is too large or cannot be copied."""
        if not complete and self._too_large(database):
            return None
        copy = self._run.scratch / ("matches.compared.db" if complete else "matches.copy.db")
        try:
            copy_database(database, copy, descriptors=not complete)
        except (OSError, sqlite3.Error) as error:
            log.warning("no checkpoint of the matches: %s", type(error).__name__)
            return None
        return None if self._too_large(copy) else copy

    def _too_large(self, database: Path) -> bool:
        if database.stat().st_size <= MATCHES_BYTES_MAX:
            return False
        if TOO_LARGE not in self._run.warnings:
            self._run.warnings.append(TOO_LARGE)
        return True

    def placed(self, sparse: SparseModel) -> None:
        """The cameras are found; every checkpoint from now on holds them."""
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
        self._latest_preview.offer(lambda: self._send_preview(gaussians))

    def checkpoint(self, train: bytes | None) -> None:
        assert self._latest_checkpoint is not None
        self._latest_checkpoint.offer(lambda: self._send(replace(self._base, train=train)))

    def _send_preview(self, gaussians: Gaussians) -> None:
        path = self._run.scratch / "preview.sog"
        # a look, soon: what colours do from the side can wait for the scene itself
        write_sog(path, without_harmonics(gaussians), threads=1)
        self._run.delivery.deliver({"preview.sog": path})
        self._seq += 1
        self._run.on_event(
            Event(
                stage=Stage.TRAIN,
                fraction=self._fraction,
                message=f"A look at the scene so far, {len(gaussians)} Gaussians",
                preview=Preview(artifact="preview.sog", seq=self._seq),
            )
        )

    def _send(self, checkpoint: Checkpoint) -> None:
        path = self._run.scratch / "checkpoint.zip"
        checkpoint.write(path)
        if checkpoint.matches is not None and not checkpoint.compared:
            checkpoint.matches.unlink()
        if checkpoint.sparse is not None:
            self._drop_compared()
        self._run.delivery.save_checkpoint(path)

    def _drop_compared(self) -> None:
        """It takes disk that the job may need, and is of no use once cameras are found."""
        if self._compared is not None:
            self._compared.unlink(missing_ok=True)
            self._compared = None
