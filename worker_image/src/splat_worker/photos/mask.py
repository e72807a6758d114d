"""What of a photo is kept: by its alpha channel, or by a mask beside it, where white keeps.

Beyond the mask, the clean copy of a photo is black: colours there are those of nothing, or of what is not wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageChops

from splat_worker.photos.pixels import to_srgb
from splat_worker.photos.reject import Refused, Reject
from splat_worker.photos.sniff import sniff

FOLDER = "masks"
OPAQUE_MIN = 250
"""Of 255: an alpha channel that is nowhere lower cuts nothing out."""
KEPT_SHARE_MIN = 0.002
"""Of the pixels: fewer show no subject. 0.2 % of 1000x750 px is a spot of 39x39 px."""
SHAPE_TOLERANCE = 0.02


def split(image: Image.Image, beside: Image.Image | None) -> tuple[Image.Image, Image.Image | None]:
    """The photo over black (RGB), and what is kept of it (L, 255 keeps), None where that is everything.

    image: RGB or RGBA; beside: an L mask of the same size that is applied too. Raises Refused if nothing is kept.
    """
    kept = image.getchannel("A") if image.mode == "RGBA" else None
    if beside is not None:
        kept = beside if kept is None else ImageChops.multiply(kept, beside)
    if kept is None or kept.getextrema()[0] >= OPAQUE_MIN:
        return image.convert("RGB"), None
    share = float((np.asarray(kept) > 127).mean())
    if share < KEPT_SHARE_MIN:
        what = "mask" if beside is not None else "alpha channel"
        raise Refused(Reject.PLAIN, f"The photo's {what} keeps none of it. White, or opaque, is what is kept.")
    over_black = Image.composite(image.convert("RGB"), Image.new("RGB", image.size), kept)
    return over_black, kept


def mask_path(photo: Path) -> Path:
    """Where the mask of a clean copy lies: COLMAP finds it there too."""
    return photo.parent / FOLDER / f"{photo.name}.png"


def read_mask(path: Path, size: tuple[int, int], orientation: int) -> Image.Image:
    """The mask beside a photo as L at `size`, that of the upright copy. A mask drawn over the photo as it is stored
    turns with it. Raises Refused for a file that is no picture or has another shape."""
    try:
        with Image.open(path, formats=[sniff(path, path.name)]) as opened:
            picture = to_srgb(opened)
    except Refused as refused:
        raise Refused(Reject.MASK, f"Its mask cannot be used. {refused.reason}") from None
    except Exception as error:  # decoders raise almost anything on damaged bytes
        raise Refused(Reject.MASK, f"Its mask cannot be read: {type(error).__name__}. Save it again as PNG.") from None
    if picture.mode == "RGBA":
        picture = Image.composite(picture.convert("RGB"), Image.new("RGB", picture.size), picture.getchannel("A"))
    mask = picture.convert("L")
    if mask.getextrema()[1] == 1:  # labels of 0 and 1, as segmentation tools write them
        mask = mask.point(lambda level: 255 * level)
    if orientation in (5, 6, 7, 8) and not _same_shape(mask.size, size) and _same_shape(mask.size[::-1], size):
        mask = mask.transpose(_TURNS[orientation])
    if not _same_shape(mask.size, size):
        raise Refused(
            Reject.MASK,
            f"Its mask has {mask.width}x{mask.height} pixels, which is another shape than the photo's. Save the mask at"
            " the size of the photo.",
        )
    return mask if mask.size == size else mask.resize(size, Image.Resampling.BOX)


def masks_by_photo(photos: Iterable[str], masks: Mapping[str, Path]) -> dict[str, Path]:
    """The mask of each photo that has one, by the photo's name.

    masks: files below the folder of masks, by their path in it. A mask has the photo's name, whatever its ending
    (`a/IMG_1.png` for `a/IMG_1.jpg`), or that name with another ending added (`a/IMG_1.jpg.png`, as in COLMAP).
    """
    by_stem = {_stem(name): path for name, path in sorted(masks.items())}
    found = {}
    for photo in photos:
        path = masks.get(photo) or by_stem.get(photo) or by_stem.get(_stem(photo))
        if path is not None:
            found[photo] = path
    return found


def _stem(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _same_shape(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return abs(a[0] * b[1] / (a[1] * b[0]) - 1.0) <= SHAPE_TOLERANCE


_TURNS = {
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""As Pillow's exif_transpose."""
