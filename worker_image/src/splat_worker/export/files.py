"""Writes the files of finished Gaussians: scene.ply, its compressed forms, poster and thumbnail.
Measures what compression loses. Knows no photo and no job.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from splat_worker.export.ply import read_ply, write_ply
from splat_worker.export.portable import PORTABLE, write_portable
from splat_worker.export.sog import write_sog
from splat_worker.export.splat_transform import convert
from splat_worker.progress import silent
from splat_worker.scene import Camera, Float32, Gaussians

COMPRESSED = ("scene.sog", "scene.spz")
POSTER_WIDTH_PX = 960
POSTER_QUALITY = 86
THUMBNAIL_WIDTH_PX = 400
"""A card of the app's list is at most 350 px wide."""
THUMBNAIL_QUALITY = 78
FIDELITY_SIDE_PX = 480
FIDELITY_MAX_DB = 99.0


class Render(Protocol):
    """Returns an (H, W, 3) float32 image, 0 to 1, over black or another grey."""

    def __call__(self, gaussians: Gaussians, camera: Camera, *, grey: float = 0.0) -> Float32: ...


@dataclass(frozen=True, kw_only=True)
class Exported:
    """files: artifact name to path; fidelity_db: PSNR of a compressed file's render against the original's."""

    files: dict[str, Path]
    fidelity_db: dict[str, float]

    def with_file(self, name: str, path: Path) -> Exported:
        return replace(self, files={**self.files, name: path})


def write_files(
    gaussians: Gaussians,
    camera: Camera,
    folder: Path,
    *,
    wanted: Collection[str],
    render: Render,
    threads: int,
    cut_out: bool = False,
    on_progress: Callable[[float, str], None] = silent,
) -> Exported:
    """Those of `wanted` that Gaussians are enough for, and always scene.ply: the others are made from it. camera: what
    the poster shows, and where a viewer begins; cut_out: the scene has nothing around the subject."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"scene.ply": folder / "scene.ply"}
    on_progress(0.0, "Writing scene.ply")
    write_ply(files["scene.ply"], gaussians)
    fidelity: dict[str, float] = {}
    compressed = [name for name in COMPRESSED if name in wanted]
    if compressed:
        on_progress(0.1, f"Compressing to {' and '.join(compressed)}")
        picture = render(gaussians, _sized(camera, FIDELITY_SIDE_PX))
        files |= {name: folder / name for name in compressed}

        def compress_and_read(name: str) -> Gaussians:
            if name == "scene.sog":
                write_sog(files[name], gaussians, threads=threads)
            else:
                convert(files["scene.ply"], files[name], threads=threads)
            return read_back(files[name], folder, threads=threads)

        with ThreadPoolExecutor(len(compressed)) as pool:  # each mostly waits for its process
            for name, back in zip(compressed, pool.map(compress_and_read, compressed), strict=True):
                fidelity[name] = fidelity_db(picture, render(back, _sized(camera, FIDELITY_SIDE_PX)))
    if "poster.webp" in wanted:
        on_progress(0.85, "Rendering the poster")
        files["poster.webp"] = folder / "poster.webp"
        large = _sized(camera, POSTER_WIDTH_PX)
        poster = _pixels(render(gaussians, large))
        if cut_out:
            poster = transparent(poster, _pixels(render(gaussians, large, grey=1.0)))
        poster.save(files["poster.webp"], "WEBP", quality=POSTER_QUALITY, method=6)
        if "thumbnail.webp" in wanted:
            files["thumbnail.webp"] = folder / "thumbnail.webp"
            poster.thumbnail((THUMBNAIL_WIDTH_PX, THUMBNAIL_WIDTH_PX), Image.Resampling.LANCZOS)
            poster.save(files["thumbnail.webp"], "WEBP", quality=THUMBNAIL_QUALITY, method=6)
    for name in (name for name in PORTABLE if name in wanted):
        on_progress(0.9, f"Writing {name}")
        files[name] = folder / name
        write_portable(files[name], files["scene.ply"], camera, threads=threads)
    return Exported(files=files, fidelity_db=fidelity)


def read_back(path: Path, folder: Path, *, threads: int) -> Gaussians:
    """The Gaussians that a viewer gets from a compressed file."""
    ply = folder / f"{path.name}.back.ply"
    try:
        convert(path, ply, threads=threads)
        return read_ply(ply)
    finally:
        ply.unlink(missing_ok=True)


def fidelity_db(before: Float32, after: Float32) -> float:
    """PSNR between two renders of one view in dB, capped at FIDELITY_MAX_DB."""
    error = float(np.mean((np.clip(before, 0, 1) - np.clip(after, 0, 1)) ** 2))
    return FIDELITY_MAX_DB if error <= 10 ** (-FIDELITY_MAX_DB / 10) else round(-10 * float(np.log10(error)), 2)


def _pixels(picture: Float32) -> Image.Image:
    return Image.fromarray((np.clip(np.nan_to_num(picture), 0, 1) * 255 + 0.5).astype(np.uint8))


def transparent(over_black: Image.Image, over_white: Image.Image) -> Image.Image:
    """RGBA of two pictures of one scene: what is behind it shows as much as white is brighter than black."""
    black, white = (np.asarray(picture, dtype=np.float32) for picture in (over_black, over_white))
    alpha = np.clip(255.0 - (white - black).mean(axis=2), 0.0, 255.0)
    colours = np.minimum(black * (255.0 / np.maximum(alpha, 1.0))[..., None], 255.0)
    return Image.fromarray(np.dstack([colours, alpha]).round().astype(np.uint8))


def _sized(camera: Camera, side_px: int) -> Camera:
    scale = side_px / max(camera.width, camera.height)
    return camera.scaled(max(1, round(camera.width * scale)), max(1, round(camera.height * scale)))
