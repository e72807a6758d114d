"""What a re-dispatched job needs to go on: what is known of the cameras and the trainer's state, in one file.
Never used for other photos or settings than it was made with: a fingerprint decides.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path

from splat_worker import __version__
from splat_worker.sfm.sparse import SparseModel

log = logging.getLogger(__name__)

VERSION = 2
PART_BYTES_MAX = 4 << 30


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """matches: COLMAP's database so far, while cameras are still looked for; sparse: model as structure from motion
    left it, None before; train: the trainer's own bytes, None before its first."""

    fingerprint: str
    matches: Path | None = None
    sparse: SparseModel | None = None
    train: bytes | None = None

    def write(self, path: Path) -> None:
        """One zip, replaced as a whole so that a reader never sees half of it."""
        part = path.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("manifest.json", json.dumps({"version": VERSION, "fingerprint": self.fingerprint}))
            if self.matches is not None:
                archive.write(self.matches, "matches.db")
            if self.sparse is not None:
                archive.writestr("sparse.npz", self.sparse.to_bytes())
            if self.train is not None:
                archive.writestr("train.bin", self.train)
        part.replace(path)

    @classmethod
    def read(cls, path: Path, fingerprint: str) -> Checkpoint | None:
        """None where the file is broken, of another version, or of another job: the job then starts anew. `matches`
        is put beside `path`."""
        try:
            with zipfile.ZipFile(path) as archive:
                manifest = json.loads(archive.read("manifest.json"))
                if manifest.get("version") != VERSION or manifest.get("fingerprint") != fingerprint:
                    log.info("the checkpoint belongs to other photos or settings and is not used")
                    return None
                if any(info.file_size > PART_BYTES_MAX for info in archive.infolist()):
                    return None
                names = archive.namelist()
                matches = Path(archive.extract("matches.db", path.parent)) if "matches.db" in names else None
                sparse = SparseModel.from_bytes(archive.read("sparse.npz")) if "sparse.npz" in names else None
                train = archive.read("train.bin") if sparse and "train.bin" in names else None
        except Exception as error:  # zipfile and numpy raise almost anything on broken bytes
            log.warning("the checkpoint cannot be read (%s); starting from the beginning", type(error).__name__)
            return None
        return cls(fingerprint=fingerprint, matches=matches, sparse=sparse, train=train)


def fingerprint(photo_digests: list[tuple[str, str]], settings: dict[str, object]) -> str:
    """SHA-256 over names and contents of the photos, the settings that shape the result, and our version."""
    text = json.dumps([__version__, photo_digests, settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
