"""A finished scene: canvas, numbers, downloads, share links. Tests use roles, names and pixels only."""

from __future__ import annotations

import functools
import http.server
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
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
from tests.browser.checks import assert_accessible
from tests.browser.conftest import Complaints, MadeScene, OpenPage

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
    # Both show the view of the start camera. The canvas shows the whole photo, and more beside or above it.
    wanted = region_colours(poster)
    seen = region_colours(crop_to_aspect(canvas, poster.width / poster.height))
    assert np.abs(seen - wanted).mean() < 30
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.8


def test_the_steps_appear_in_order(made_scene: MadeScene) -> None:
    order = ["Upload", "Queue", "Photos", "Camera poses", "Training", "Export"]
    ranks = [order.index(step) for step in made_scene.steps_seen]
    assert ranks == sorted(ranks)
    assert {"Camera poses", "Training"} <= set(made_scene.steps_seen)


def test_the_page_shows_the_numbers_of_the_report(made_scene: MadeScene, open_page: OpenPage) -> None:
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
    page.get_by_role("button", name="About Price").click()
    expect(main).to_contain_text(report["price"]["gpu"])


def test_every_download_has_the_name_of_its_scene_and_its_size(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    links = page.locator(".downloads a")
    expect(links.first).to_be_visible()
    names = links.all_inner_texts()
    assert {"scene.ply", "scene.sog", "cameras.json", "report.json"} <= set(names)
    for name in names:
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        kind, dot, ending = name.partition(".")
        wanted = made_scene.project["name"] + ("" if kind == "scene" else f"-{kind}") + dot + ending
        assert download.value.suggested_filename == wanted
        path = download.value.path()
        if name == "report.json":
            assert json.loads(path.read_text())["metrics"] == made_scene.project["report"]["metrics"]
        else:
            assert path.stat().st_size == made_scene.project["artifacts"][name]["bytes"], name


def test_the_start_view_undoes_turning_the_scene(made_scene: MadeScene, open_page: OpenPage) -> None:
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


def test_a_scene_whose_graphics_are_taken_away_comes_back(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("CONTEXT_LOST")
    page = open_page(made_scene.path)
    wait_for_scene(page)
    lose = (
        "document.querySelector('.stage canvas').getContext('webgl2').getExtension('WEBGL_lose_context').loseContext()"
    )
    for _ in range(2):
        page.evaluate(lose)
        expect(page.locator(".stage")).to_contain_text("paused the 3D graphics")
        assert page.locator(".stage .poster").evaluate("(poster) => getComputedStyle(poster).opacity") == "1"
        wait_for_scene(page)
    assert drawn_share(region_colours(canvas_picture(page))) > 0.5
    # A device that takes them away again and again is not asked for ever.
    page.evaluate(lose)
    page.get_by_role("button", name="Show again").click()
    wait_for_scene(page)


def test_a_part_that_a_newer_version_replaced_offers_a_reload(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("404")
    complaints.expect("dynamically imported module")
    page = open_page("/")
    page.context.route("**/assets/viewer-*.js", lambda route: route.fulfill(status=404, json={}))
    page.goto(made_scene.path)
    expect(page.get_by_role("alert").first).to_contain_text("There may be a newer version.")
    assert_accessible(page)
    page.context.unroute("**/assets/viewer-*.js")
    page.get_by_role("button", name="Reload").click()
    wait_for_scene(page)


def test_selecting_a_camera_shows_the_view_of_its_photo(
    made_scene: MadeScene, open_page: OpenPage, photos: list[Path]
) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    cameras = page.request.get(f"/api/projects/{made_scene.project['id']}/artifacts/cameras.json").json()
    camera = cameras["cameras"][len(cameras["cameras"]) // 2]
    listed = page.request.get(f"/api/projects/{made_scene.project['id']}/photos").json()["photos"]
    original = next(photo["name"] for photo in listed if Path(photo["as"]).stem == Path(camera["name"]).stem)
    button = page.get_by_role("button", name=f"View from {original}", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(3000)
    photo = Image.open(next(path for path in photos if path.name == original)).convert("RGB")
    canvas = canvas_picture(page)
    wanted = region_colours(photo, 4, 3)
    seen = region_colours(crop_to_aspect(canvas, photo.width / photo.height), 4, 3)
    assert np.corrcoef(seen.ravel(), wanted.ravel())[0, 1] > 0.7


def test_a_share_link_shows_the_scene_until_it_is_revoked(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints
) -> None:
    owner = open_page(made_scene.path)
    owner.get_by_role("button", name="Create share link").click()
    url = owner.get_by_label("Share link").input_value()
    owner.get_by_role("button", name="QR code").click()
    expect(owner.get_by_role("img", name="The link as a QR code")).to_be_visible()
    stranger = open_page(url, member=False)
    wait_for_scene(stranger)
    assert drawn_share(region_colours(canvas_picture(stranger))) > 0.5
    assert not stranger.get_by_role("button", name="Delete").count()
    assert not stranger.get_by_role("button", name="Create share link").count()
    assert stranger.request.get(f"/api/projects/{made_scene.project['id']}").status == 401

    owner.get_by_role("button", name="Revoke").click()
    owner.get_by_role("dialog").get_by_role("button", name="Revoke the link").click()
    expect(owner.get_by_label("Share link")).to_have_count(0)
    complaints.expect("404")
    stranger.reload()
    expect(stranger.get_by_role("heading")).to_have_text("This share link no longer works.")


def test_a_scene_is_edited_and_each_edit_undone(made_scene: MadeScene, open_page: OpenPage) -> None:
    page = open_page(made_scene.path)
    wait_for_scene(page)
    start = region_colours(canvas_picture(page))
    address = f"/api/projects/{made_scene.project['id']}"

    # Up: the sliders lean the scene at once.
    page.get_by_role("button", name="Set up").click()
    assert_accessible(page)
    page.get_by_label("Tilt sideways").fill("40")
    page.wait_for_function("document.querySelector('.tool').textContent.includes('40°')")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Undo the last edit")).to_be_visible()
    project = page.request.get(address).json()
    up = np.array(project["edit"]["up"])
    # Seen from above, a part of the lean is a turn about the vertical.
    assert 15 < np.degrees(np.arccos(-up[1])) < 41

    # The start view and the cover: what the canvas shows now.
    page.get_by_role("button", name="Use this view").click()
    expect(page.get_by_text("This is the start view and the cover now.")).to_be_visible()
    project = page.request.get(address).json()
    cover = poster_picture(page, project["cover"]["url"])
    wait_for_scene(page)
    canvas = canvas_picture(page)
    assert np.abs(region_colours(cover) - region_colours(canvas)).mean() < 20
    assert len(page.request.get(project["cover"]["thumbnail_url"]).body()) < 40_000

    for left in (1, 0):
        page.get_by_role("button", name="Undo the last edit").click()
        page.wait_for_function(
            "([address, left]) => fetch(address).then((r) => r.json()).then(({edits}) => edits === left)",
            arg=[address, left],
        )
    expect(page.get_by_role("button", name="Undo the last edit")).to_have_count(0)
    page.reload()
    wait_for_scene(page)
    assert np.abs(region_colours(canvas_picture(page)) - start).mean() < 3


@dataclass(frozen=True)
class Blog:
    """A site of another origin. Chromium lets no site of an unknown network show one of this machine."""

    url: str
    folder: Path


@pytest.fixture
def blog(tmp_path: Path) -> Iterator[Blog]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Blog(url=f"http://127.0.0.1:{server.server_port}/", folder=tmp_path)
        server.shutdown()
        thread.join()


def test_another_site_shows_the_scene_in_a_frame_where_the_link_allows_it(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints, blog: Blog
) -> None:
    owner = open_page(made_scene.path)

    def code(embedding: str, sites: str = "") -> str:
        owner.get_by_label("Embedding").select_option(label=embedding)
        if sites:
            owner.get_by_label("Sites, one per line").fill(sites)
        before = owner.get_by_label("Share link").count()
        owner.get_by_role("button", name="Create share link").click()
        expect(owner.get_by_label("Share link")).to_have_count(before + 1)
        owner.get_by_role("button", name="Embed", exact=True).first.click()
        html = owner.get_by_label("Code for a page").input_value()
        owner.get_by_role("button", name="Embed", exact=True).first.click()
        return html

    def in_a_page(html: str) -> Page:
        page = open_page(made_scene.path, member=False)
        (blog.folder / "index.html").write_text(html)
        page.goto(blog.url)
        return page

    complaints.expect("40")
    page = in_a_page(f"<!doctype html><html lang=en><title>Blog</title><main><h1>Blog</h1>{code('on any site')}</main>")
    frame = page.frame_locator("iframe")
    frame.locator(".stage.shown").wait_for(timeout=60_000)
    expect(frame.get_by_role("link")).to_have_attribute("target", "_blank")
    assert frame.get_by_role("banner").count() == 0
    assert_accessible(page)
    # Its own page, and not only its frame, passes as well.
    page.goto(frame.locator("html").evaluate("() => location.href"))
    page.locator(".stage.shown").wait_for(timeout=60_000)
    assert_accessible(page)

    complaints.expect("frame-ancestors")
    elsewhere = in_a_page(code("on these sites", "https://other.example/page"))
    elsewhere.wait_for_timeout(1000)
    assert not elsewhere.frame_locator("iframe").locator(".stage").count()

    # Everybody who looked is counted.
    owner.reload()
    expect(owner.locator(".shares")).to_contain_text("Opened")
    while owner.get_by_role("button", name="Revoke").count():
        left = owner.get_by_role("button", name="Revoke").count()
        owner.get_by_role("button", name="Revoke").first.click()
        owner.get_by_role("dialog").get_by_role("button", name="Revoke the link").click()
        expect(owner.get_by_role("button", name="Revoke")).to_have_count(left - 1)


def test_a_scene_can_be_made_again_at_another_quality_with_its_price(
    made_scene: MadeScene, open_page: OpenPage
) -> None:
    page = open_page(made_scene.path)
    page.get_by_role("button", name="Make it again").click()
    dialog = page.get_by_role("dialog")
    # The next finer quality is selected, and nothing starts before the dialog's button is pressed.
    expect(dialog.get_by_role("radio", name="Standard")).to_be_checked()
    for preset in dialog.locator(".preset").all():
        expect(preset.locator(".preset-cost")).to_contain_text("$")
    expect(dialog).to_contain_text("in place of this one")
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    project = page.request.get(f"/api/projects/{made_scene.project['id']}").json()
    assert (project["state"], project["attempt"]) == ("done", made_scene.project["attempt"])


def test_a_name_with_markup_is_shown_as_text_and_a_name_with_invisible_characters_is_rejected(
    made_scene: MadeScene, open_page: OpenPage, complaints: Complaints
) -> None:
    complaints.expect("400")
    page = open_page(made_scene.path)
    name = "<img src=x onerror=document.title='broken'> & text"
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("\u202etxet")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("readable text")
    page.get_by_role("dialog").get_by_label("Name").fill(name)
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    assert page.title() != "broken"


def test_drawn_share_and_crop_measure_a_known_image() -> None:
    """Checks the helpers: a flat image has no drawn region, a half-coloured one has half."""
    flat = Image.new("RGB", (60, 40), (11, 17, 26))
    assert drawn_share(region_colours(flat)) == 0
    half = flat.copy()
    half.paste((200, 120, 40), (0, 0, 30, 40))
    assert drawn_share(region_colours(half)) == 0.5
    buffer = io.BytesIO()
    half.save(buffer, "PNG")
    assert crop_to_aspect(Image.open(buffer), 1.0).size == (40, 40)
