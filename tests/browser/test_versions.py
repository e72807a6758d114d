"""The versions of a scene: an edit becomes one, it is compared with the scene before, and either is shown.
Named so that it runs last: the scene that all tests share has two versions afterwards.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.canvas import region_colours, wait_for_scene
from tests.browser.checks import assert_accessible, assert_fits
from tests.browser.conftest import JOB_LIMIT_S, OUT, MadeScene, OpenPage
from tests.browser.test_edit import DEVICES, project_of, undo

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def screen(page: Page) -> np.ndarray:
    """What is seen of the comparison, (12, 8, 3)."""
    page.wait_for_timeout(1500)
    picture = Image.open(io.BytesIO(page.locator(".stage.compare").screenshot())).convert("RGB")
    return region_colours(picture, 12, 8)


def changed(page: Page, before: np.ndarray) -> bool:
    """Whether the stage shows another picture within 20 s. Most of it is background, and one that stands still would
    differ by nothing."""
    for _ in range(40):
        if np.abs(screen(page) - before).mean() > 2:
            return True
        page.wait_for_timeout(500)
    return False


def test_an_applied_edit_changes_the_downloads_and_the_scene_before_can_be_shown_again(
    made_scene: MadeScene, open_page: OpenPage
) -> None:
    page = open_page(made_scene.path, **DEVICES["phone, dark"])
    wait_for_scene(page)
    before = project_of(page, made_scene)
    page.get_by_role("button", name="Crop", exact=True).click()
    page.get_by_role("slider", name="Width").fill("0.8")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("So far only the page shows this edit.")).to_be_visible()
    expect(page.get_by_text("of a worker").first).to_be_visible()
    assert_accessible(page)
    page.screenshot(path=OUT / "versions-1-apply.png", full_page=True)
    page.get_by_role("button", name="Apply to the files").click()
    expect(page.get_by_role("progressbar", name="Applying the edit")).to_be_visible()
    expect(page.locator(".stage.shown")).to_be_visible()
    page.screenshot(path=OUT / "versions-2-applying.png", full_page=True)
    assert_accessible(page)
    expect(page.get_by_role("heading", name="Versions")).to_be_visible(timeout=1000 * JOB_LIMIT_S)
    wait_for_scene(page)
    applied = project_of(page, made_scene)
    assert (applied["state"], applied["shown"], applied["edit"]) == ("done", before["attempt"] + 1, None)
    assert applied["report"]["metrics"]["gaussians"] < before["report"]["metrics"]["gaussians"]
    assert applied["artifacts"]["scene.ply"]["bytes"] < before["artifacts"]["scene.ply"]["bytes"]
    assert_accessible(page)

    page.get_by_text("Files of version 1").click()
    assert_fits(page)
    old = page.get_by_role("link", name="scene.sog").last.get_attribute("href")
    assert old is not None
    assert len(page.request.get(old).body()) == before["artifacts"]["scene.sog"]["bytes"]
    page.screenshot(path=OUT / "versions-3-both.png", full_page=True)
    page.get_by_role("button", name="Compare with version 1").click()
    border = page.get_by_role("slider", name="Border between the versions")
    expect(page.locator(".stage.compare.shown")).to_be_visible(timeout=60_000)
    assert_accessible(page)
    border.fill("0")
    left_hidden = screen(page)
    border.fill("100")
    right_hidden = screen(page)
    assert np.abs(left_hidden - right_hidden).mean() > 5, "the versions differ"
    page.locator(".stage.compare .stage-frame").first.focus()
    # A scene turns while the key is held; a short press may fall between two pictures of a slow machine.
    page.keyboard.down("ArrowLeft")
    page.wait_for_timeout(2000)
    page.keyboard.up("ArrowLeft")
    assert changed(page, right_hidden)
    border.fill("0")
    assert changed(page, left_hidden), "the right version turns along with the left one"
    border.fill("50")
    page.screenshot(path=OUT / "versions-4-compare.png")
    page.get_by_role("button", name="End the comparison").click()
    wait_for_scene(page)
    page.get_by_role("button", name="Show version 1").click()
    expect(page.get_by_role("button", name="Show version 2")).to_be_visible()
    again = project_of(page, made_scene)
    assert (again["shown"], again["artifacts"]) == (before["attempt"], before["artifacts"])
    undo(page, made_scene, left=0)
