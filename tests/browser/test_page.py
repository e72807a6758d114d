"""The page as people use it: photos in by drop, a scene out on the canvas, in a real browser on a real stack.
Never looks at the page's internals: roles, names and pixels only.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.canvas import (
    canvas_picture,
    crop_to_aspect,
    drawn_share,
    poster_picture,
    region_colours,
    wait_for_scene,
)
from tests.browser.conftest import AXE, PHONE, Complaints, MadeScene, OpenPage, drop_files

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1500)]


def test_dropped_photos_become_a_scene_whose_canvas_looks_like_the_poster(
    made_scene: MadeScene, open_page: OpenPage
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    canvas = canvas_picture(page)
    seen = region_colours(canvas)
    assert drawn_share(seen) > 0.5, "most of the canvas shows only the background"
    assert np.ptp(seen.reshape(-1, 3), axis=0).max() > 40, "the canvas shows one flat colour"

    poster = poster_picture(page, f"/api/projects/{made_scene.project['id']}/artifacts/poster.webp")
    # Both are seen from the start camera; the canvas cuts the top and bottom off, or shows more of them.
    aspect = canvas.width / canvas.height
    wanted = region_colours(crop_to_aspect(poster, aspect))
    seen = region_colours(crop_to_aspect(canvas, max(aspect, poster.width / poster.height)))
    assert np.abs(seen - wanted).mean() < 30
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.8


def test_the_steps_were_shown_in_their_order(made_scene: MadeScene) -> None:
    order = ["Upload", "Photos", "Camera poses", "Training", "Export"]
    ranks = [order.index(step) for step in made_scene.steps_seen]
    assert ranks == sorted(ranks)
    assert {"Camera poses", "Training"} <= set(made_scene.steps_seen)


def test_the_numbers_on_the_page_are_those_of_the_report(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    report = made_scene.project["report"]
    main = page.locator("main")
    photos = report["photos"]
    expect(main).to_contain_text(f"{photos['registered']} of {photos['given']}")
    expect(main).to_contain_text(f"{report['metrics']['psnr_db']:.1f} dB")
    expect(main).to_contain_text(f"{report['metrics']['ssim']:.3f}")
    expect(main).to_contain_text(f"{report['metrics']['gaussians']:,}".replace(",", "\u202f"))
    assert report["price"]["estimate"] is True
    expect(main).to_contain_text("estimate")
    page.get_by_role("button", name="What is Price?").click()
    expect(main).to_contain_text(report["price"]["gpu"])


def test_every_download_gives_the_bytes_of_the_report(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    links = page.locator(".downloads a")
    expect(links.first).to_be_visible()
    names = links.all_inner_texts()
    assert {"scene.ply", "scene.sog", "cameras.json", "report.json"} <= set(names)
    for name in names:
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        path = download.value.path()
        assert path.stat().st_size == made_scene.project["artifacts"][name]["bytes"], name


def test_turning_the_scene_changes_the_picture_and_the_start_view_brings_it_back(
    made_scene: MadeScene, open_page: OpenPage
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    start = region_colours(canvas_picture(page))
    box = page.locator(".stage").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 300, middle[1], steps=8)
    page.mouse.up()
    page.wait_for_timeout(1500)
    turned = region_colours(canvas_picture(page))
    assert np.abs(turned - start).mean() > 5
    page.get_by_role("button", name="Start view").click()
    page.wait_for_timeout(2500)
    back = region_colours(canvas_picture(page))
    assert np.abs(back - start).mean() < 3


def test_a_press_on_a_camera_shows_the_view_of_its_photo(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path]
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    cameras = page.request.get(f"/api/projects/{made_scene.project['id']}/artifacts/cameras.json").json()
    camera = cameras["cameras"][len(cameras["cameras"]) // 2]
    listed = page.request.get(f"/api/projects/{made_scene.project['id']}/photos").json()["photos"]
    original = next(photo["name"] for photo in listed if Path(photo["as"]).stem == Path(camera["name"]).stem)
    button = page.get_by_role("button", name=f"See it from {original}", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(3000)
    photo = Image.open(next(path for path in photos if path.name == original)).convert("RGB")
    canvas = canvas_picture(page)
    aspect = canvas.width / canvas.height
    wanted = region_colours(crop_to_aspect(photo, aspect), 4, 3)
    seen = region_colours(crop_to_aspect(canvas, max(aspect, photo.width / photo.height)), 4, 3)
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.7


def test_a_shared_link_shows_the_scene_to_a_stranger_until_it_is_revoked(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints
) -> None:
    owner = open_page(made_scene.path)
    owner.get_by_role("button", name="Create a link").click()
    url = owner.get_by_label("Share link").input_value()
    stranger = open_page(url, member=False)
    wait_for_scene(stranger)
    assert drawn_share(region_colours(canvas_picture(stranger))) > 0.5
    assert not stranger.get_by_role("button", name="Delete").count()
    assert not stranger.get_by_role("button", name="Create a link").count()
    assert stranger.request.get(f"/api/projects/{made_scene.project['id']}").status == 401

    owner.get_by_role("button", name="Revoke").click()
    expect(owner.get_by_label("Share link")).to_have_count(0)
    complaints.expect("404")
    stranger.reload()
    expect(stranger.get_by_role("heading")).to_have_text("This link leads nowhere.")


def test_a_name_of_markup_is_shown_as_text(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    name = "<img src=x onerror=document.title='broken'> & \u202etxet"
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert page.title() != "broken"


def test_an_interrupted_upload_goes_on_where_it_stopped(
    open_page: OpenPage, photos: list[Path], complaints: Complaints
) -> None:
    complaints.expect("net::ERR_")
    page = open_page("/")
    sent: list[str] = []

    def gate(route) -> None:  # type: ignore[no-untyped-def]
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
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 8 photos sent", timeout=20_000)
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 8 photos arrived")

    page.context.unroute("**/cdn-cgi/**")
    later: list[str] = []
    page.on("request", lambda request: later.append(request.url) if request.method == "PUT" else None)
    page.locator("[data-picker=photos]").set_input_files(chosen)
    page.get_by_role("button", name="Send and make the scene").click()
    cancel = page.get_by_role("button", name="Cancel the job")
    cancel.wait_for(timeout=30_000)
    assert len(later) == 5, "what had arrived was sent again"
    cancel.click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)
    delete(page)


def test_photos_that_share_nothing_end_with_words_that_help(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/")
    page.locator("[data-picker=photos]").set_input_files(noise_photos(tmp_path, count=6))
    page.get_by_role("button", name="Make the scene").click()
    page.locator(".steps .stopped").wait_for(timeout=240_000)
    expect(page.locator(".advice")).to_be_visible()
    expect(page.get_by_role("button", name="Try again with the same photos")).to_be_visible()
    assert_accessible(page)
    delete(page)


def test_files_that_cannot_be_used_stay_on_the_device_with_the_reason(
    open_page: OpenPage, photos: list[Path], tmp_path: Path
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("this is no photo, whatever its name says")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(photos[0].read_bytes()[:200])
    twin = tmp_path / "twin.jpg"
    twin.write_bytes(photos[1].read_bytes())
    page = open_page("/")
    page.locator("[data-picker=photos]").set_input_files([*photos[:3], text, cut, twin])
    expect(page.get_by_role("heading", level=1)).to_have_text("3 photos")
    main = page.locator("main")
    expect(main).to_contain_text("Not a photo: JPEG, PNG, WebP and HEIC are.")
    expect(main).to_contain_text("The file is damaged and cannot be opened.")
    expect(main).to_contain_text(f"The same picture as {photos[1].name}.")
    expect(main).to_contain_text("2 more photos needed: a scene starts at 5.")
    expect(page.get_by_role("button", name="Make the scene")).to_be_disabled()


def test_seconds_and_price_stand_there_before_the_start(open_page: OpenPage, photos: list[Path]) -> None:
    page = open_page("/")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(f"{request.method} {request.url}"))
    page.locator("[data-picker=photos]").set_input_files(photos)
    for preset in page.locator(".preset").all():
        expect(preset.locator(".preset-cost")).to_contain_text("$")
        expect(preset.locator(".preset-cost")).to_contain_text("min")
    assert [call for call in calls if not call.startswith("GET ")] == [], "something was sent before the start"


def test_a_signed_out_browser_is_told_how_to_get_in(open_page: OpenPage, complaints: Complaints) -> None:
    complaints.expect("401")
    page = open_page("/", member=False)
    expect(page.get_by_role("heading", level=1)).to_have_text("You are not signed in.")
    expect(page.locator("main")).to_contain_text("splat open")
    assert_accessible(page)


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


def test_dropping_a_folder_brings_its_photos_and_its_name(
    open_page: OpenPage, photos: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "brass_kettle"
    (folder / "upper").mkdir(parents=True)
    for number, source in enumerate(photos[:6]):
        (folder / ("upper" if number % 2 else "") / source.name).write_bytes(source.read_bytes())
    (folder / ".DS_Store").write_bytes(b"\x00" * 20)
    page = open_page("/")
    drop_files(page, [folder])
    expect(page.get_by_role("heading", level=1)).to_have_text("6 photos")


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
    """Nothing wider than the screen, no text smaller than 12 px, no press target smaller than 24 px (WCAG 2.5.8)."""
    width, limit = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= limit
    small = page.evaluate(
        """[...document.querySelectorAll("main button, main a, main select, main input:not([type=file])")]
            .map((element) => [element.outerHTML.slice(0, 120), element.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && (box.width < 20 || box.height < 20))
            .map(([html]) => html)"""
    )
    assert small == []


def test_screenshots_are_pictures() -> None:
    """Guards the helpers: a flat picture has no drawn region, a coloured one has."""
    flat = Image.new("RGB", (60, 40), (11, 17, 26))
    assert drawn_share(region_colours(flat)) == 0
    half = flat.copy()
    half.paste((200, 120, 40), (0, 0, 30, 40))
    assert drawn_share(region_colours(half)) == 0.5
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    assert crop_to_aspect(Image.open(buffer), 1.0).size == (40, 40)
