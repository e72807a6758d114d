"""Validation of photos: what is valid, what is left out and with which reason, and that nothing raises.
Silent failures: a sideways photo, a published position, a decompression bomb."""

from __future__ import annotations

import errno
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFilter, ImageOps
from PIL.ExifTags import GPS, IFD, Base

from splat_worker.limits import PHOTO_BYTES_MAX
from splat_worker.photos import decode
from splat_worker.photos.pixels import to_srgb
from splat_worker.photos.reject import Reject
from splat_worker.photos.validation import Photo, Prepared, Source, most_blurred, prepare, sharpness

SIZE = (360, 270)


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """Blotches of two sizes, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 255, (54, 72, 3), dtype=np.uint8)).resize(size, Image.Resampling.NEAREST)
    return Image.blend(coarse, fine, 0.4)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if kind == "HEIF":
        pillow_heif.from_pillow(image).save(buffer, quality=90)
    else:
        image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif_of(*, orientation: int | None = None, gps: bool = False, **details: object) -> Image.Exif:
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Canon", "Test"
    if orientation is not None:
        exif[Base.Orientation] = orientation
    for name, value in details.items():
        exif.get_ifd(IFD.Exif)[Base[name]] = value
    if gps:
        exif.get_ifd(IFD.GPSInfo).update(
            {
                GPS.GPSLatitudeRef: "N",
                GPS.GPSLatitude: (55.0, 42.0, 0.0),
                GPS.GPSLongitudeRef: "W",
                GPS.GPSLongitude: (13.0, 12.0, 36.0),
            }
        )
    return exif


Validate = Callable[..., Prepared]


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    def run(files: dict[str, bytes], side_max_px: int = 1000) -> Prepared:
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        sources = []
        for name, content in files.items():
            (folder / name).write_bytes(content)
            sources.append(Source(name=name, path=folder / name))
        return prepare(sources, tmp_path / "out", side_max_px=side_max_px)

    return run


def only(prepared: Prepared) -> Photo:
    assert prepared.rejected == ()
    assert len(prepared.photos) == 1
    return prepared.photos[0]


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.jpg", "JPEG", {}),
        ("progressive.jpg", "JPEG", {"progressive": True}),
        ("a.png", "PNG", {}),
        ("a.webp", "WEBP", {}),
        ("a.heic", "HEIF", {}),
        ("a.avif", "AVIF", {}),
        ("a.jpg", "PNG", {}),
        ("photo.txt", "JPEG", {}),
        ("no-ending", "WEBP", {"lossless": True}),
    ],
)
def test_the_type_of_a_photo_comes_from_its_content_and_not_from_its_name(
    name: str, kind: str, options: dict[str, object], validate: Validate
) -> None:
    photo = only(validate({name: encoded(picture(), kind, **options)}))
    copy = Image.open(photo.path)
    assert copy.format == "JPEG"
    assert copy.size == SIZE
    difference = np.asarray(copy, float) - np.asarray(picture(), float)
    assert np.abs(difference).mean() < 12


MODES: list[tuple[str, Callable[[], bytes]]] = [
    ("grey", lambda: encoded(picture().convert("L"), "PNG")),
    ("palette", lambda: encoded(picture().quantize(200), "PNG")),
    ("transparent", lambda: encoded(_with_hole(), "PNG")),
    ("CMYK", lambda: encoded(picture().convert("CMYK"), "JPEG")),
    ("16 bit grey", lambda: encoded(_sixteen_bit(), "PNG")),
    ("1 bit", lambda: encoded(picture().convert("1"), "PNG")),
]


def _with_hole() -> Image.Image:
    image = picture().convert("RGBA")
    image.putalpha(Image.fromarray(np.where(np.arange(SIZE[0]) < 40, 0, 255).astype(np.uint8)[None].repeat(SIZE[1], 0)))
    return image


def _sixteen_bit() -> Image.Image:
    return Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257)


@pytest.mark.parametrize("make", [m for _, m in MODES], ids=[n for n, _ in MODES])
def test_every_pixel_layout_becomes_plain_rgb(make: Callable[[], bytes], validate: Validate) -> None:
    copy = Image.open(only(validate({"a.png": make()})).path)
    assert copy.mode == "RGB"
    assert 40 < np.asarray(copy).mean() < 215
    assert np.asarray(copy).std() > 15


def test_a_wide_gamut_photo_is_converted_to_srgb(validate: Validate) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    broken = only(validate({"broken-profile.jpg": encoded(picture(), "JPEG", icc_profile=b"not a profile")}))
    odd = only(validate({"odd-profile.jpg": encoded(picture(), "JPEG", icc_profile=profile.tobytes())}))
    for photo in (broken, odd):
        assert np.abs(np.asarray(Image.open(photo.path), float) - np.asarray(picture(), float)).mean() < 25


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_the_copy_has_none(orientation: int, kind: str, validate: Validate) -> None:
    marked = picture()
    marked.paste((255, 0, 0), (0, 0, 90, 90))
    exif = exif_of(orientation=orientation, FocalLengthIn35mmFilm=28)
    photo = only(validate({"a.jpg": encoded(marked, kind, exif=exif, quality=95)}))
    copy = Image.open(photo.path)
    assert (photo.width, photo.height) == copy.size == (SIZE if orientation < 5 else SIZE[::-1])
    assert len(copy.getexif()) == 0
    corners = {(0, 0): (20, 20), (1, 0): (-20, 20), (0, 1): (20, -20), (1, 1): (-20, -20)}
    expected = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[orientation]
    pixels = np.asarray(copy, int)
    redness = {corner: pixels[y, x, 0] - pixels[y, x, 1:].max() for corner, (x, y) in corners.items()}
    assert max(redness, key=redness.__getitem__) == expected
    assert photo.focal_px == pytest.approx(28 / 43.2666 * np.hypot(*SIZE), rel=1e-3)


def test_an_upright_heic_stays_upright(validate: Validate) -> None:
    turned = picture()
    turned.info["exif"] = exif_of(orientation=6).tobytes()
    buffer = io.BytesIO()
    turned.save(buffer, "HEIF", quality=90)
    photo = only(validate({"a.heic": buffer.getvalue()}))
    assert (photo.width, photo.height) == SIZE[::-1]


FOCAL = [
    ("35 mm equivalent", {"FocalLengthIn35mmFilm": 26}, 26 / 43.2666 * np.hypot(*SIZE)),
    ("sensor resolution in inches", {"FocalLength": 4.3, "FocalPlaneXResolution": 16460.6, "ExifImageWidth": 4000},
     4.3 * 16460.6 / 25.4 * SIZE[0] / 4000),
    ("sensor resolution in cm", {"FocalLength": 10.0, "FocalPlaneXResolution": 1000.0, "FocalPlaneResolutionUnit": 3,
     "ExifImageWidth": 1000}, 10 * 100 * SIZE[0] / 1000),
    ("focal length alone", {"FocalLength": 4.3}, None),
    ("zero", {"FocalLengthIn35mmFilm": 0}, None),
    ("absurd", {"FocalLengthIn35mmFilm": 60000}, None),
    ("nothing", {}, None),
]  # fmt: skip


@pytest.mark.parametrize(("tags", "expected"), [f[1:] for f in FOCAL], ids=[f[0] for f in FOCAL])
def test_the_focal_length_comes_from_plausible_tags(
    tags: dict[str, object], expected: float | None, validate: Validate
) -> None:
    photo = only(validate({"a.jpg": encoded(picture(), "JPEG", exif=exif_of(**tags))}))
    assert photo.focal_px == (None if expected is None else pytest.approx(expected, rel=1e-3))


def test_the_focal_length_scales_with_the_photo(validate: Validate) -> None:
    content = encoded(picture(size=(1600, 1200)), "JPEG", exif=exif_of(FocalLengthIn35mmFilm=28))
    photo = only(validate({"a.jpg": content}, side_max_px=400))
    assert (photo.width, photo.height) == (400, 300)
    assert photo.focal_px == pytest.approx(28 / 43.2666 * 500, rel=1e-3)


def test_a_position_is_read_and_never_written_to_the_copy(validate: Validate) -> None:
    photo = only(validate({"a.jpg": encoded(picture(), "JPEG", exif=exif_of(gps=True))}))
    assert photo.position is not None
    assert photo.position[:2] == pytest.approx((55.7, -13.21))
    content = photo.path.read_bytes()
    assert b"Exif" not in content
    assert b"Canon" not in content
    assert "55.7" not in repr(photo)


def test_photos_of_one_lens_setting_and_size_share_a_camera(validate: Validate) -> None:
    files = {
        "a.jpg": encoded(picture(1), "JPEG", exif=exif_of(FocalLength=4.3)),
        "b.jpg": encoded(picture(2), "JPEG", exif=exif_of(FocalLength=4.3)),
        "zoomed.jpg": encoded(picture(3), "JPEG", exif=exif_of(FocalLength=8.0)),
        "portrait.jpg": encoded(picture(4), "JPEG", exif=exif_of(FocalLength=4.3, orientation=6)),
    }
    keys = {photo.name: photo.camera_key for photo in validate(files).photos}
    assert keys["a.jpg"] == keys["b.jpg"]
    assert len(set(keys.values())) == 3


def _png_of(width: int, height: int) -> bytes:
    """A PNG header with a size and almost no data: a decompression bomb."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(b"\0" * 1000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


