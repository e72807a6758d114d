"""The tab and a message to the browser while a job runs and when it has ended. No test waits for a whole scene.

A browser without a screen has no push service of its own, so a subscription that leads to a service of the test
stands in for it. Token and encryption are checked in edge_worker/test/integration/push.test.ts.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.checks import assert_accessible, delete
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]

# A valid key of a browser: the example of RFC 8291.
SUBSCRIBE = """(endpoint) => {
    const keys = {
        p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        auth: "BTBZMqHH6r4Tts7J_aSIgg",
    };
    PushManager.prototype.getSubscription = async () => null;
    PushManager.prototype.subscribe = async (options) => {
        if (options.userVisibleOnly !== true || options.applicationServerKey.length !== 87) throw new Error("options");
        return { toJSON: () => ({ endpoint, expirationTime: null, keys }) };
    };
}"""


@dataclass
class PushService:
    url: str
    headers: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def push_service() -> Iterator[PushService]:
    service = PushService(url="")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            service.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(201)
            self.end_headers()
            service.arrived.set()

        def log_message(self, *_arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_port}/send/one"
        yield service
        server.shutdown()
        thread.join()


def start_a_job(page: Page, photos: list[Path]) -> None:
    page.locator("[data-picker=photos]").set_input_files(photos[:5])
    page.get_by_role("button", name="Make the scene").click()
    expect(page.get_by_role("button", name="Cancel the job")).to_be_visible(timeout=60_000)


def cancel_the_job(page: Page) -> None:
    page.get_by_role("button", name="Cancel the job").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled", timeout=30_000)


def test_a_browser_that_asks_for_it_gets_a_message_when_the_job_has_ended(
    open_page: OpenPage, photos: list[Path], push_service: PushService
) -> None:
    page = open_page("/", permissions=["notifications"])
    # Nobody is asked before a job has started.
    expect(page.get_by_role("button", name="Notify me when it is done")).to_have_count(0)
    start_a_job(page, photos)
    assert page.title().split(" · ")[0] == "Waiting" or "% · " in page.title()
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/icons/icon-live.svg")
    page.evaluate(SUBSCRIBE, push_service.url)
    page.get_by_role("button", name="Notify me when it is done").click()
    expect(page.get_by_text("This browser will notify you when the job has ended.")).to_be_visible()
    assert_accessible(page)
    cancel_the_job(page)
    assert push_service.arrived.wait(30)
    [headers] = push_service.headers
    assert headers["authorization"].startswith("vapid t=")
    assert headers["content-encoding"] == "aes128gcm"
    expect(page.locator("link[rel=icon]")).to_have_attribute("href", "/icons/icon.svg")

    # What the browser makes of the message that it decrypts.
    session = page.context.new_cdp_session(page)
    registrations: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(one["registrationId"] for one in event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_timeout(500)
    path = page.evaluate("location.pathname")
    message = {"title": "Kettle", "body": "Your scene is ready.", "path": path}
    arguments = {
        "origin": page.evaluate("location.origin"),
        "registrationId": registrations[0],
        "data": json.dumps(message),
    }
    session.send("ServiceWorker.deliverPushMessage", arguments)
    page.wait_for_function(
        """async ([title, body]) => {
            const all = await (await navigator.serviceWorker.ready).getNotifications();
            return all.some((one) => one.title === title && one.body === body);
        }""",
        arg=[message["title"], message["body"]],
    )
    delete(page)
