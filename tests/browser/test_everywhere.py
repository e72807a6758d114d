"""What holds on all pages: accessible, at home on a phone, honest when offline or signed out.
Never makes a scene of its own.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.canvas import canvas_picture, drawn_share, region_colours, wait_for_scene
from tests.browser.checks import assert_accessible, assert_fits
from tests.browser.conftest import PHONE, Complaints, MadeScene, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_a_signed_out_browser_is_told_how_to_get_in(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/", member=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    expect(page.locator("main")).to_contain_text("splat open")
    assert_accessible(page)


def test_a_sign_in_link_made_on_the_page_lets_another_browser_in_once(
    open_page: OpenPage, complaints: Complaints
) -> None:
    page = open_page("/")
    page.get_by_role("button", name="Sign in another device").click()
    expect(page.get_by_role("img", name="The link as a QR code")).to_be_visible()
    url = page.get_by_label("Sign-in link").input_value()
    assert_accessible(page)
    other = open_page(url, member=False)
    expect(other.get_by_role("heading", level=2, name="Scenes")).to_be_visible()
    complaints.expect("40")
    third = open_page(url, member=False)
    expect(third.get_by_role("heading", level=1)).to_have_text("That link does not work any more.")


def test_signing_out_ends_the_session_of_this_browser(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")


def test_offline_the_page_still_opens_and_says_so(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("net::ERR_")
    page = open_page("/")
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    page.context.set_offline(True)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are offline.")
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=2, name="Scenes")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_accessibility_fault_on_any_page(
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


def test_on_a_phone_everything_fits_and_can_be_touched(
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
