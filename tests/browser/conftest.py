"""The web app in a real Chromium, on a real local stack.
Every test also fails on a content security violation or an uncaught error of the page.

To use a stack that is already up, set SPLAT_BROWSER_STATE to its state folder (`.local` for `make up`).
To use other photos, set SPLAT_BROWSER_PHOTOS to their folder.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from tests.browser.canvas import wait_for_scene
from tests.conftest import LocalStack, run_splat

ROOT = Path(__file__).parents[2]
OUT = ROOT / "tests/_out/browser"

# Reduced motion, so that no test has to wait for a fade.
DESKTOP = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
JOB_LIMIT_S = 900
# Two cores that also train and render in software respond slowly. A wait ends as soon as its condition holds.
expect.set_options(timeout=20_000)

# The engine logs these on a machine without a graphics card. People do not notice them.
HARMLESS = ("GL Driver Message", "No available adapters", "Automatic fallback to software WebGL")


@dataclass
class Complaints:
    """Console errors, console warnings and uncaught errors on the pages of one test."""

    messages: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.messages.append(f"uncaught: {error}"))

    def expect(self, part: str) -> None:
        """Accept complaints that contain `part`: the test provokes them."""
        self.expected.append(part)

    def unexpected(self) -> list[str]:
        known = (*HARMLESS, *self.expected)
        return [message for message in self.messages if not any(part in message for part in known)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.messages.append(f"{message.type}: {message.text} ({message.location.get('url', '')})")


@pytest.fixture(scope="session")
def site(request: pytest.FixtureRequest) -> LocalStack:
    """The stack under test: a fresh one, or the one named in the environment."""
    state = os.environ.get("SPLAT_BROWSER_STATE")
    if state is None:
        stack: LocalStack = request.getfixturevalue("local_stack")
    else:
        outputs = run_splat("outputs", "--json", state=Path(state).resolve())
        assert outputs.returncode == 0, outputs.stderr
        photos = os.environ.get("SPLAT_BROWSER_PHOTOS") or request.getfixturevalue("small_photos")
        stack = LocalStack(
            state=Path(state).resolve(), app_url=json.loads(outputs.stdout)["appUrl"], photos_dir=Path(photos)
        )
    return dataclasses.replace(stack, app_url=stack.app_url.rstrip("/"))


@pytest.fixture(scope="session")
def photos(site: LocalStack) -> list[Path]:
    """The photos that the tests choose, in order."""
    return sorted(path for path in site.photos_dir.iterdir() if path.suffix.lower() in (".jpg", ".jpeg"))


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """The system's Chromium if installed, else playwright's own download."""
    installed = shutil.which("chromium")
    browser = playwright.chromium.launch(
        executable_path=installed, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
    )
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def signed_in(chromium: Browser, site: LocalStack) -> Any:
    """The cookies of a browser that opened a sign-in link."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(site.login_url())
    assert page.url == f"{site.app_url}/"
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    noted = Complaints()
    yield noted
    assert noted.unexpected() == []


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(
    chromium: Browser, site: LocalStack, signed_in: Any, complaints: Complaints, request: pytest.FixtureRequest
) -> Iterator[OpenPage]:
    """Opens a page of the app in a fresh browser context. Saves a screenshot of each page at the end."""
    contexts: list[BrowserContext] = []

    def _open(path: str = "/", *, member: bool = True, **options: Any) -> Page:
        context = chromium.new_context(
            base_url=site.app_url, storage_state=signed_in if member else None, **{**DESKTOP, **options}
        )
        contexts.append(context)
        page = context.new_page()
        complaints.watch(page)
        page.goto(path)
        return page

    yield _open
    OUT.mkdir(parents=True, exist_ok=True)
    for number, context in enumerate(contexts):
        for page in context.pages:
            page.screenshot(path=OUT / f"{request.node.name}-{number}.png")
        context.close()


@dataclass(frozen=True, kw_only=True)
class MadeScene:
    """A scene made through the app, and the steps shown while it was made."""

    path: str
    steps_seen: tuple[str, ...]
    project: dict[str, Any]


@pytest.fixture(scope="session")
def made_scene(chromium: Browser, site: LocalStack, signed_in: Any, photos: list[Path]) -> MadeScene:
    """Drop photos, start the job and wait for the scene. Once, for all tests that need a scene."""
    OUT.mkdir(parents=True, exist_ok=True)
    context = chromium.new_context(base_url=site.app_url, storage_state=signed_in, **DESKTOP)
    page = context.new_page()
    noted = Complaints()
    # A preview announced just before the job ends may be gone when it is fetched. The scene follows at once.
    noted.expect("preview.sog")
    noted.watch(page)
    page.goto("/")
    drop_files(page, photos)
    page.get_by_role("heading", name=f"{len(photos)} photos").wait_for()
    page.get_by_label("Name").fill("Still life from the browser test")
    page.screenshot(path=OUT / "story-1-review.png")
    start = page.get_by_role("button", name="Make the scene")
    page.wait_for_timeout(500)
    start.click()
    page.wait_for_url("**/p/*")
    page.screenshot(path=OUT / "story-2-upload.png")
    steps = watch_steps(page, limit_s=JOB_LIMIT_S)
    wait_for_scene(page)
    page.screenshot(path=OUT / "story-4-scene.png")
    path = page.url.removeprefix(site.app_url)
    project = page.request.get(f"/api/projects/{path.split('/')[-1]}").json()
    context.close()
    assert noted.unexpected() == []
    return MadeScene(path=path, steps_seen=steps, project=project)


def drop_files(page: Page, files: list[Path]) -> None:
    """Drop files on the page, through the browser's own drag events."""
    page.get_by_text("Drop your photos here").wait_for()
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 300, "data": data})
    session.detach()


def watch_steps(page: Page, *, limit_s: float) -> tuple[str, ...]:
    """Watch a job on its page until the scene is shown. Returns the steps in the order they were in progress."""
    seen: list[str] = []
    pictured = False
    for _ in range(int(limit_s * 4)):
        if page.locator("article.scene").count():
            return tuple(seen)
        failure = page.locator(".steps .stopped")
        assert not failure.count(), page.locator("main").inner_text()
        now = page.locator(".steps .now .step-label")
        words = now.first.inner_text().split("\n")[0].split(",")[0] if now.count() else ""
        if words and (not seen or seen[-1] != words):
            seen.append(words)
        if words == "Training" and not pictured and page.locator(".stage.shown").count():
            page.screenshot(path=OUT / "story-3-preview.png")
            pictured = True
        page.wait_for_timeout(250)
    pytest.fail(f"no scene after {limit_s} s; steps seen: {seen}")
