"""What the viewer's canvas shows, as mean colours of regions.
Never compares hashes: graphics drivers differ in their bytes.
"""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page

# Behind the splats (edge_worker/web/src/scene/viewer.ts), sRGB 0..255.
BACKGROUND = np.array([11, 17, 26])
SCENE_LIMIT_MS = 60_000

Grid = NDArray[np.float64]


def wait_for_scene(page: Page) -> None:
    """Wait until the viewer has drawn its first complete frame and the poster has faded."""
    page.locator(".stage.shown").wait_for(timeout=SCENE_LIMIT_MS)
    page.wait_for_function(
        "[...document.querySelectorAll('.stage .poster')].every((p) => getComputedStyle(p).opacity === '0')"
    )
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")


def canvas_picture(page: Page) -> Image.Image:
    """The canvas alone, without the controls over it."""
    page.evaluate("document.querySelector('.controls').style.visibility = 'hidden'")
    shot = page.locator(".stage canvas").screenshot()
    page.evaluate("document.querySelector('.controls').style.visibility = ''")
    return Image.open(io.BytesIO(shot)).convert("RGB")


def poster_picture(page: Page, url: str) -> Image.Image:
    """The poster as the browser decodes it."""
    encoded = page.evaluate(
        """async (url) => {
            const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
            let text = "";
            for (const byte of bytes) text += String.fromCharCode(byte);
            return btoa(text);
        }""",
        url,
    )
    return Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")


def crop_to_aspect(picture: Image.Image, aspect: float) -> Image.Image:
    """The middle of the picture, as large as possible, with width / height = aspect."""
    width, height = picture.size
    new_width, new_height = min(width, height * aspect), min(height, width / aspect)
    left, top = (width - new_width) / 2, (height - new_height) / 2
    return picture.crop((round(left), round(top), round(left + new_width), round(top + new_height)))


def region_colours(picture: Image.Image, columns: int = 6, rows: int = 4) -> Grid:
    """Mean colour of each region. Returns (rows, columns, 3), 0..255."""
    small = picture.resize((columns, rows), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)


def drawn_share(grid: Grid, *, at_least: float = 12.0) -> float:
    """Share of the regions whose mean colour is not the background's."""
    return float((np.abs(grid - BACKGROUND).max(axis=-1) > at_least).mean())
