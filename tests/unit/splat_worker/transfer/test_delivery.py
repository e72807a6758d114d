"""Files of a run on one machine: whole, or not there."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from splat_worker.transfer.delivery import Folder


@pytest.mark.parametrize("kind", ["artifact", "checkpoint"])
def test_a_full_disk_leaves_what_was_there_before(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fills(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    folder = Folder(path=tmp_path / "out")

    def deliver(path: Path) -> None:
        if kind == "artifact":
            folder.deliver({"scene.ply": path})
        else:
            folder.save_checkpoint(path)

    deliver(old)
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    monkeypatch.setattr(shutil, "copyfile", fills)
    with pytest.raises(OSError, match="No space"):
        deliver(new)
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before
    monkeypatch.undo()
    deliver(new)
    assert [path.read_bytes() for path in folder.path.iterdir()] == [b"new"]
