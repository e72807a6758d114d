"""What alpha channels and masks keep of a photo, and which mask belongs to which photo.
Silent failures: a white shell around the subject, a mask that is turned or shifted, a mask that nothing uses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from splat_worker.photos.mask import masks_by_photo
from splat_worker.photos.reject import Reject
from splat_worker.photos.validation import Photo, Prepared, Source, prepare, sharpness

SIZE = (360, 270)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 255, (size[1] // 5, size[0] // 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def left_half(size: tuple[int, int] = SIZE, level: int = 255) -> Image.Image:
    plane = np.zeros(size[::-1], np.uint8)
    plane[:, : size[0] // 2] = level
    return Image.fromarray(plane)


def checked(folder: Path, photo: Image.Image, mask: Image.Image | bytes | None = None, **options: object) -> Prepared:
    path, beside = folder / "a.png", None
    photo.save(path, **options)
    if mask is not None:
        beside = folder / "mask.png"
        beside.write_bytes(mask) if isinstance(mask, bytes) else mask.save(beside)
    return prepare([Source(name="a.png", path=path, mask=beside)], folder / "out", side_max_px=SIZE[0])


def only(prepared: Prepared) -> Photo:
    assert prepared.rejected == ()
    return prepared.photos[0]


def planes(photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    assert photo.mask is not None
    return np.asarray(Image.open(photo.path)), np.asarray(Image.open(photo.mask))


def test_what_an_alpha_channel_leaves_out_is_black_and_masked_and_never_white(tmp_path: Path) -> None:
    image = picture()
    image.putalpha(left_half())
    image.paste((255, 255, 255, 0), (180, 0, 360, 270))
    copy, mask = planes(only(checked(tmp_path, image)))
    assert mask[:, :175].min() == 255
    assert mask[:, 185:].max() == 0
    assert copy[:, 190:].max() < 12
    assert np.abs(copy[:, :170].astype(float) - np.asarray(picture())[:, :170]).mean() < 12


def test_an_opaque_alpha_channel_is_no_mask(tmp_path: Path) -> None:
    image = picture()
    image.putalpha(255)
    assert only(checked(tmp_path, image)).mask is None


def test_a_mask_beside_a_photo_keeps_what_is_white_and_joins_its_alpha_channel(tmp_path: Path) -> None:
    image = picture()
    image.putalpha(left_half().transpose(Image.Transpose.ROTATE_90).resize(SIZE))  # keeps the lower half
    _, mask = planes(only(checked(tmp_path, image, left_half())))
    assert (mask[150:, :175].min(), mask[:120].max(), mask[:, 185:].max()) == (255, 0, 0)


@pytest.mark.parametrize(
    "mask",
    [
        left_half((720, 540)),
        left_half(level=1),
        left_half().convert("1"),
        left_half().convert("RGB"),
        Image.merge("LA", (Image.new("L", SIZE, 255), left_half())),
    ],
    ids=["twice the size", "labels 0 and 1", "one bit", "RGB", "white with alpha"],
)
def test_masks_of_all_kinds_that_tools_write_are_read(mask: Image.Image, tmp_path: Path) -> None:
    _, kept = planes(only(checked(tmp_path, picture(), mask)))
    assert kept[:, :170].min() == 255
    assert kept[:, 190:].max() == 0


@pytest.mark.parametrize("drawn_on", ["the stored photo", "the upright photo"])
def test_a_mask_fits_a_photo_that_is_stored_sideways(drawn_on: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Orientation] = 6  # turned to the right to be upright: the stored left is the upright top
    top = left_half().transpose(Image.Transpose.ROTATE_270)
    photo = only(checked(tmp_path, picture(), left_half() if drawn_on == "the stored photo" else top, exif=exif))
    assert (photo.width, photo.height) == SIZE[::-1]
    _, kept = planes(photo)
    assert kept.shape == SIZE
    assert kept[:170].min() == 255
    assert kept[190:].max() == 0


@pytest.mark.parametrize(
    ("mask", "code", "reason"),
    [
        (left_half((300, 300)), Reject.MASK, "another shape"),
        (b"no picture", Reject.MASK, "text file"),
        (b"\x89PNG\r\n\x1a\nbroken", Reject.MASK, "cannot be read"),
        (Image.new("L", SIZE), Reject.PLAIN, "keeps none of it"),
    ],
    ids=["another shape", "a text", "broken", "all black"],
)
def test_a_mask_that_cannot_be_used_leaves_its_photo_out_with_the_reason(
    mask: Image.Image | bytes, code: str, reason: str, tmp_path: Path
) -> None:
    (rejected,) = checked(tmp_path, picture(), mask).rejected
    assert rejected.code == code
    assert reason in rejected.reason
    assert not list((tmp_path / "out").glob("**/*.*"))


def test_the_edge_of_a_mask_does_not_make_a_blurred_photo_sharp() -> None:
    soft = picture().resize((20, 15)).resize(SIZE, Image.Resampling.BICUBIC).convert("L")
    cut = Image.composite(soft, Image.new("L", SIZE), left_half())
    assert sharpness(cut) > 3 * sharpness(soft)
    assert sharpness(cut, left_half()) == pytest.approx(sharpness(soft), rel=0.3)


def test_a_mask_is_found_by_the_name_of_its_photo_whatever_its_ending() -> None:
    masks = {name: Path(name) for name in ("a.png", "b.jpg.png", "sub/c.jpg", "other.png")}
    found = masks_by_photo(["a.jpg", "b.jpg", "sub/c.jpg", "c.jpg", "d.jpg"], masks)
    assert found == {"a.jpg": Path("a.png"), "b.jpg": Path("b.jpg.png"), "sub/c.jpg": Path("sub/c.jpg")}
