"""Checks that must pass on every page, and helpers that several tests use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

AXE = Path(__file__).parents[2] / "edge_worker/node_modules/axe-core/axe.min.js"


# Controls with a touch area under 44 px, measured from their middle outwards. A box in a label counts with its label.
# Behind an open dialog nothing can be pressed.
TOO_SMALL = """[...(document.querySelector("dialog[open]") ?? document.querySelector("main"))
        .querySelectorAll("button, a, select, summary, input:not([type=file])")]
    .map((element) => element.closest("label") ?? element)
    .filter((target) => target.checkVisibility({ opacityProperty: true }) && !target.disabled)
    .filter((target) => {
        target.scrollIntoView({ block: "center", behavior: "instant" });
        const { x, y, width, height } = target.getBoundingClientRect();
        const own = (dx, dy) => target.contains(document.elementFromPoint(x + width / 2 + dx, y + height / 2 + dy));
        const reach = (dx, dy) => {
            let px = 0;
            while (px < 44 && own(dx * (px + 1), dy * (px + 1))) px += 1;
            return px;
        };
        return reach(1, 0) + reach(-1, 0) < 43 || reach(0, 1) + reach(0, -1) < 43;
    })
    .map((target) => target.outerHTML.slice(0, 120))"""


def assert_accessible(page: Page) -> None:
    """axe-core finds no violation of any severity."""
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((result) => result.violations)")
    faults = [{"rule": fault["id"], "nodes": [node["html"][:160] for node in fault["nodes"]][:4]} for fault in found]
    assert faults == [], json.dumps(faults, indent=1)


def assert_fits(page: Page) -> None:
    """Nothing is wider than the screen, and every control has a touch area of 44 px."""
    width, limit = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= limit
    assert page.evaluate(TOO_SMALL) == []


def delete(page: Page) -> None:
    """Delete the project through its page."""
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_role("heading", level=2, name="Scenes")).to_be_visible()


def noise_photos(folder: Path, *, count: int) -> list[Path]:
    """Photos with nothing in common: each shows different noise."""
    random = np.random.default_rng(7)
    paths = []
    for number in range(count):
        blocks = random.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        path = folder / f"noise-{number}.jpg"
        Image.fromarray(blocks).resize((320, 240), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    return paths
