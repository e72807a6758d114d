"""What is made beside the work: checkpoints to go on from, and preview scenes to look at while training.
Runs in threads of its own; none of it can fail or slow down the job itself by more than a core's share.
"""

from __future__ import annotations

import contextlib
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
from splat_worker.sfm.sparse import SparseModel

log = logging.getLogger(__name__)

MATCHES_EVERY_S = 10.0
MATCHES_BYTES_MAX = 512 << 20
"""Largest match database that is kept, about 400 photos: a larger one would be under way for longer than it saves."""
CLOSE_S = 20.0
"""How long the end of a job waits for a preview or checkpoint that is still on its way."""


class Extras:
    """Checkpoints of a job, and previews of its training, made beside it."""

    def __init__(self, run: Run, fingerprint: str) -> None:
        self._run, self._base = run, Checkpoint(fingerprint=fingerprint)
        self._matches_at = run.clock()
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

    @property
    def on_matches(self) -> Callable[[Path], None] | None:
        return self.matches if self._latest_checkpoint else None

    def matches(self, database: Path) -> None:
        """The search for cameras has got this far; nobody writes into the database during this call."""
        now = self._run.clock()
        if now - self._matches_at < MATCHES_EVERY_S or database.stat().st_size > MATCHES_BYTES_MAX:
            return
        assert self._latest_checkpoint is not None
        if self._latest_checkpoint.idle:  # else the copy that is being sent would change under it
            self._matches_at = now
            copy = self._run.scratch / "matches.copy.db"
            try:
                copy_database(database, copy)
            except (OSError, sqlite3.Error) as error:
                log.warning("no checkpoint of the matches: %s", type(error).__name__)
                return
            self._latest_checkpoint.offer(lambda: self._send(replace(self._base, matches=copy)))

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
        self._run.delivery.save_checkpoint(path)


def copy_database(source: Path, target: Path) -> None:
    """A whole copy of an SQLite database, what lies in its write-ahead log included."""
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(source)) as old, contextlib.closing(sqlite3.connect(target)) as new:
        old.backup(new)
