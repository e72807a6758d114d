"""The drawn photo sets of bench/gpu: as many photos as asked, tags that the worker reads, and true cameras."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.gpu.drawn_sets import FOCAL_35MM, GPS_NOISE_M, SCENES, axes_of, centre_errors, draw, picture
from splat_worker.photos.exif import read_exif
from splat_worker.sfm.matching.pairs import local_metres


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("count", [7, 80])
def test_a_scene_has_as_many_cameras_as_asked(name: str, count: int) -> None:
    poses = SCENES[name](count).poses
    assert len(poses) == count
    for pose in poses:
        axes = axes_of(pose)
        assert axes.T @ axes == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(axes) == pytest.approx(1)


def test_photos_have_their_lens_and_place_and_are_the_same_again(tmp_path: Path) -> None:
    scene = SCENES["field"](12)
    scene = replace(scene, boxes=scene.boxes[:12], poses=scene.poses[:3])
    paths = list(draw(scene, tmp_path / "field", 48))
    tags = []
    for path in paths:
        with Image.open(path) as photo:
            tags.append(read_exif(photo))
            assert np.asarray(photo.convert("L")).std() > 5
    assert {one.focal_35_mm for one in tags} == {FOCAL_35MM}
    truth = json.loads((tmp_path / "field.json").read_text())
    found = local_metres([one.position for one in tags])
    found = found - found.mean(0)
    true = np.array([truth[path.name][:2] for path in paths])
    assert np.abs(found - (true - true.mean(0))).max() < 6 * GPS_NOISE_M
    assert (picture(scene, scene.poses[0], 48, "cpu") == picture(scene, scene.poses[0], 48, "cpu")).all()


def test_errors_are_those_after_the_best_similarity(tmp_path: Path) -> None:
    draw_from = np.random.default_rng(0)
    true = draw_from.normal(0, 10, (20, 3))
    (tmp_path / "truth.json").write_text(json.dumps({f"{i}.jpg": list(p) for i, p in enumerate(true)}))
    turn, _ = np.linalg.qr(draw_from.normal(0, 1, (3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    found = 0.3 * true @ turn.T + [5, 6, 7]
    named = {f"{i}.jpg": list(p) for i, p in enumerate(found)}
    assert centre_errors(named, tmp_path / "truth.json") == {"median_percent": 0.0, "max_percent": 0.0}
    named["3.jpg"] = list(found[3] + [0.3, 0, 0])  # 1 m
    errors = centre_errors(named, tmp_path / "truth.json")
    extent = np.linalg.norm(true.max(0) - true.min(0))
    assert errors["max_percent"] == pytest.approx(100 / extent, rel=0.15)
    assert errors["median_percent"] < 0.2 * errors["max_percent"]
