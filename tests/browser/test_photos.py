"""The photos of a scene after their upload, and the stage in a whole window."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.canvas import canvas_picture, drawn_share, region_colours, wait_for_scene
from tests.browser.checks import assert_accessible, assert_fits, delete
from tests.browser.conftest import PHONE, MadeScene, OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]

THUMBNAILS_SHOWN = """(count) => {
    const shown = [...document.querySelectorAll('.stored img')];
    for (const image of shown) image.loading = 'eager';
    return shown.length === count && shown.every(({ naturalWidth }) => naturalWidth > 100);
}"""

TAKES_FOCUS = "(button) => (button.focus(), document.activeElement === button)"


def test_the_photos_stay_with_their_scene_and_can_be_downloaded(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path]
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    page.wait_for_function(THUMBNAILS_SHOWN, arg=len(photos))
    left_out = made_scene.project["report"]["photos"]["rejected"]
    expect(page.locator(".stored .rejected .why")).to_have_text([one["reason"] for one in left_out])
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download {photos[0].name}", exact=True).click()
    assert download.value.suggested_filename == photos[0].name
    assert download.value.path().read_bytes() == photos[0].read_bytes()


def test_all_files_of_a_scene_are_saved_as_one_archive(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path]
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)

    def archive(button: str) -> tuple[str, dict[str, bytes]]:
        with page.expect_download() as download:
            page.get_by_role("button", name=button).click()
        with zipfile.ZipFile(download.value.path()) as opened:
            assert opened.testzip() is None
            return download.value.suggested_filename, {name: opened.read(name) for name in opened.namelist()}

    name = made_scene.project["name"]
    saved, files = archive("Download all as a zip")
    assert saved == f"{name}.zip"
    assert {f"{name}.ply", f"{name}-report.json", f"{name}-cameras.json"} <= set(files)
    assert len(files[f"{name}.ply"]) == made_scene.project["artifacts"]["scene.ply"]["bytes"]
    saved, files = archive("Download all photos")
    assert saved == f"{name}-photos.zip"
    assert files == {photo.name: photo.read_bytes() for photo in photos}


def test_photos_are_added_to_a_job_that_was_cancelled(open_page: OpenPage, photos: list[Path]) -> None:
    page = open_page("/")
    page.locator("[data-picker=photos]").set_input_files(photos[:5])
    page.get_by_role("button", name="Make the scene").click()

    def cancel() -> None:
        page.get_by_role("button", name="Cancel the job").click(timeout=60_000)
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)

    cancel()
    page.wait_for_function(THUMBNAILS_SHOWN, arg=5)
    page.get_by_role("button", name="Add photos").click()
    # A photo that is there already is neither uploaded nor counted again.
    page.locator("[data-picker=photos]").set_input_files(photos[4:7])
    expect(page.get_by_role("status").last).to_contain_text(
        "2 new photos chosen. 1 photo is part of the scene already."
    )
    assert_accessible(page)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.get_by_role("button", name="Upload and make the scene again").click()
    cancel()
    assert len(sent) == 2
    page.wait_for_function(THUMBNAILS_SHOWN, arg=7)
    project = page.request.get(f"/api/projects/{page.url.split('/')[-1]}").json()
    assert (project["attempt"], project["photos"]["count"]) == (2, 7)
    delete(page)


@pytest.mark.parametrize("size", [(1280, 800), (2560, 1400)], ids=["laptop", "large"])
def test_in_the_theatre_the_scene_fills_the_window(
    made_scene: MadeScene, open_page: OpenPage, size: tuple[int, int]
) -> None:
    page = open_page(made_scene.path, viewport={"width": size[0], "height": size[1]})
    wait_for_scene(page)
    page.get_by_role("button", name="Theatre").click()
    whole = {"x": 0, "y": 0, "width": size[0], "height": size[1]}
    assert page.locator(".stage").bounding_box() == whole
    page.wait_for_function("document.querySelector('.stage canvas').clientWidth === innerWidth")
    assert drawn_share(region_colours(canvas_picture(page))) > 0.5
    # Nothing behind it can be reached.
    behind = page.get_by_role("button", name="Delete")
    assert not behind.evaluate(TAKES_FOCUS)
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.wait_for_function("!document.querySelector('.in-theatre')")
    assert behind.evaluate(TAKES_FOCUS)
    # By key, while the scene has the focus.
    page.locator(".stage-frame").focus()
    page.keyboard.press("t")
    assert page.locator(".stage").bounding_box() == whole
    page.keyboard.press("t")
    assert page.locator(".stage").bounding_box() != whole


def test_the_photos_of_a_scene_fit_a_phone(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path, **PHONE)
    wait_for_scene(page)
    page.get_by_role("button", name="Add photos").click()
    assert_accessible(page)
    assert_fits(page)