JPEG = encoded(picture(), "JPEG", quality=95)
LEFT_OUT: list[tuple[str, bytes, Reject, str]] = [
    ("an empty file", b"", Reject.EMPTY, "empty"),
    ("a text file named .jpg", b"holiday notes\n", Reject.NOT_A_PHOTO, "text file"),
    ("a web page", b"<!DOCTYPE html><html><body>404</body></html>", Reject.NOT_A_PHOTO, "web page"),
    ("an XML error of a bucket", b"<?xml version='1.0'?><Error/>", Reject.NOT_A_PHOTO, "web page"),
    ("a GIF", encoded(picture(), "GIF"), Reject.NOT_A_PHOTO, "GIF"),
    ("a BMP", encoded(picture(), "BMP"), Reject.NOT_A_PHOTO, "BMP"),
    ("a TIFF", encoded(picture(), "TIFF"), Reject.NOT_A_PHOTO, "TIFF"),
    ("a broken AVIF", b"\0\0\0\x1cftypavif" + b"\0" * 60, Reject.UNREADABLE, "cannot be opened"),
    ("an MP4", b"\0\0\0\x1cftypisom" + b"\0" * 60, Reject.NOT_A_PHOTO, "video"),
    ("a PDF", b"%PDF-1.7 ...", Reject.NOT_A_PHOTO, "PDF"),
    ("a ZIP", b"PK\x03\x04" + b"\0" * 60, Reject.NOT_A_PHOTO, "ZIP"),
    ("random bytes", bytes(range(200, 256)) * 4, Reject.NOT_A_PHOTO, "type is not supported"),
    ("the first half of a JPEG", JPEG[: len(JPEG) // 2], Reject.UNREADABLE, "incomplete"),
    ("the first bytes of a JPEG", JPEG[:20], Reject.UNREADABLE, "cannot be opened"),
    ("half a PNG", encoded(picture(), "PNG")[:9000], Reject.UNREADABLE, "incomplete"),
    ("half a WebP", encoded(picture(), "WEBP")[:3000], Reject.UNREADABLE, "incomplete"),
    ("half a HEIC", encoded(picture(), "HEIF")[:3000], Reject.UNREADABLE, "The file "),
    ("a HEIC head on noise", b"\0\0\0\x18ftypheic" + bytes(200), Reject.UNREADABLE, "The file "),
    ("a thumbnail", encoded(picture(size=(160, 120)), "JPEG"), Reject.TOO_SMALL, "160x120"),
    ("a strip", encoded(picture(size=(2000, 150)), "JPEG"), Reject.TOO_SMALL, "2000x150"),
    ("a very long panorama", encoded(picture(size=(9000, 300)), "JPEG"), Reject.TOO_SMALL, "a strip of 9000x300"),
    ("a long panorama", encoded(picture(size=(1500, 300)), "JPEG"), Reject.PANORAMA, "panorama (stitched)"),
    ("a tall panorama", encoded(picture(size=(300, 1500)), "JPEG"), Reject.PANORAMA, "panorama (stitched)"),
    ("a decompression bomb", _png_of(60_000, 60_000), Reject.TOO_LARGE, "60000x60000"),
]


@pytest.mark.parametrize(("content", "code", "words"), [f[1:] for f in LEFT_OUT], ids=[f[0] for f in LEFT_OUT])
def test_an_unusable_file_is_left_out_with_a_reason(
    content: bytes, code: Reject, words: str, validate: Validate
) -> None:
    prepared = validate({"bad.jpg": content, "good.jpg": encoded(picture(5), "JPEG")})
    assert [photo.name for photo in prepared.photos] == ["good.jpg"]
    assert [(r.name, r.code) for r in prepared.rejected] == [("bad.jpg", code)]
    assert words in prepared.rejected[0].reason


def test_a_file_over_the_limit_is_left_out_unread(tmp_path: Path) -> None:
    big = tmp_path / "big.jpg"
    with big.open("wb") as file:
        file.write(JPEG)
        file.truncate(PHOTO_BYTES_MAX + 1)
    prepared = prepare([Source(name="big.jpg", path=big)], tmp_path / "out", side_max_px=500)
    assert prepared.rejected[0].code == Reject.TOO_LARGE
    assert "64 MiB" in prepared.rejected[0].reason


def test_exact_and_re_encoded_copies_are_left_out(validate: Validate) -> None:
    original = picture(1, (800, 600))
    files = {
        "a.jpg": encoded(original, "JPEG", quality=95),
        "copy.jpg": encoded(original, "JPEG", quality=95),
        "resaved.jpg": encoded(original, "JPEG", quality=60),
        "resized.webp": encoded(original.resize((640, 480), Image.Resampling.LANCZOS), "WEBP", quality=80),
        "b.jpg": encoded(picture(2, (800, 600)), "JPEG", quality=95),
        "step.jpg": encoded(original.transform((800, 600), Image.Transform.AFFINE, (1, 0, 14, 0, 1, 3)), "JPEG"),
    }
    prepared = validate(files)
    assert [photo.name for photo in prepared.photos] == ["a.jpg", "b.jpg", "step.jpg"]
    assert {r.name: r.code for r in prepared.rejected} == {
        "copy.jpg": Reject.DUPLICATE,
        "resaved.jpg": Reject.DUPLICATE,
        "resized.webp": Reject.DUPLICATE,
    }
    assert all("a.jpg" in r.reason for r in prepared.rejected)


def test_a_photo_much_more_blurred_than_the_others_is_left_out_and_a_soft_photo_is_not(validate: Validate) -> None:
    files = {f"{i}.jpg": encoded(picture(i), "JPEG", quality=95) for i in range(6)}
    files["soft.jpg"] = encoded(picture(7).filter(ImageFilter.GaussianBlur(0.7)), "JPEG", quality=95)
    files["shaken.jpg"] = encoded(picture(8).filter(ImageFilter.GaussianBlur(5)), "JPEG", quality=95)
    prepared = validate(files)
    assert [(r.name, r.code) for r in prepared.rejected] == [("shaken.jpg", Reject.BLURRED)]
    assert "% of their detail" in prepared.rejected[0].reason


def test_a_set_of_only_soft_photos_stays(validate: Validate) -> None:
    files = {f"{i}.jpg": encoded(picture(i).filter(ImageFilter.GaussianBlur(4)), "JPEG", quality=95) for i in range(6)}
    assert len(validate(files).photos) == 6


def test_sharpness_falls_with_blur() -> None:
    grey = picture().convert("L")
    values = [sharpness(grey.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 4)]
    assert values == sorted(values, reverse=True)


def test_blur_is_named_where_most_photos_of_a_set_have_it(validate: Validate) -> None:
    def softened(radius: float) -> list[Photo]:
        files = {
            f"{i}.jpg": encoded(picture(i).filter(ImageFilter.GaussianBlur(radius)), "JPEG", quality=95)
            for i in range(6)
        }
        return list(validate(files).photos)

    sharp, blurred = softened(0), softened(4)
    counts = [most_blurred([*blurred[:count], *sharp[count:]]) for count in range(7)]
    assert counts == [0, 0, 0, 0, 4, 5, 6]


def test_dull_photos_are_not_blurred(validate: Validate) -> None:
    files = {f"{i}.jpg": encoded(Image.eval(picture(i), lambda v: 100 + v // 8), "PNG") for i in range(3)}
    assert most_blurred(validate(files).photos) == 0


def test_photos_and_rejections_keep_the_order_of_the_sources(validate: Validate) -> None:
    files = {f"{i}.jpg": encoded(picture(i), "JPEG") if i % 2 else b"" for i in range(8)}
    prepared = validate(files)
    assert [photo.name for photo in prepared.photos] == ["1.jpg", "3.jpg", "5.jpg", "7.jpg"]
    assert [r.name for r in prepared.rejected] == ["0.jpg", "2.jpg", "4.jpg", "6.jpg"]


WHOLE = {
    kind: encoded(picture(), kind, **({"exif": exif_of(gps=True)} if kind == "JPEG" else {}))
    for kind in ("JPEG", "PNG", "WEBP", "HEIF")
}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(sorted(WHOLE)), share=st.floats(0, 1), flips=st.lists(st.floats(0, 1), max_size=8))
def test_truncation_and_flipped_bytes_never_raise(kind: str, share: float, flips: list[float], tmp_path: Path) -> None:
    content = bytearray(WHOLE[kind][: int(share * len(WHOLE[kind]))])
    for place in flips:
        if content:
            content[min(len(content) - 1, int(place * len(content)))] ^= 0xFF
    path = tmp_path / "x"
    path.write_bytes(content)
    prepared = prepare([Source(name="x", path=path)], tmp_path / "out", side_max_px=300)
    assert len(prepared.photos) + len(prepared.rejected) == 1
    assert all(r.reason.endswith(".") and r.code in set(Reject) for r in prepared.rejected)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), head=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF"]))
def test_random_bytes_never_raise(content: bytes, head: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(head + content)
    prepared = prepare([Source(name="x", path=path)], tmp_path / "out", side_max_px=300)
    assert len(prepared.rejected) == 1


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "P", "I;16"])
def test_a_large_image_is_reduced_in_strips_with_the_same_result(
    kind: str, orientation: int, monkeypatch: pytest.MonkeyPatch, validate: Validate
) -> None:
    whole = picture(3, (1230, 937))
    image = {
        "P": lambda: whole.quantize(250),
        "I;16": lambda: Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257),
    }.get(kind, lambda: whole.convert(kind))()
    content = encoded(image, "PNG", exif=exif_of(orientation=orientation))
    at_once = []
    monkeypatch.setattr(decode, "to_srgb", lambda part: at_once.append(part.size) or to_srgb(part))
    copy = Image.open(only(validate({"a.bin": content}, side_max_px=150)).path)
    upright = to_srgb(image).convert("RGB")
    upright = upright.transpose(Image.Transpose.ROTATE_270) if orientation == 6 else upright
    expected = np.asarray(upright.resize(copy.size, Image.Resampling.LANCZOS), float)
    assert copy.size == ((150, 114) if orientation == 1 else (114, 150))
    assert np.abs(np.asarray(copy, float) - expected).mean() < 4, "a strip out of place comes to 20 and more"
    assert len(at_once) > 1
    assert max(height for _, height in at_once) <= decode.STRIP_ROWS * 2


def test_a_photo_larger_than_the_free_memory_is_left_out_before_decoding(
    monkeypatch: pytest.MonkeyPatch, validate: Validate
) -> None:
    monkeypatch.setattr(decode, "BIG_PIXELS", SIZE[0] * SIZE[1] - 1)
    monkeypatch.setattr(decode, "available_memory_bytes", lambda: SIZE[0] * SIZE[1] * 4)
    prepared = validate({"big.png": encoded(picture(), "PNG"), "drafted.jpg": encoded(picture(1), "JPEG")})
    assert [photo.name for photo in prepared.photos] == ["drafted.jpg"]
    assert prepared.rejected[0].code == Reject.TOO_LARGE
    assert "memory" in prepared.rejected[0].reason


@pytest.mark.parametrize(
    ("colour", "words"), [((2, 3, 2), "black"), ((250, 251, 255), "white"), ((90, 140, 60), "a single flat colour")]
)
def test_a_flat_photo_is_left_out_with_its_kind(colour: tuple[int, int, int], words: str, validate: Validate) -> None:
    noise = np.random.default_rng(0).integers(0, 4, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    cap = Image.fromarray(np.clip(noise.astype(int) + colour, 0, 255).astype(np.uint8))
    prepared = validate(
        {"a.jpg": encoded(picture(), "JPEG"), "b.jpg": encoded(cap, "JPEG"), "c.jpg": encoded(cap, "PNG")}
    )
    assert [photo.name for photo in prepared.photos] == ["a.jpg"]
    assert {r.code for r in prepared.rejected} == {Reject.PLAIN}
    assert words in prepared.rejected[0].reason


def test_a_dim_photo_is_valid(validate: Validate) -> None:
    assert only(validate({"dusk.jpg": encoded(picture().point(lambda v: v // 10), "JPEG", quality=95)}))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "HEIF"])
@pytest.mark.parametrize("how", ['GPano:ProjectionType="%s"', "<GPano:ProjectionType>%s</GPano:ProjectionType>"])
def test_a_photo_with_panorama_metadata_is_left_out(how: str, kind: str, validate: Validate) -> None:
    def file(projection: str, seed: int) -> bytes:
        buffer = io.BytesIO()
        picture(seed).save(buffer, kind, xmp=(how % projection).encode())
        return buffer.getvalue()

    prepared = validate({n: file(n, i) for i, n in enumerate(("equirectangular", "cylindrical", "perspective"))})
    assert [photo.name for photo in prepared.photos] == ["perspective"]
    assert {(r.name, r.code) for r in prepared.rejected} == {
        ("equirectangular", Reject.PANORAMA),
        ("cylindrical", Reject.PANORAMA),
    }


def test_a_picture_of_two_to_one_whose_edges_meet_is_left_out_and_any_other_is_kept(validate: Validate) -> None:
    half = picture(7, (400, 400))
    around = Image.new("RGB", (800, 400))
    around.paste(half, (0, 0))
    around.paste(ImageOps.mirror(half), (400, 0))  # its last column is its first
    backdrop = Image.new("RGB", (800, 400), (240, 240, 240))  # alike on both sides, and no panorama
    backdrop.paste(picture(8, (300, 300)), (250, 50))
    prepared = validate(
        {
            "around.jpg": encoded(around, "JPEG"),
            "wide.jpg": encoded(picture(9, (800, 400)), "JPEG"),
            "backdrop.jpg": encoded(backdrop, "JPEG"),
            "cinema.jpg": encoded(picture(10, (840, 360)), "JPEG"),
        }
    )
    assert [(r.name, r.code) for r in prepared.rejected] == [("around.jpg", Reject.PANORAMA)]
    assert "equirectangular" in prepared.rejected[0].reason


def test_a_jpeg_with_a_second_image_yields_the_first(validate: Validate) -> None:
    buffer = io.BytesIO()
    picture(4, (800, 600)).save(buffer, "MPO", save_all=True, append_images=[picture(5, (80, 60))], quality=95)
    photo = only(validate({"ultra-hdr.jpg": buffer.getvalue()}))
    assert (photo.width, photo.height) == (800, 600)


def test_a_file_that_cannot_be_opened_is_left_out_with_the_reason_of_the_system(tmp_path: Path) -> None:
    prepared = prepare([Source(name="gone.jpg", path=tmp_path / "gone.jpg")], tmp_path / "out", side_max_px=300)
    assert prepared.rejected[0].code == Reject.UNREADABLE
    assert prepared.rejected[0].reason == "The file cannot be read: No such file or directory."


def test_a_full_disk_is_raised_and_not_blamed_on_the_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a.jpg").write_bytes(encoded(picture(), "JPEG"))
    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        prepare([Source(name="a.jpg", path=tmp_path / "a.jpg")], tmp_path / "out", side_max_px=300)


def test_the_reason_mentions_the_suffix_only_where_it_claims_a_photo(validate: Validate) -> None:
    tiff = encoded(picture(), "TIFF")
    reasons = {r.name: r.reason for r in validate({"scan.tif": tiff, "scan.JPG": tiff}).rejected}
    assert "not a" not in reasons["scan.tif"]
    assert "not a .jpg photo" in reasons["scan.JPG"]
