"""Uploads: checks before the start, broken connections, failures. No test waits for a whole scene."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.browser.checks import assert_accessible, delete, noise_photos
from tests.browser.conftest import Complaints, OpenPage, drop_files

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_an_interrupted_upload_resumes(open_page: OpenPage, photos: list[Path], complaints: Complaints) -> None:
    complaints.expect("net::ERR_")
    page = open_page("/")
    sent: list[str] = []

    def gate(route: Route) -> None:
        if route.request.method != "PUT":
            route.continue_()
        elif len(sent) >= 3:
            route.abort("connectionreset")
        else:
            sent.append(route.request.url)
            route.continue_()

    page.context.route("**/cdn-cgi/**", gate)
    chosen = photos[:8]
    page.locator("[data-picker=photos]").set_input_files(chosen)
    page.get_by_role("button", name="Make the scene").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 8 photos uploaded", timeout=20_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 8 photos uploaded")

    page.context.unroute("**/cdn-cgi/**")
    later: list[str] = []
    page.on("request", lambda request: later.append(request.url) if request.method == "PUT" else None)
    # The choice survived the reload: nothing has to be chosen again.
    expect(page.get_by_role("status").first).to_contain_text("5 of 5 missing photos found.")
    page.get_by_role("button", name="Upload and make the scene").click()
    cancel = page.get_by_role("button", name="Cancel the job")
    cancel.wait_for(timeout=30_000)
    assert len(later) == 5, "photos were uploaded twice"
    assert_accessible(page)
    cancel.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)
    delete(page)


def test_a_broken_connection_is_retried(open_page: OpenPage, photos: list[Path], complaints: Complaints) -> None:
    complaints.expect("net::ERR_")
    page = open_page("/")
    broken: list[str] = []

    def break_first_two(route: Route) -> None:
        if route.request.method == "PUT" and len(broken) < 2:
            broken.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.context.route("**/cdn-cgi/**", break_first_two)
    page.locator("[data-picker=photos]").set_input_files(photos[:5])
    page.get_by_role("button", name="Make the scene").click()
    page.get_by_role("button", name="Cancel the job").click(timeout=60_000)
    assert len(broken) == 2
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)
    delete(page)


def test_photos_that_share_nothing_fail_with_advice(
    open_page: OpenPage, tmp_path: Path, complaints: Complaints
) -> None:
    # Without the websocket, so that polling has to report the failure.
    complaints.expect("WebSocket")
    page = open_page("/")
    page.route_web_socket("**/events", lambda socket: socket.close())
    page.locator("[data-picker=photos]").set_input_files(noise_photos(tmp_path, count=6))
    page.get_by_role("button", name="Make the scene").click()
    page.locator(".steps .stopped").wait_for(timeout=240_000)
    expect(page.get_by_role("heading", name="What you can do")).to_be_visible()
    expect(page.get_by_role("button", name="Try again with the same photos")).to_be_visible()
    assert_accessible(page)
    delete(page)


def test_unusable_files_are_not_uploaded_and_show_the_reason(
    open_page: OpenPage, photos: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("This is a text file, not a photo.")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photos[0].read_bytes()[:200])
    copy = tmp_path / "copy.jpg"
    copy.write_bytes(photos[1].read_bytes())
    page = open_page("/")
    page.locator("[data-picker=photos]").set_input_files([*photos[:3], text, cut, copy])
    expect(page.get_by_role("heading", level=1)).to_have_text("3 photos")
    main = page.locator("main")
    expect(main).to_contain_text("Not a supported photo. Use JPEG, PNG, WebP, HEIC or AVIF, or an MP4 or MOV clip.")
    expect(main).to_contain_text("The file is damaged and cannot be opened.")
    expect(main).to_contain_text(f"Duplicate of {photos[1].name}.")
    expect(main).to_contain_text("Add 2 more photos. A scene needs at least 5.")
    expect(page.get_by_role("button", name="Make the scene")).to_be_disabled()


def test_time_and_price_are_shown_before_the_start(open_page: OpenPage, photos: list[Path]) -> None:
    page = open_page("/")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(f"{request.method} {request.url}"))
    page.locator("[data-picker=photos]").set_input_files(photos)
    for preset in page.locator(".preset").all():
        expect(preset.locator(".preset-cost")).to_contain_text("$")
        expect(preset.locator(".preset-cost")).to_contain_text("min")
    assert [call for call in calls if not call.startswith("GET ")] == [], "data left the device before the start"


def test_dropping_a_folder_adds_the_photos_of_all_its_folders(
    open_page: OpenPage, photos: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "brass_kettle"
    (folder / "upper").mkdir(parents=True)
    for number, source in enumerate(photos[:6]):
        (folder / ("upper" if number % 2 else "") / source.name).write_bytes(source.read_bytes())
    (folder / ".DS_Store").write_bytes(b"\x00" * 20)
    (folder / "empty.jpg").write_bytes(b"")
    page = open_page("/")
    drop_files(page, [folder])
    expect(page.get_by_role("heading", level=1)).to_have_text("6 photos")
    page.get_by_text("2 hidden or empty files left out").click()
    expect(page.locator("main")).to_contain_text("empty.jpg Empty file")


def test_an_interrupted_clip_continues_where_it_stopped(
    open_page: OpenPage, tmp_path: Path, complaints: Complaints
) -> None:
    """20 MB in three parts. A clip without pictures: the page reads its length, and uploads it unseen."""
    complaints.expect("net::ERR_")
    clip = tmp_path / "walk.mp4"
    clip.write_bytes(clip_without_pictures(seconds=30, size=20_000_000))
    page = open_page("/")

    def gate(route: Route) -> None:
        if route.request.method != "PUT" or "partNumber=1&" in route.request.url:
            route.continue_()
        else:
            route.abort("connectionreset")

    page.context.route("**/cdn-cgi/**", gate)
    page.locator("[data-picker=photos]").set_input_files(clip)
    expect(page.get_by_role("heading", level=1)).to_have_text("Up to 60 frames of 1 clip")
    expect(page.locator(".preset-cost").first).to_contain_text("$")
    with page.expect_response(lambda answer: answer.url.endswith("/parts") and answer.json()["stored"] > 0):
        page.get_by_role("button", name="Make the scene").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("0 of 1 clip uploaded", timeout=20_000)
    expect(page.locator(".file-state")).to_have_text("41 %")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("status").first).to_contain_text("1 of 1 missing photo found.")
    page.context.unroute("**/cdn-cgi/**")
    later: list[str] = []
    page.on("request", lambda request: later.append(request.url) if request.method == "PUT" else None)
    page.get_by_role("button", name="Upload and make the scene").click()
    page.get_by_role("button", name="Cancel the job").click(timeout=60_000)
    assert len(later) == 2, "a stored part was uploaded twice"
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)
    delete(page)


def clip_without_pictures(*, seconds: int, size: int) -> bytes:
    """The boxes of an MP4 that a page and the service look at: brand and movie header, then bytes."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), name) + content

    header = box(b"moov", box(b"mvhd", bytes(12) + struct.pack(">II", 1000, 1000 * seconds) + bytes(80)))
    start = box(b"ftyp", b"isom" + bytes(4)) + header
    return start + box(b"mdat", bytes(size - len(start) - 8))
