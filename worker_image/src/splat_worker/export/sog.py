"""Writes a scene as one .sog file (https://developer.playcanvas.com/user-manual/gaussian-splatting/formats/sog).

splat-transform writes everything but the view-dependent colour, whose clustering takes minutes without WebGPU.
`palette` clusters the harmonics instead, and this module adds them to the file (docs/decisions/0013).
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from splat_worker.errors import Code, JobError
from splat_worker.export.palette import find_codebook, find_palette, nearest_codes
from splat_worker.export.ply import read_ply, write_ply
from splat_worker.export.splat_transform import convert
from splat_worker.scene import Float32, Gaussians

ENTRIES_PER_ROW = 64  # palette entries in one row of its image, by the format


def write_sog(path: Path, gaussians: Gaussians, *, threads: int) -> None:
    """Write `gaussians` with all their harmonics. Raises INTERNAL if splat-transform fails."""
    plain, ordered = path.with_suffix(".plain.ply"), path.with_suffix(".ordered.ply")
    try:
        write_ply(plain, without_harmonics(gaussians))
        if gaussians.sh_degree == 0:
            convert(plain, path, threads=threads)
            return
        # The file has splat-transform's order, which keeps a scene that is already in that order.
        convert(plain, ordered, threads=threads, actions=("--morton-order",))
        order = order_of(gaussians, read_ply(ordered))
        convert(ordered, path, threads=threads)
        add_harmonics(path, gaussians.select(order))
    finally:
        plain.unlink(missing_ok=True)
        ordered.unlink(missing_ok=True)


def without_harmonics(gaussians: Gaussians) -> Gaussians:
    """The same Gaussians without view-dependent colour."""
    return replace(gaussians, sh=np.ascontiguousarray(gaussians.sh[:, :1]))


def order_of(before: Gaussians, after: Gaussians) -> NDArray[np.int64]:
    """Indices into `before` that give `after`, the same Gaussians in another order. Ignores harmonics, and rotations,
    which a PLY stores normalised."""
    rows, rows_after = _rows(before), _rows(after)
    first, second = np.lexsort(rows.T[::-1]), np.lexsort(rows_after.T[::-1])
    if not np.array_equal(rows[first], rows_after[second]):
        raise JobError(Code.INTERNAL, "splat-transform changed Gaussians while sorting them.")
    order = np.empty(len(after), np.int64)
    order[second] = first
    return order


def _rows(gaussians: Gaussians) -> Float32:
    g = gaussians
    return np.concatenate([g.means, g.log_scales, g.opacity_logits[:, None], g.sh[:, 0]], axis=1)


def add_harmonics(path: Path, gaussians: Gaussians) -> None:
    """Add the harmonics of `gaussians`, which are in the order of the .sog file, to it."""
    files = _read(path)
    meta = json.loads(files["meta.json"])
    _check_order(meta, files, gaussians.means)
    rows = gaussians.sh.shape[1] - 1
    palette = find_palette(gaussians.sh[:, 1:].transpose(0, 2, 1).reshape(len(gaussians), 3 * rows))
    book = find_codebook(palette.entries)
    codes = nearest_codes(palette.entries, book).reshape(-1, 3, rows).transpose(0, 2, 1)
    lines = -(-len(codes) // ENTRIES_PER_ROW)
    centroids = np.zeros((lines * ENTRIES_PER_ROW, rows, 3), np.uint8)
    centroids[: len(codes)] = codes
    width, height = _picture(files["means_l.webp"]).size
    labels = np.zeros((height * width, 3), np.uint8)
    labels[: len(gaussians), 0] = palette.labels & 0xFF
    labels[: len(gaussians), 1] = palette.labels >> 8
    meta["shN"] = {
        "count": len(codes),
        "bands": gaussians.sh_degree,
        "codebook": book.tolist(),
        "files": ["shN_centroids.webp", "shN_labels.webp"],
    }
    files["shN_centroids.webp"] = _lossless(centroids.reshape(lines, ENTRIES_PER_ROW * rows, 3))
    files["shN_labels.webp"] = _lossless(labels.reshape(height, width, 3))
    files["meta.json"] = json.dumps(meta, separators=(",", ":")).encode()
    part = path.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in files.items():
            bundle.writestr(name, content)
    part.replace(path)


def _check_order(meta: dict[str, dict[str, list[float]]], files: dict[str, bytes], means: Float32) -> None:
    """Check the file's positions against `means` one by one: a wrong order would look almost right."""
    low, high = (np.asarray(_picture(files[name]).convert("RGB")) for name in ("means_l.webp", "means_u.webp"))
    steps = (low.reshape(-1, 3)[: len(means)].astype(np.float64) + high.reshape(-1, 3)[: len(means)] * 256.0) / 65535.0
    mins, maxs = np.array(meta["means"]["mins"]), np.array(meta["means"]["maxs"])
    stored = mins + steps * (maxs - mins)
    wanted = np.sign(means) * np.log1p(np.abs(means.astype(np.float64)))
    if np.abs(stored - wanted).max() > 1.01 * (maxs - mins).max() / 65535.0 + 1e-6:
        raise JobError(Code.INTERNAL, "splat-transform wrote the Gaussians in an unexpected order.")


def _read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def _picture(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def _lossless(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, quality=60, method=3)
    return out.getvalue()
