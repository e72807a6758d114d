"""All pages: accessible, usable on a phone, clear when offline or signed out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.canvas import canvas_picture, drawn_share, region_colours, wait_for_scene
from tests.browser.checks import assert_accessible, assert_fits
from tests.browser.conftest import DESKTOP, PHONE, Complaints, MadeScene, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_a_signed_out_browser_shows_how_to_sign_in(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/", member=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Photos in, a 3D scene out")
    expect(page.get_by_role("heading", level=2, name="You are not signed in")).to_be_visible()
    page.get_by_text("You run this service?").click()
    expect(page.locator("main")).to_contain_text("splat open")
    assert_accessible(page)


def test_a_sign_in_link_from_the_app_signs_in_one_other_browser(open_page: OpenPage, complaints: Complaints) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Sign in another device").click()
    expect(page.get_by_role("img", name="The link as a QR code")).to_be_visible()
    url = page.get_by_label("Sign-in link").input_value()
    assert_accessible(page)
    other = open_page(url, member=False)
    expect(other.get_by_role("heading", level=2, name="Scenes")).to_be_visible()
    complaints.expect("40")
    third = open_page(url, member=False)
    expect(third.get_by_role("heading", level=1)).to_have_text("This sign-in link no longer works.")


def test_signing_out_ends_the_session_of_this_browser(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Photos in, a 3D scene out")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Photos in, a 3D scene out")


def test_the_app_opens_offline_and_reports_it(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("net::ERR_")
    page = open_page("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are offline.")
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=2, name="Scenes")).to_be_visible(timeout=15_000)


def test_several_scenes_are_deleted_after_one_question(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page("/")
    origin = {"origin": page.url.rstrip("/")}
    for name in ("one to delete", "another to delete", "one to keep"):
        made = page.request.post("/api/projects", data={"name": name}, headers=origin)
        assert made.status == 201, made.text()
    page.reload()
    expect(page.get_by_role("heading", level=3, name="one to keep")).to_be_visible()
    page.get_by_role("button", name="Select", exact=True).click()
    for name in ("one to delete", "another to delete"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    assert_accessible(page)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete 2 scenes?")
    assert_accessible(page)
    page.get_by_role("dialog").get_by_role("button", name="Delete permanently").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    for name in ("one to delete", "another to delete"):
        expect(page.get_by_role("heading", level=3, name=name)).to_have_count(0)
    expect(page.get_by_role("heading", level=3, name="one to keep")).to_be_visible()
    page.get_by_role("link", name="one to keep").click()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=2, name="Scenes")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_an_accessibility_violation(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path], scheme: str
) -> None:
    page = open_page("/", color_scheme=scheme)
    expect(page.locator(".card").first).to_be_visible()
    assert_accessible(page)
    page.locator("[data-picker=photos]").set_input_files(photos[:6])
    expect(page.get_by_role("button", name="Make the scene")).to_be_enabled()
    assert_accessible(page)
    page.goto(made_scene.path)
    wait_for_scene(page)
    assert_accessible(page)
    page.get_by_role("button", name="Delete").click()
    assert_accessible(page)


PROGRESS = {"message": "Working", "eta_s": 90, "preview": None, "at": "2026-11-30T12:00:00.000Z"}
CAMERAS = [[0, -100, 0, 100], [87, 50, -87, -50], [-87, 50, 87, -50]]
FAILURE = {"code": "SFM_FAILED", "message": "0 of 8 photos were placed.", "hint": "Use more light.", "stage": "sfm"}
NONE_YET = {"report": None, "artifacts": {}, "cover": None, "progress": None, "finished_at": None}
STATES: dict[str, dict[str, Any]] = {
    "without photos": {**NONE_YET, "state": "new", "photos": {"count": 0, "bytes": 0}},
    "with an upload that was interrupted": {**NONE_YET, "state": "uploading"},
    "ready": {**NONE_YET, "state": "ready"},
    "in the queue": {**NONE_YET, "state": "queued", "place": 2},
    "waiting for a worker": {**NONE_YET, "state": "queued", "place": None},
    "with cameras being found": {
        **NONE_YET,
        "state": "running",
        "progress": {**PROGRESS, "stage": "sfm", "fraction": 0.4, "cameras": CAMERAS},
    },
    "in training": {**NONE_YET, "state": "running", "progress": {**PROGRESS, "stage": "train", "fraction": 0.5}},
    "failed": {**NONE_YET, "state": "failed", "error": FAILURE},
    "cancelled": {**NONE_YET, "state": "cancelled", "error": {**FAILURE, "code": "CANCELLED"}},
}


@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_no_state_of_a_job_has_an_accessibility_violation(
    made_scene: MadeScene, open_page: OpenPage, device: dict[str, Any]
) -> None:
    page = open_page("/", **{**device, "reduced_motion": "reduce"})
    project = {**made_scene.project}
    page.route_web_socket("**/events", lambda socket: None)
    page.route(f"**/api/projects/{project['id']}", lambda route: route.fulfill(json=project))
    for name, state in STATES.items():
        project.update(made_scene.project | state)
        page.goto(made_scene.path)
        expect(page.locator("h1")).to_be_visible()
        expect(page.locator(".steps"), name).to_be_visible()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert_accessible(page)
        assert_fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_operators_see_the_whole_service_on_desktop_and_phone(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/", color_scheme=scheme)
    page.get_by_role("link", name="Operations").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Operations")
    for check in ("RunPod key", "Bucket", "Bucket CORS", "Webhook address", "Clock", "Budget"):
        expect(page.get_by_role("heading", level=3, name=f"Fine: {check}", exact=True)).to_be_visible()
    month = page.get_by_role("button", name="Last 30 days")
    month.press("Enter")
    expect(month).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("img", name="Jobs that ended")).to_be_visible()
    page.get_by_text("The same figures as a table").press("Enter")
    assert_accessible(page)
    phone = open_page("/operations", **PHONE, color_scheme=scheme)
    expect(phone.get_by_role("heading", level=3, name="Fine: Budget")).to_be_visible()
    assert_accessible(phone)
    assert_fits(phone)


def test_everything_fits_and_can_be_touched_on_a_phone(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path]
) -> None:
    page = open_page("/", **PHONE)
    expect(page.locator(".card").first).to_be_visible()
    expect(page.get_by_role("button", name="Take a photo")).to_be_visible()
    assert_fits(page)
    page.locator("[data-picker=photos]").set_input_files(photos[:6])
    expect(page.get_by_role("button", name="Make the scene")).to_be_in_viewport()
    assert_fits(page)
    page.goto(made_scene.path)
    wait_for_scene(page)
    assert drawn_share(region_colours(canvas_picture(page), 4, 5)) > 0.3
    assert_fits(page)
