"""Our features against COLMAP's own extractor, which is the reference, and what must hold of any picture.
Runs on torch's CPU device; on a GPU the same operations run elsewhere."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pycolmap
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch.utils._python_dispatch import TorchDispatchMode

from splat_worker.progress import silent
from splat_worker.sfm import features, gpu_features
from splat_worker.sfm.gpu_features import features_of
from splat_worker.sfm.preset import SfmPreset
from splat_worker.sfm.sift import find_features

MOST = 8192


def drawn(seed: int = 0, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Discs of many sizes over a soft ground: features from the finest octave to the coarsest."""
    rng = np.random.default_rng(seed)
    picture = Image.fromarray(rng.integers(60, 190, (9, 12), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(350):
        x, y, r = rng.uniform(0, size[0]), rng.uniform(0, size[1]), rng.lognormal(1.2, 0.7)
        draw.ellipse((x - r, y - 0.7 * r, x + r, y + 0.7 * r), fill=int(rng.integers(0, 256)))
    return picture.filter(ImageFilter.GaussianBlur(0.7))


def ours(picture: Image.Image | np.ndarray, **options):  # type: ignore[no-untyped-def]
    whole = {"side_max_px": None, "features_max": MOST, "device": "cpu"}
    (found,) = features_of([np.array(picture)], **{**whole, **options})
    return found.places, found.descriptors


def theirs(folder: Path, name: str, **options: int) -> tuple[np.ndarray, np.ndarray]:
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads = 1
    for key, value in options.items():
        setattr(extraction, key, value)
    database = folder / f"{name}.db"
    pycolmap.extract_features(
        database, folder, image_names=[name], extraction_options=extraction, device=pycolmap.Device.cpu
    )
    with pycolmap.Database.open(database) as db:
        six, descriptors = db.read_keypoints(1), db.read_descriptors(1).data
    turn, scale = np.arctan2(six[:, 4], six[:, 2]), np.hypot(six[:, 2], six[:, 4])
    return np.column_stack([six[:, :2], scale, turn]), descriptors


def pairs(one: np.ndarray, other: np.ndarray, *, px: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the same feature in both: place, scale within 2 % and direction within 3 degrees."""
    near = np.hypot(*(one[:, None, i] - other[None, :, i] for i in (0, 1))) < px
    near &= np.abs(np.log(one[:, None, 2] / other[None, :, 2])) < 0.02
    near &= np.abs((one[:, None, 3] - other[None, :, 3] + np.pi) % (2 * np.pi) - np.pi) < 0.05
    return np.nonzero(near)


def share(indices: np.ndarray, of: np.ndarray) -> float:
    return len(set(indices.tolist())) / len(of)


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    unit = [d / np.linalg.norm(d, axis=1, keepdims=True) for d in (one.astype(float), other.astype(float))]
    return (unit[0] * unit[1]).sum(1)


def test_they_are_those_of_colmaps_own_extractor(tmp_path):
    drawn().save(tmp_path / "a.png")
    places, descriptors = theirs(tmp_path, "a.png")
    our_places, our_descriptors = ours(drawn())
    assert len(places) > 500
    i, j = pairs(places, our_places)
    assert share(i, places) > 0.9  # of a disc's many equal directions, rounding decides
    assert share(j, our_places) > 0.9
    same = cosines(descriptors[i], our_descriptors[j])
    assert np.median(same) > 0.998
    assert np.mean(same > 0.98) > 0.97


def test_looked_for_at_half_the_size_they_have_the_photos_own_pixels(tmp_path):
    drawn(size=(960, 720)).save(tmp_path / "a.png")
    places, _ = theirs(tmp_path, "a.png", max_image_size=480)
    found, _ = ours(drawn(size=(960, 720)), side_max_px=480)
    assert found[:, 0].max() > 900
    i, _ = pairs(places, found, px=1.0)  # COLMAP makes the picture smaller by another filter
    assert share(i, places) > 0.6


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_picture_has_the_same_features_turned(quarters):
    picture = np.array(drawn(1, (320, 320)))
    places, descriptors = ours(picture)
    turned, turned_descriptors = ours(np.rot90(picture, -quarters))
    for _ in range(quarters):  # clockwise as one looks at it: x, y -> height - y, x
        places = np.column_stack(
            [320 - places[:, 1], places[:, 0], places[:, 2], (places[:, 3] + np.pi / 2) % (2 * np.pi)]
        )
    i, j = pairs(places, turned, px=0.6)  # the first octave doubles pixels to the right and downwards
    assert share(i, places) > 0.8
    assert np.median(cosines(descriptors[i], turned_descriptors[j])) > 0.98


def test_only_the_largest_are_kept_and_the_largest_comes_first():
    places, descriptors = ours(drawn())
    few, few_descriptors = ours(drawn(), features_max=50)
    assert (np.diff(places[:, 2]) <= 0).all()
    assert np.array_equal(few, places[:50])
    assert np.array_equal(few_descriptors, descriptors[:50])


def test_photos_found_together_are_found_as_alone():
    greys = [np.array(drawn(seed, (200, 150))) for seed in range(3)]
    together = features_of(greys, None, features_max=MOST, device="cpu")
    for grey, found in zip(greys, together, strict=True):
        places, descriptors = ours(grey)
        assert len(places) > 100
        i, j = pairs(places, found.places, px=0.01)  # sums of another length are rounded otherwise
        assert share(i, places) == share(j, found.places) == 1.0
        assert cosines(descriptors[i], found.descriptors[j]).min() > 0.99


def test_photos_of_another_size_or_too_many_pixels_start_another_batch(monkeypatch):
    monkeypatch.setattr(gpu_features, "BATCH_PIXELS", 2 * 100 * 50)
    sizes = [(50, 100), (50, 100), (50, 100), (100, 50), (400, 400), (50, 100)]
    greys = [(str(i), np.zeros(size, np.uint8)) for i, size in enumerate(sizes)]
    batches = [[name for name, _ in batch] for batch in gpu_features._batches(greys, None)]
    assert batches == [["0", "1"], ["2"], ["3"], ["4"], ["5"]]
    assert [len(batch) for batch in gpu_features._batches([greys[4]] * 5, 50)] == [4, 1]
    assert not list(gpu_features._batches([], None))


@pytest.mark.parametrize(
    "picture", [np.full((240, 320), 128), np.zeros((5, 300)), np.zeros((1, 1)), np.tile(np.arange(320), (240, 1)) / 2]
)
def test_nothing_is_found_where_nothing_is(picture):
    places, descriptors = ours(picture.astype(np.uint8))
    assert places.shape == (0, 4)
    assert descriptors.shape == (0, 128)


def test_of_noise_all_numbers_are_finite_and_all_places_inside():
    noise = torch.from_numpy(np.random.default_rng(3).random((97, 131), dtype=np.float32))
    (found,) = find_features(noise[None], features_max=MOST)
    assert len(found.places) > 20
    assert np.isfinite(found.places).all()
    x, y = found.places[:, 0], found.places[:, 1]
    assert x.min() >= 0
    assert x.max() <= 131
    assert y.min() >= 0
    assert y.max() <= 97
    assert (found.places[:, 2] > 0).all()
    lengths = np.linalg.norm(found.descriptors.astype(float), axis=1)  # of 512 times a root of shares: 512
    assert np.abs(lengths - 512).max() < 8


@pytest.mark.parametrize("room_for", [0, 1, 2])
def test_a_gpu_without_room_takes_photos_one_by_one_and_then_leaves_them_to_colmap(tmp_path, monkeypatch, room_for):
    looked: list[int] = []

    def within(pictures, **options):  # type: ignore[no-untyped-def]
        looked.append(len(pictures))
        if len(pictures) > room_for:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return find_features(pictures, **options)

    monkeypatch.setattr(gpu_features, "find_features", within)
    monkeypatch.setattr(features, "GPU", "cpu")
    photos = photos_in(tmp_path / "photos", ["wide", "wide"])
    database = tmp_path / "matches.db"
    features.extract_features(SfmPreset(on_gpu=True, threads=1), photos, database, silent)
    assert looked == {0: [2, 1], 1: [2, 1, 1], 2: [2]}[room_for]
    with pycolmap.Database.open(database) as db:
        images = db.read_all_images()
        counts = {image.name: db.num_descriptors_for_image(image.image_id) for image in images}
    assert len({image.camera_id for image in images}) == 1
    for name in ("0.png", "1.png"):
        places, _ = theirs(tmp_path / "photos", name)
        assert abs(counts[name] - len(places)) < 0.03 * len(places)


def photos_in(folder: Path, camera_keys: list[str]) -> list[SimpleNamespace]:
    folder.mkdir()
    photos = []
    for i, key in enumerate(camera_keys):
        path = folder / f"{i}.png"
        drawn(i, (320, 240)).save(path)
        photos.append(SimpleNamespace(path=path, camera_key=key, focal_px=None, width=320, height=240))
    return photos


class Operations(TorchDispatchMode):
    """Names of all that torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.names.add(func.name())
        return func(*args, **(kwargs or {}))


def test_nothing_is_asked_of_the_libraries_that_the_image_leaves_out():
    """image/left_out.py: no cuDNN, cuSOLVER or cuFFT; a call of one would end the worker, and only on a GPU."""
    with Operations() as asked:
        ours(drawn(size=(200, 150)), side_max_px=160)
    asked.names -= {"aten::linalg_cross", "aten::linalg_vector_norm"}  # torch's own
    assert len(asked.names) > 40
    assert not [name for name in asked.names if "conv" in name.replace("convert", "") or "linalg" in name]
    assert not [name for name in asked.names if any(word in name for word in ("fft", "solve", "svd", "eig", "sparse"))]


def test_a_database_holds_them_as_colmaps_and_a_known_photo_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "GPU", "cpu")
    folder = tmp_path / "photos"
    photos = photos_in(folder, ["wide", "wide", "tele"])
    preset, database = SfmPreset(on_gpu=True, threads=1), tmp_path / "matches.db"
    features.extract_features(preset, photos[:2], database, silent)
    with pycolmap.Database.open(database) as db:
        before = {image.name: db.read_keypoints(image.image_id).tobytes() for image in db.read_all_images()}
    told: list[str] = []
    features.extract_features(preset, photos, database, lambda _, message: told.append(message))
    assert told == ["Looking for features: 3 of 3 photos"]
    with pycolmap.Database.open(database) as db:
        images = {image.name: image for image in db.read_all_images()}
        after = {name: db.read_keypoints(image.image_id).tobytes() for name, image in images.items()}
        places, descriptors = theirs(folder, "2.png")
        mine, held = db.read_keypoints(images["2.png"].image_id), db.read_descriptors(images["2.png"].image_id)
    assert images["0.png"].camera_id == images["1.png"].camera_id != images["2.png"].camera_id
    assert before.items() <= after.items()
    assert held.type == pycolmap.FeatureExtractorType.SIFT
    assert mine.shape == (len(held.data), 4)
    assert abs(len(mine) - len(places)) < 0.03 * len(places)
    i, j = pairs(places, mine)
    assert share(i, places) > 0.9
    assert np.median(cosines(descriptors[i], held.data[j])) > 0.998
