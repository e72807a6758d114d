"""What is made beside a training run: preview scenes to look at, and checkpoints to go on from.
Runs in threads of its own; none of it can fail or slow down the job itself by more than a core's share.
"""

from __future__ import annotations

from collections.abc import Callable

from splat_worker.background import Latest
from splat_worker.checkpoint import Checkpoint
from splat_worker.errors import Stage
from splat_worker.progress import Event, Preview
from splat_worker.run import Run
from splat_worker.scene import Gaussians
from splat_worker.sog import without_harmonics, write_sog

CLOSE_S = 20.0
"""How long the end of a job waits for a preview or checkpoint that is still on its way."""


class Extras:
    """Previews and checkpoints of a training run, made beside it."""

    def __init__(self, run: Run, base: Checkpoint) -> None:
        self._run, self._base = run, base
        self._fraction, self._seq = 0.0, 0
        self._latest_preview = Latest("preview") if "preview.sog" in run.delivery.wanted else None
        self._latest_checkpoint = Latest("checkpoint") if run.delivery.keeps_checkpoints else None

    def __enter__(self) -> Extras:
        if self._latest_checkpoint:
            self.checkpoint(None)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._latest_preview:
            self._latest_preview.close(finish=False, timeout_s=CLOSE_S)
        if self._latest_checkpoint:
            self._latest_checkpoint.close(finish=kind is not None, timeout_s=CLOSE_S)

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
        self._latest_checkpoint.offer(lambda: self._send_checkpoint(train))

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

    def _send_checkpoint(self, train: bytes | None) -> None:
        path = self._run.scratch / "checkpoint.zip"
        Checkpoint(fingerprint=self._base.fingerprint, sparse=self._base.sparse, train=train).write(path)
        self._run.delivery.save_checkpoint(path)
