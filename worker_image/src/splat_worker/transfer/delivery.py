"""Where a job's files go: the presigned URLs of a cloud job, or the folder of a local one.
The pipeline reaches the outside only through this module.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from splat_worker.contract.job_input import CheckpointAddress
from splat_worker.contract.job_report import Artifact
from splat_worker.hashing import sha256_of
from splat_worker.transfer.transfer import Transfer

ALL_ARTIFACTS = frozenset(
    {"scene.ply", "scene.sog", "scene.spz", "poster.webp", "thumbnail.webp", "cameras.json", "report.json"}
)


class Delivery(Protocol):
    """wanted: names of the artifacts to deliver."""

    wanted: frozenset[str]
    keeps_checkpoints: bool

    def deliver(self, files: Mapping[str, Path]) -> dict[str, Artifact]:
        """Deliver the wanted files; returns them by name."""

    def save_checkpoint(self, path: Path) -> None: ...

    def load_checkpoint(self, path: Path) -> bool:
        """Write the last checkpoint to `path`; False if there is none."""


@dataclass(frozen=True, kw_only=True)
class Presigned:
    """Uploads to the job's presigned URLs."""

    transfer: Transfer
    outputs: Mapping[str, str] = field(repr=False)
    checkpoint: CheckpointAddress | None = None

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(self.outputs)

    @property
    def keeps_checkpoints(self) -> bool:
        return self.checkpoint is not None

    def deliver(self, files: Mapping[str, Path]) -> dict[str, Artifact]:
        return self.transfer.put_all(files, self.outputs)

    def save_checkpoint(self, path: Path) -> None:
        if self.checkpoint is not None:
            self.transfer.put("checkpoint", path, self.checkpoint.put)

    def load_checkpoint(self, path: Path) -> bool:
        return self.checkpoint is not None and self.transfer.fetch_checkpoint(self.checkpoint.get, path)


@dataclass(frozen=True, kw_only=True)
class Folder:
    """Copies into a folder. The checkpoint lies beside the artifacts until the job is done."""

    path: Path
    wanted: frozenset[str] = ALL_ARTIFACTS
    keeps_checkpoints: bool = True

    def deliver(self, files: Mapping[str, Path]) -> dict[str, Artifact]:
        self.path.mkdir(parents=True, exist_ok=True)
        delivered = {}
        for name in files:
            if name in self.wanted:
                self._write(files[name], self.path / name)
                delivered[name] = describe(files[name])
        return delivered

    def save_checkpoint(self, path: Path) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._write(path, self._checkpoint)

    def load_checkpoint(self, path: Path) -> bool:
        if not self._checkpoint.is_file():
            return False
        shutil.copyfile(self._checkpoint, path)
        return True

    def _write(self, source: Path, target: Path) -> None:
        """Whole or not at all: a full disk leaves what was there before."""
        part = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(source, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def delete_checkpoint(self) -> None:
        self._checkpoint.unlink(missing_ok=True)

    @property
    def _checkpoint(self) -> Path:
        return self.path / ".checkpoint"


def describe(path: Path) -> Artifact:
    return Artifact(bytes=path.stat().st_size, sha256=sha256_of(path))
