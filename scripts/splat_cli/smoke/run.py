"""Makes one tiny scene as a user would, reads it back, and removes everything, also after a failure."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from scripts.splat_cli.edge_client import EdgeClient, Project
from scripts.splat_cli.errors import ServiceError
from scripts.splat_cli.reconstruct import reconstruct

NAME = "Smoke test (deleted at the end)"
PRESET = "preview"
# An arc of 105 degrees through both rings of the sample photos, so that each overlaps the next (samples/cameras.json).
ARC = ("0024", "0001", "0013", "0002", "0014", "0003", "0015", "0004")
READ_BACK = "scene.sog"


@dataclass(frozen=True, kw_only=True)
class Smoked:
    """seconds: from the first call to the last. usd: of the job's report; an estimate where no GPU ran."""

    seconds: float
    usd: float
    estimate: bool
    photos: int
    registered: int
    psnr_db: float
    gpu: str


def choose(folder: Path, least: int) -> list[Path]:
    """The photos of the arc, and others of the folder if the deployment wants more."""
    arc = [folder / f"IMG_{number}.jpg" for number in ARC]
    others = [photo for photo in sorted(folder.glob("*.jpg")) if photo not in arc]
    return [*arc, *others][: max(least, len(arc))]


def smoke(client: EdgeClient, samples: Path, *, console: Console) -> Smoked:
    """Upload, compute, download, compare, delete. Raises CommandError or ServiceError with the reason."""
    began_s = time.monotonic()
    made: list[Project] = []
    with tempfile.TemporaryDirectory(prefix="splat-smoke-") as temporary, _deleted(client, made):
        photos = Path(temporary) / "photos"
        photos.mkdir()
        for photo in choose(samples, client.limits().photos_min):
            shutil.copy(photo, photos)
        done = reconstruct(client, photos, name=NAME, preset=PRESET, console=console, created=made.append)
        _read_back(client, done, Path(temporary))
        report: dict[str, Any] = done.report or {}
    price = report["price"]
    return Smoked(
        seconds=time.monotonic() - began_s,
        usd=float(price["usd"]),
        estimate=bool(price["estimate"]),
        photos=int(report["photos"]["given"]),
        registered=int(report["photos"]["registered"]),
        psnr_db=float(report["metrics"]["psnr_db"]),
        gpu=str(price["gpu"]),
    )


@contextlib.contextmanager
def _deleted(client: EdgeClient, made: list[Project]) -> Iterator[None]:
    """Delete what was made. A failure to delete is raised only when nothing else failed."""
    try:
        yield
    except BaseException:
        for project in made:
            with contextlib.suppress(ServiceError):
                client.delete_project(project.id)
        raise
    for project in made:
        client.delete_project(project.id)


def _read_back(client: EdgeClient, done: Project, folder: Path) -> None:
    """Download the scene into a folder and compare it with the digest in its report. Raises ServiceError."""
    stated = done.artifacts.get(READ_BACK)
    if stated is None:
        raise ServiceError(f"The scene has no {READ_BACK}.", hint="splat doctor shows what is wrong")
    file = client.download(done.id, READ_BACK, folder)
    if hashlib.sha256(file.read_bytes()).hexdigest() != stated["sha256"]:
        raise ServiceError(
            f"{READ_BACK} was downloaded with other bytes than the worker stored.",
            hint="splat doctor shows what is wrong",
        )
