"""The committed sample set: what a user's first run reads, and the truth that its cameras are measured by.

Reads only samples/; renders nothing, and must never need the renderer.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

SAMPLES = Path(__file__).parents[3] / "samples"
MAX_SET_BYTES = 3_000_000


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((SAMPLES / "cameras.json").read_text())


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return sorted((SAMPLES / "photos").iterdir())


def pinhole(camera: dict) -> np.ndarray:
    return np.array([[camera["fx_px"], 0, camera["cx_px"]], [0, camera["fy_px"], camera["cy_px"]], [0, 0, 1]], float)


def projected(camera: dict, photo: dict, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, 2) and depths (N,) of world points (N, 3)."""
    pose = np.array(photo["world_to_camera"])
    seen = points @ pose[:3, :3].T + pose[:3, 3]
    pixels = seen @ pinhole(camera).T
    return pixels[:, :2] / pixels[:, 2:], seen[:, 2]


def test_there_are_about_two_dozen_photos_in_three_megabytes(photos: list[Path]) -> None:
    assert 20 <= len(photos) <= 30
    assert all(photo.suffix == ".jpg" for photo in photos)
    assert sum(photo.stat().st_size for photo in photos) <= MAX_SET_BYTES


def test_the_truth_names_each_photo_once_and_no_other(truth: dict, photos: list[Path]) -> None:
    assert [photo["name"] for photo in truth["photos"]] == [photo.name for photo in photos]


def test_every_photo_is_a_jpeg_of_the_size_that_the_truth_says(truth: dict, photos: list[Path]) -> None:
    for path in photos:
        with Image.open(path) as photo:
            assert photo.format == "JPEG"
            assert photo.size == (truth["camera"]["width_px"], truth["camera"]["height_px"])
            photo.load()


def test_exif_carries_the_focal_length_of_the_true_camera(truth: dict, photos: list[Path]) -> None:
    for path in photos:
        with Image.open(path) as photo:
            exif = photo.getexif()
            detail = exif.get_ifd(IFD.Exif)
        focal_35mm = detail[Base.FocalLengthIn35mmFilm]
        assert focal_35mm / 36 * truth["camera"]["width_px"] == pytest.approx(truth["camera"]["fx_px"], rel=0.01)
        assert float(detail[Base.FocalLength]) == pytest.approx(focal_35mm, abs=0.5)
        assert exif[Base.Make]
        assert exif[Base.Model]
        assert float(detail[Base.ExposureTime]) > 0


def test_no_two_photos_are_the_same_picture(photos: list[Path]) -> None:
    thumbnails = []
    for path in photos:
        with Image.open(path) as photo:
            thumbnails.append(np.asarray(photo.convert("L").resize((32, 24)), float))
    closest = min(np.abs(a - b).mean() for a, b in combinations(thumbnails, 2))
    assert closest > 4


def test_each_pose_is_a_rigid_motion_and_both_directions_agree(truth: dict) -> None:
    for photo in truth["photos"]:
        to_world, to_camera = np.array(photo["camera_to_world"]), np.array(photo["world_to_camera"])
        assert to_world @ to_camera == pytest.approx(np.eye(4), abs=1e-7)
        rotation = to_world[:3, :3]
        assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-7)
        assert np.linalg.det(rotation) == pytest.approx(1, abs=1e-7)


def test_points_that_the_renderer_hit_project_back_to_the_pixels_it_shot_through(truth: dict) -> None:
    for photo in truth["photos"]:
        hits = photo["ray_hits"]
        assert len(hits) >= 30, photo["name"]
        pixels, depth = projected(truth["camera"], photo, np.array([hit["point_m"] for hit in hits]))
        assert (depth > 0.1).all()
        assert pixels == pytest.approx(np.array([hit["pixel"] for hit in hits]), abs=0.02)


def test_what_is_hit_lies_where_the_scene_says_it_is(truth: dict) -> None:
    hits = [hit for photo in truth["photos"] for hit in photo["ray_hits"]]
    wood = np.array([hit["point_m"] for hit in hits if hit["part"] == "table_top"])
    flat = wood[np.hypot(wood[:, 0], wood[:, 1]) < truth["scene"]["table_radius_m"] - 0.02]
    assert len(flat) > 50
    assert np.abs(flat[:, 2]).max() < 1e-4
    floor = np.array([hit["point_m"] for hit in hits if hit["part"] == "floor"])
    assert np.ptp(floor[:, 2]) < 1e-4


def test_every_camera_stands_inside_the_room_and_looks_at_the_table(truth: dict) -> None:
    for photo in truth["photos"]:
        pose = np.array(photo["camera_to_world"])
        eye, forward = pose[:3, 3], pose[:3, 2]
        assert np.abs(eye[:2]).max() < truth["scene"]["half_room_m"]
        assert 0.1 < eye[2] < 1.5
        on_table = eye + forward * (-eye[2] / forward[2])
        assert np.hypot(on_table[0], on_table[1]) < truth["scene"]["table_radius_m"]


def test_the_cameras_go_all_the_way_around(truth: dict) -> None:
    eyes = np.array([np.array(photo["camera_to_world"])[:3, 3] for photo in truth["photos"]])
    azimuth = np.sort(np.degrees(np.arctan2(eyes[:, 1], eyes[:, 0])))
    gaps = np.diff(np.append(azimuth, azimuth[0] + 360))
    assert gaps.max() < 40


def test_the_same_spot_has_the_same_colour_in_the_photos_that_see_it(truth: dict) -> None:
    """Ties the pictures to the poses: with photos swapped or poses mirrored the colours do not agree."""
    pictures = {}
    for photo in truth["photos"]:
        with Image.open(SAMPLES / "photos" / photo["name"]) as image:
            pictures[photo["name"]] = np.asarray(image.convert("RGB").reduce(2), float)
    differences, shuffled = [], []
    names = [photo["name"] for photo in truth["photos"]]
    for index, photo in enumerate(truth["photos"]):
        for hit in photo["ray_hits"]:
            if not hit["part"].startswith(("table_top", "linen", "book", "page")):
                continue
            for other in truth["photos"]:
                if other is photo:
                    continue
                spot, _ = projected(truth["camera"], other, np.array([hit["point_m"]]))
                near = [
                    o for o in other["ray_hits"] if np.linalg.norm(np.subtract(o["point_m"], hit["point_m"])) < 0.06
                ]
                if not near:
                    continue
                colour = patch(pictures[photo["name"]], hit["pixel"])
                differences.append(np.abs(colour - patch(pictures[other["name"]], spot[0])).mean())
                wrong = pictures[names[(index + 7) % len(names)]]
                shuffled.append(np.abs(colour - patch(wrong, spot[0])).mean())
    assert len(differences) > 100
    assert np.median(differences) < 16
    assert np.median(differences) < 0.5 * np.median(shuffled)


def patch(picture: np.ndarray, pixel: list[float] | np.ndarray) -> np.ndarray:
    """Mean colour of about 6 x 6 pixels of the photo; `picture` is reduced by two."""
    height, width = picture.shape[:2]
    x, y = int(np.clip(pixel[0] / 2, 1, width - 2)), int(np.clip(pixel[1] / 2, 1, height - 2))
    return picture[y - 1 : y + 2, x - 1 : x + 2].mean(axis=(0, 1))


def test_the_readme_says_licence_and_how_the_set_is_made() -> None:
    text = (SAMPLES / "README.md").read_text()
    assert "CC0" in text
    assert "python -m samples.render" in text
