"""The edit of a scene and the limits of its orbit, by mouse, touch and keyboard. Tests use roles, names and pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.canvas import canvas_picture, drawn_share, region_colours, wait_for_scene
from tests.browser.checks import assert_accessible
from tests.browser.conftest import DESKTOP, PHONE, MadeScene, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]

DEVICES = {
    "desktop, light": DESKTOP,
    "phone, dark": {**PHONE, "color_scheme": "dark", "reduced_motion": "reduce"},
}


def project_of(page: Page, scene: MadeScene) -> dict[str, Any]:
    project: dict[str, Any] = page.request.get(f"/api/projects/{scene.project['id']}").json()
    return project


def undo(page: Page, scene: MadeScene, *, left: int) -> None:
    page.get_by_role("button", name="Undo the last edit").click()
    page.wait_for_function(
        "([address, left]) => fetch(address).then((r) => r.json()).then(({edits}) => edits === left)",
        arg=[f"/api/projects/{scene.project['id']}", left],
    )


def shown(page: Page) -> np.ndarray:
    page.wait_for_timeout(700)
    return region_colours(canvas_picture(page), 12, 8)


@pytest.mark.parametrize("device", DEVICES)
def test_a_crop_is_seen_at_once_stays_after_a_reload_and_is_undone(
    made_scene: MadeScene, open_page: OpenPage, device: str
) -> None:
    page = open_page(made_scene.path, **DEVICES[device])
    wait_for_scene(page)
    start = shown(page)
    page.get_by_role("button", name="Crop", exact=True).click()
    width = page.get_by_role("slider", name="Width")
    expect(width).to_be_visible()
    assert_accessible(page)
    width.fill("0.6")
    narrow = shown(page)
    assert np.abs(narrow - start).mean() > 5, "the preview shows what a crop will hide"
    # By keyboard: a step of the slider, another shape, Save.
    width.focus()
    page.keyboard.press("ArrowLeft")
    expect(width).to_have_attribute("aria-valuetext", "29 %")
    page.get_by_role("radio", name="Box").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="Size").fill("0.8")
    page.get_by_role("button", name="Save", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("The original files stay as they are.")).to_be_visible()
    (crop,) = project_of(page, made_scene)["edit"]["crops"]
    assert (crop["shape"], crop["radius"], crop["keep"]) == ("sphere", 0.4, "inside")
    cropped = shown(page)
    assert drawn_share(cropped) < drawn_share(start) - 0.2
    assert project_of(page, made_scene)["artifacts"] == made_scene.project["artifacts"]

    page.reload()
    wait_for_scene(page)
    assert np.abs(shown(page) - cropped).mean() < 4
    undo(page, made_scene, left=0)
    assert np.abs(shown(page) - start).mean() < 4


def test_a_cancelled_tool_leaves_the_scene_as_it_was(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    start = shown(page)
    page.get_by_role("button", name="Crop", exact=True).click()
    page.get_by_role("radio", name="Cut out").check(force=True)
    page.get_by_text("Position and edge").click()
    page.get_by_role("slider", name="Down or up").fill("0.2")
    assert np.abs(shown(page) - start).mean() > 5
    page.get_by_role("button", name="Cancel", exact=True).click()
    assert np.abs(shown(page) - start).mean() < 3
    assert project_of(page, made_scene)["edit"] is None


def test_floaters_are_removed_within_the_reach_of_the_cameras(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    start = shown(page)
    page.get_by_role("button", name="Remove floaters").click()
    assert_accessible(page)
    page.get_by_role("slider", name="Strength").fill("1")
    seen = shown(page)
    assert 0 < np.abs(seen - start).mean() < 12, "some Gaussians go, and the scene stays"
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("The original files stay as they are.")).to_be_visible()
    project = project_of(page, made_scene)
    cameras = page.request.get(f"/api/projects/{project['id']}/artifacts/cameras.json").json()["cameras"]
    farthest = max(np.linalg.norm(camera["position"]) for camera in cameras)
    assert project["edit"]["floaters"] == {"strength": 1, "reach": pytest.approx(1.1 * farthest, abs=1e-3)}
    undo(page, made_scene, left=0)


@pytest.mark.parametrize("device", DEVICES)
def test_the_orbit_stays_softly_within_what_the_cameras_saw(
    made_scene: MadeScene, open_page: OpenPage, device: str
) -> None:
    page = open_page(made_scene.path, **DEVICES[device])
    wait_for_scene(page)
    cameras = page.request.get(f"/api/projects/{made_scene.project['id']}/artifacts/cameras.json").json()["cameras"]
    centres = np.array([camera["position"] for camera in cameras])
    axes = np.array([camera["rotation"] for camera in cameras])[:, :, 2]
    depths = -(centres * axes).sum(axis=1)
    above = np.degrees(np.arcsin(axes[:, 1]))  # y points down: a camera that looks down is above

    def middle() -> tuple[float, float]:
        """Of the stage's upper part, on the screen: on a phone the buttons below it scroll the page."""
        stage = page.locator(".stage")
        page.evaluate("window.scrollTo(0, 0)")
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 3

    def view() -> tuple[float, float]:
        """Distance of the orbit in scene units, and how far it looks down in degrees."""
        page.get_by_role("button", name="Use this view").click()
        expect(page.get_by_text("This is the start view and the cover now.")).to_be_visible()
        start = project_of(page, made_scene)["edit"]["start"]
        undo(page, made_scene, left=0)
        wait_for_scene(page)
        ray = np.array(start["target"]) - start["position"]
        distance = float(np.linalg.norm(start["position"]))
        return distance, float(np.degrees(np.arcsin(ray[1] / np.linalg.norm(ray))))

    page.locator(".stage-frame").focus()
    page.mouse.move(*middle())
    for _ in range(6):
        page.mouse.wheel(0, 600)
    page.wait_for_timeout(3000)
    distance, _ = view()
    assert depths.max() < distance < 1.7 * np.linalg.norm(centres, axis=1).max()

    x, y = middle()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 400, steps=10)
    page.mouse.up()
    page.wait_for_timeout(3000)
    _, down = view()
    assert above.max() < down < above.max() + 16
