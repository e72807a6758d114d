"""All pages: accessible, usable on a phone, clear when offline or signed out."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.canvas import canvas_picture, drawn_share, region_colours, wait_for_scene
from tests.browser.checks import assert_accessible, assert_fits
from tests.browser.conftest import PHONE, Complaints, MadeScene, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_a_signed_out_browser_shows_how_to_sign_in(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/", member=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
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
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")


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
