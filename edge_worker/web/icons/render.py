"""Renders the icons of the web app (PNG, favicon.ico) from icon.svg. Run it after a change and commit the result.

No build runs it. Usage: python edge_worker/web/icons/render.py [CHROMIUM]
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ICONS = Path(__file__).parents[1] / "public" / "icons"
# (file, size in px, corner radius in units of the 64-unit drawing; the system crops maskable and Apple icons)
SIZES = (
    ("icon-192.png", 192, 13),
    ("icon-512.png", 512, 13),
    ("icon-maskable-512.png", 512, 0),
    ("icon-180.png", 180, 0),
)
# Browsers and feed readers request /favicon.ico by themselves.
FAVICON = ICONS.parent / "favicon.ico"
FAVICON_SIZES_PX = (48, 32, 16)


def render(chromium: str | None) -> None:
    drawing = (ICONS / "icon.svg").read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, size_px, radius in SIZES:
            (ICONS / name).write_bytes(picture(browser, drawing.replace('rx="13"', f'rx="{radius}"'), size_px))
        largest, *others = (Image.open(io.BytesIO(picture(browser, drawing, size_px))) for size_px in FAVICON_SIZES_PX)
        sizes = [(size_px, size_px) for size_px in FAVICON_SIZES_PX]
        largest.save(FAVICON, sizes=sizes, append_images=others)
        browser.close()


def picture(browser: Browser, drawing: str, size_px: int) -> bytes:
    """PNG of the drawing, size_px wide and tall."""
    page = browser.new_page(viewport={"width": size_px, "height": size_px})
    page.set_content(
        f"<style>body{{margin:0}}svg{{display:block;width:{size_px}px;height:{size_px}px}}</style>{drawing}"
    )
    png = page.screenshot(omit_background=True)
    page.close()
    return png


if __name__ == "__main__":
    render(sys.argv[1] if len(sys.argv) > 1 else None)
