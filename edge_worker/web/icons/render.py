"""Renders the PNG icons of the web app from icon.svg. Run it after a change of the drawing and commit the result.

No build runs it. Usage: python edge_worker/web/icons/render.py [CHROMIUM]
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ICONS = Path(__file__).parents[1] / "public" / "icons"
# (file, size in px, corner radius in units of the 64-unit drawing; the system crops maskable and Apple icons)
SIZES = (
    ("icon-192.png", 192, 13),
    ("icon-512.png", 512, 13),
    ("icon-maskable-512.png", 512, 0),
    ("icon-180.png", 180, 0),
)


def render(chromium: str | None) -> None:
    drawing = (ICONS / "icon.svg").read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, size_px, radius in SIZES:
            page = browser.new_page(viewport={"width": size_px, "height": size_px})
            rounded = drawing.replace('rx="13"', f'rx="{radius}"')
            page.set_content(f"<style>body{{margin:0}}svg{{display:block}}</style>{rounded}")
            page.screenshot(path=ICONS / name, omit_background=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    render(sys.argv[1] if len(sys.argv) > 1 else None)
