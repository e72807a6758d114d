"""Exports a trained scene: its files (files.py), cameras.json, and what was asked for besides.
Writes into one folder. Uploads nothing and moves no Gaussian.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from splat_worker.export.dataset import write_dataset
from splat_worker.export.files import Exported, Render, write_files
from splat_worker.export.ground import WHOLE, Ground
from splat_worker.export.ply import write_ply
from splat_worker.export.portable import ALSO
from splat_worker.export.start_view import start_view
from splat_worker.progress import silent
from splat_worker.scene import Gaussians, PosedPhotos
from splat_worker.sfm.frame.similarity import UP, Similarity


def export_scene(
    gaussians: Gaussians,
    posed: PosedPhotos,
    folder: Path,
    *,
    frame: Similarity,
    held_out: Collection[str],
    sharpness: Mapping[str, float],
    render: Render,
    wanted: Collection[str],
    threads: int,
    ground: Ground | None = None,
    on_progress: Callable[[float, str], None] = silent,
) -> Exported:
    """Write the artifacts of `wanted` that this stage makes, and always scene.ply: the others are made from it.
    sharpness: of the photos, by name. ground: subject, size and place of the scene."""
    folder.mkdir(parents=True, exist_ok=True)
    ground = ground or Ground()
    start = start_view(posed, sharpness)
    more: dict[str, Path] = {}
    if ground.only_subject:
        assert ground.subject is not None
        if WHOLE in wanted:
            more[WHOLE] = folder / WHOLE
            write_ply(more[WHOLE], gaussians)
        gaussians = ground.subject.alone(gaussians)
    exported = write_files(
        gaussians,
        start.camera,
        folder,
        wanted=wanted,
        render=render,
        threads=threads,
        cut_out=posed.cut_out or ground.only_subject,
        on_progress=on_progress,
    )
    files = exported.files | more
    if "cameras.json" in wanted:
        files["cameras.json"] = folder / "cameras.json"
        content = cameras_json(posed, frame=frame, start=start.name, held_out=held_out) | ground.described()
        files["cameras.json"].write_text(json.dumps(content, separators=(",", ":"), allow_nan=False))
    if ALSO["dataset"] in wanted:
        on_progress(0.95, "Writing the posed photos")
        files[ALSO["dataset"]] = folder / ALSO["dataset"]
        write_dataset(files[ALSO["dataset"]], posed)
    on_progress(1.0, "Exported all files")
    return replace(exported, files=files)


def cameras_json(posed: PosedPhotos, *, frame: Similarity, start: str, held_out: Collection[str]) -> dict[str, object]:
    """The cameras in the frame of scene.ply (right-handed, y down). rotation: world from camera, columns right, down,
    forward; sfm_to_scene: (4, 4) from the frame of structure from motion."""
    return {
        "version": 1,
        "frame": "colmap",
        "up": UP.tolist(),
        "up_from": frame.up.source.value,
        "up_known": frame.up.known,
        "target": [0.0, 0.0, 0.0],
        "radius": 1.0,
        "start": start,
        "sfm_to_scene": _rounded(frame.matrix()),
        "cameras": [
            {
                "name": view.name,
                "width": view.camera.width,
                "height": view.camera.height,
                "fx": round(float(view.k[0, 0]), 4),
                "fy": round(float(view.k[1, 1]), 4),
                "cx": round(float(view.k[0, 2]), 4),
                "cy": round(float(view.k[1, 2]), 4),
                "position": _rounded(view.camera.centre),
                "rotation": _rounded(view.world_to_camera[:3, :3].T),
                "held_out": view.name in held_out,
            }
            for view in posed.views
        ],
    }


def _rounded(array: np.ndarray) -> Sequence[object]:
    return np.round(np.asarray(array, dtype=np.float64), 7).tolist()
