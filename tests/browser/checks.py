"""What must hold on every page, and small helpers that several tests of the page use.
Never decides which page is looked at.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

AXE = Path(__file__).parents[2] / "edge_worker/node_modules/axe-core/axe.min.js"


def assert_accessible(page: Page) -> None:
    """No fault that axe-core calls serious or critical."""
    page.wait_for_timeout(300)
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)")
    faults = [
        {"rule": fault["id"], "nodes": [node["html"][:160] for node in fault["nodes"]][:4]}
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == [], json.dumps(faults, indent=1)


def assert_fits(page: Page) -> None:
    """Nothing wider than the screen, no press target smaller than 20 px; a box in a label is pressed by its label."""
    width, limit = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= limit
    small = page.evaluate(
        """[...document.querySelectorAll("main button, main a, main select, main input:not([type=file])")]
            .map((element) => [element.outerHTML.slice(0, 120), element.closest("label") ?? element])
            .map(([html, target]) => [html, target.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && (box.width < 20 || box.height < 20))
            .map(([html]) => html)"""
    )
    assert small == [], small


def delete(page: Page) -> None:
    """Delete the project through its page."""
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete for good").click()
    expect(page.get_by_role("heading", level=2, name="Scenes")).to_be_visible()


def noise_photos(folder: Path, *, count: int) -> list[Path]:
    """Pictures with nothing in common: each is noise of its own."""
    random = np.random.default_rng(7)
    paths = []
    for number in range(count):
        blocks = random.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        path = folder / f"noise-{number}.jpg"
        Image.fromarray(blocks).resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths
