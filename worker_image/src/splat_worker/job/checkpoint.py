"""What a re-dispatched job needs to go on: what is known of the cameras and the trainer's state, in one file.
Never used for other photos or settings than it was made with: a fingerprint decides.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from splat_worker import __version__
from splat_worker.sfm.kept import Begun
from splat_worker.sfm.sparse import SparseModel

log = logging.getLogger(__name__)

VERSION = 2
PART_BYTES_MAX = 4 << 30
BEGUN = "begun"
"""Folder of the archive with the cameras placed so far, in a folder with their rung's name."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """matches: COLMAP's database so far, while cameras are still looked for; compared: it holds all pairs, and no
    descriptors any more; begun: cameras placed so far from it; sparse: model as structure from motion left it, None
    before; train: the trainer's own bytes, None before its first."""

    fingerprint: str
    matches: Path | None = None
    compared: bool = False
    begun: Begun | None = None
    sparse: SparseModel | None = None
    train: bytes | None = None

    def write(self, path: Path) -> None:
        """One zip, replaced as a whole so that a reader never sees half of it.

        Descriptors are nearly noise: of 23 MB with them (24 photos) deflate took off a fifth in 0.7 s of a core, of
        the 5 MB without them two fifths in 0.1 s. So only these are packed.
        """
        part = path.with_suffix(".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("manifest.json", json.dumps({"version": VERSION, "fingerprint": self.fingerprint}))
            if self.matches is not None:
                packed = zipfile.ZIP_DEFLATED if self.compared else zipfile.ZIP_STORED
                archive.write(self.matches, "matches.db", packed, compresslevel=1)
            if self.begun is not None:
                for name, content in self.begun.files.items():
                    archive.writestr(f"{BEGUN}/{self.begun.rung}/{name}", content)
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
                begun = _begun(archive) if matches else None
                sparse = SparseModel.from_bytes(archive.read("sparse.npz")) if "sparse.npz" in names else None
                train = archive.read("train.bin") if sparse and "train.bin" in names else None
        except Exception as error:  # zipfile and numpy raise almost anything on broken bytes
            log.warning("the checkpoint cannot be read (%s); starting from the beginning", type(error).__name__)
            return None
        return cls(fingerprint=fingerprint, matches=matches, begun=begun, sparse=sparse, train=train)


def _begun(archive: zipfile.ZipFile) -> Begun | None:
    names = [name for name in archive.namelist() if name.startswith(f"{BEGUN}/") and name.endswith(".bin")]
    parts = [PurePosixPath(name) for name in names]
    if not parts:
        return None
    return Begun(rung=parts[0].parent.name, files={part.name: archive.read(str(part)) for part in parts})


def fingerprint(photo_digests: list[tuple[str, str]], settings: dict[str, object]) -> str:
    """SHA-256 over names and contents of the photos, the settings that shape the result, and our version."""
    text = json.dumps([__version__, photo_digests, settings], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
