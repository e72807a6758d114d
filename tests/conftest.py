"""What several suites share: a local stack of their own, beside one that a developer may have running.
A suite that needs something absent fails loudly in CI and skips with the reason elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SPLAT = ROOT / ".venv/bin/splat"
UP_LIMIT_S = 300
JOB_LIMIT_S = 900


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A deployed local stack under a folder of its own."""

    state: Path
    app_url: str
    photos_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SPLAT_LOCAL_STATE": str(self.state)}

    def splat(self, *arguments: str, limit_s: float = UP_LIMIT_S) -> subprocess.CompletedProcess[str]:
        """Run the command line on this stack."""
        return run_splat(*arguments, state=self.state, limit_s=limit_s)

    def login_url(self) -> str:
        """A fresh one-time address that signs a browser in."""
        return self.splat("open").stdout.strip()

    def token(self) -> str:
        """The operator's token."""
        return str(json.loads(self.splat("outputs", "--json", "--show-secrets").stdout)["operatorToken"])

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self.splat("outputs", "--json").stdout))


def run_splat(*arguments: str, state: Path, limit_s: float = UP_LIMIT_S) -> subprocess.CompletedProcess[str]:
    """Run the command line with a state folder; fails nothing by itself."""
    return subprocess.run(
        [str(SPLAT), *arguments],
        cwd=ROOT,
        env={**os.environ, "SPLAT_LOCAL_STATE": str(state)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
    )


def need(path: Path, *, hint: str) -> None:
    """Skip, saying what is missing; in CI nothing important may skip."""
    if path.exists():
        return
    message = f"{path.relative_to(ROOT)} is missing: {hint}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photos at half their size, EXIF kept: a whole job in about a minute on two cores."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    sources = sorted((ROOT / "samples/photos").glob("*.jpg"))
    assert len(sources) >= 15, "the sample set is not whole"
    for source in sources:
        with Image.open(source) as photo:
            exif = photo.getexif()
            photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS).save(
                folder / source.name, quality=92, exif=exif
            )
    return folder


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory, small_photos: Path) -> Iterator[LocalStack]:
    """`splat up` on free ports; destroyed at the end, with a check that nothing is left."""
    need(SPLAT, hint="run scripts/bootstrap --test")
    need(ROOT / ".tools/engine.json", hint="run scripts/bootstrap --test")
    state = tmp_path_factory.mktemp("stack") / "local"
    up = run_splat("up", "--no-scene", state=state)
    try:
        assert up.returncode == 0, up.stderr
        outputs = json.loads(run_splat("outputs", "--json", state=state).stdout)
        yield LocalStack(state=state, app_url=outputs["appUrl"], photos_dir=small_photos)
    finally:
        down = run_splat("down", state=state)
        assert down.returncode == 0, down.stderr
        assert not state.exists()
