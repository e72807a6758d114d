"""Checkpoints: a damaged archive, and a whole archive around damaged parts."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import sqlite3
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from splat_worker.job.checkpoint import Checkpoint
from splat_worker.photos.validation import Photo
from splat_worker.sfm.matching.chosen import write_chosen
from splat_worker.sfm.resume import reusable_work
from splat_worker.sfm.sparse import SparseCamera, SparseModel
from splat_worker.train.core.checkpoint import CheckpointMismatch, Progress, RunId, pack, unpack
from splat_worker.train.core.context import Device
from splat_worker.train.core.preset import PresetName, resolve_preset
from tests.fuzz.mutate import damage_bytes, damage_value

FINGERPRINT = "f" * 64
PARTS = ("manifest.json", "matches.db", "sparse.npz", "train.bin", "partial/default/cameras.bin")
PHOTOS = tuple(
    Photo(name=f"{n}.jpg", path=Path(f"{n:04d}.jpg"), width=100, height=80, sharpness=1.0, camera_key="c")
    for n in range(3)
)
PAIRS = ((0, 1), (1, 2), (0, 2))


@functools.cache
def run() -> RunId:
    preset = resolve_preset(PresetName.PREVIEW, Device.CPU, len(PHOTOS))
    return RunId(backend="cpu", preset=preset, photos=tuple(photo.name for photo in PHOTOS))


@functools.cache
def whole() -> dict[str, bytes]:
    """The parts of a whole checkpoint by name, as the worker writes them."""
    camera = SparseCamera(
        name="0.jpg", world_to_camera=np.eye(4), width=100, height=80, focal_px=95, cx=50, cy=40, k1=0.0, seen=3
    )
    sparse = SparseModel(
        cameras=(camera,),
        points=np.ones((20, 3), np.float32),
        colours=np.full((20, 3), 7, np.uint8),
        tracks=np.full(20, 2, np.int32),
        reprojection_error_px=0.4,
        rung="default",
        matching="exhaustive",
        tried={"default": 1},
        rejected=(),
    )
    progress = Progress(rng=np.random.default_rng(0), step=30, queue=[0, 2], seconds=4.5)
    train = pack(run(), progress, {"means": np.zeros((20, 3), np.float32), "opacity": np.zeros(20, np.float32)})
    with tempfile.TemporaryDirectory(prefix="checkpoint-") as folder:
        _matches(Path(folder) / "matches.db")
        path = Path(folder) / "checkpoint"
        matches = Path(folder) / "matches.db"
        Checkpoint(fingerprint=FINGERPRINT, matches=matches, sparse=sparse, train=train).write(path)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    return {**parts, "partial/default/cameras.bin": (1).to_bytes(8, "little") + bytes(48)}


def _matches(file: Path) -> None:
    """The tables of COLMAP's database that the worker reads itself."""
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE images (image_id INTEGER PRIMARY KEY, name TEXT)")
        db.execute("CREATE TABLE keypoints (image_id INTEGER PRIMARY KEY, rows INTEGER, data BLOB)")
        db.execute("CREATE TABLE descriptors (image_id INTEGER PRIMARY KEY, data BLOB)")
        db.execute("CREATE TABLE two_view_geometries (pair_id INTEGER PRIMARY KEY, data BLOB)")
        for number, photo in enumerate(PHOTOS, 1):
            db.execute("INSERT INTO images VALUES (?, ?)", (number, photo.path.name))
            db.execute("INSERT INTO keypoints VALUES (?, 4, ?)", (number, bytes(400)))
            db.execute("INSERT INTO descriptors VALUES (?, ?)", (number, bytes(900)))
        db.execute("INSERT INTO two_view_geometries VALUES (2147483649, ?)", (bytes(600),))
    db.close()
    write_chosen(file, [photo.path.name for photo in PHOTOS], [PAIRS[:2], PAIRS[2:]])


def make(rng: random.Random) -> bytes:
    parts = dict(whole())
    if rng.random() < 0.7:
        name = rng.choice(PARTS)
        parts[name] = _damage(rng, name, parts)
    if rng.random() < 0.1:
        del parts[rng.choice(sorted(parts))]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(rng.choice(("../x", name)) if rng.random() < 0.02 else name, content)
    return damage_bytes(rng, [out.getvalue()]) if rng.random() < 0.4 else out.getvalue()


def _damage(rng: random.Random, name: str, parts: dict[str, bytes]) -> bytes:
    """A damaged part: its bytes, or the values in it with everything around them right."""
    if name == "manifest.json":
        return json.dumps(damage_value(rng, [json.loads(parts[name])])).encode()
    if not name.endswith((".npz", "train.bin")) or rng.random() < 0.4:
        return damage_bytes(rng, [parts[name], *parts.values()] if rng.random() < 0.1 else [parts[name]])
    with np.load(io.BytesIO(parts[name])) as archive:
        arrays = dict(archive)
    key = rng.choice(sorted(arrays))
    if key in ("facts", "meta"):
        value = damage_value(rng, [json.loads(arrays[key].tobytes())])
        arrays[key] = np.frombuffer(json.dumps(value).encode(), np.uint8)
    else:
        arrays[key] = rng.choice(
            (arrays[key][:1], arrays[key].astype(np.float64), arrays[key].reshape(-1), np.full((3, 3), np.nan))
        )
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def check(case: bytes, folder: Path) -> None:
    """It is read, or left out; what is read can be looked into without an error."""
    file = folder / "in/checkpoint"
    file.parent.mkdir()
    file.write_bytes(case)
    found = Checkpoint.read(file, FINGERPRINT)
    outside = {path.name for path in folder.iterdir()} - {"in"}
    assert not outside, f"a part was written outside: {outside}"
    if found is None:
        return
    if found.matches is not None:
        reusable_work(found.matches, PHOTOS)
    if found.train is not None:
        with contextlib.suppress(CheckpointMismatch):
            progress, _ = unpack(found.train, run())
            progress.rng.random()
            assert progress.step >= 0
            assert all(0 <= one < len(PHOTOS) for one in progress.queue)
