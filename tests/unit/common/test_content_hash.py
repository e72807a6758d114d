"""The content hash: the same on every machine, and different after every change of the sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.content_hash import EmptyFolder, hash_folder


def sources(folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM x\n")
    (folder / "src" / "a.py").write_text("a = 1\n")
    return folder


def test_the_hash_is_the_same_whatever_the_umask(tmp_path: Path) -> None:
    one, two = sources(tmp_path / "one"), sources(tmp_path / "two")
    for path in two.rglob("*.py"):
        path.chmod(0o664)
    (two / "Dockerfile").chmod(0o600)
    assert hash_folder(one) == hash_folder(two)


@pytest.mark.parametrize("change", ["content", "name", "run bit", "new file"])
def test_the_hash_changes_with_anything_a_build_takes_in(tmp_path: Path, change: str) -> None:
    folder = sources(tmp_path / "one")
    before = hash_folder(folder)
    match change:
        case "content":
            (folder / "src" / "a.py").write_text("a = 2\n")
        case "name":
            (folder / "src" / "a.py").rename(folder / "src" / "b.py")
        case "run bit":
            (folder / "src" / "a.py").chmod(0o755)
        case "new file":
            (folder / "src" / "b.py").write_text("")
    assert hash_folder(folder) != before


@pytest.mark.parametrize("name", ["src/__pycache__/a.pyc", ".git/HEAD", "tests/test_a.py", "src/x.egg-info/PKG-INFO"])
def test_the_hash_ignores_what_a_build_leaves_out(tmp_path: Path, name: str) -> None:
    folder = sources(tmp_path / "one")
    before = hash_folder(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("generated")
    assert hash_folder(folder) == before


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder):
        hash_folder(tmp_path)
