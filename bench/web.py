"""Size of the page and how fast it opens. Measures the built files and a real Chromium on a running stack.

.venv/bin/python -m bench.web [--url SIGN_IN_LINK [--project p_...]]    # writes bench/web.json
"""

from __future__ import annotations

import gzip
import re
import shutil
import statistics
import time
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, sync_playwright

from bench.record import BENCH, ROOT, arguments, record, write

DIST = ROOT / "edge_worker/dist/web"
RUNS = 5
HASHED = re.compile(r"-[\w-]{8}(\.\w+)$")
COMPRESSED = {".js", ".css", ".html", ".svg", ".webmanifest"}
# A slow phone connection, as Lighthouse throttles: 1.6 Mbit/s down, 150 ms round trip.
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 200_000, "uploadThroughput": 93_750}

TIMINGS = """() => {
  const [navigation] = performance.getEntriesByType("navigation");
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const resources = performance.getEntriesByType("resource");
  const transferred = resources.reduce((sum, entry) => sum + entry.transferSize, navigation.transferSize);
  return {first_paint_ms: paint?.startTime ?? null, transferred_bytes: transferred};
}"""


def sizes() -> dict[str, dict[str, int]]:
    """Bytes of each built file, and compressed where a server would compress it. Names have no hash."""
    found = {}
    for path in sorted(DIST.rglob("*")):
        if not path.is_file() or path.name == "_headers":
            continue
        plain = HASHED.sub(r"\1", path.name) if path.parent.name == "assets" else path.name
        data = path.read_bytes()
        found[plain] = {"bytes": len(data)}
        if path.suffix in COMPRESSED:
            found[plain]["gzip_bytes"] = len(gzip.compress(data, 9))
    return found


def opening(context: BrowserContext, address: str, *, ready: str, slow: bool) -> dict[str, float]:
    """Medians over fresh visits: first paint, and the moment `ready` is on the screen."""
    paints, readies, transferred = [], [], 0
    for _ in range(RUNS):
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        if slow:
            session.send("Network.emulateNetworkConditions", SLOW)
        began = time.perf_counter()
        page.goto(address)
        page.locator(ready).first.wait_for(timeout=60_000)
        readies.append((time.perf_counter() - began) * 1000)
        timings: dict[str, Any] = page.evaluate(TIMINGS)
        paints.append(timings["first_paint_ms"] or 0.0)
        transferred = timings["transferred_bytes"]
        page.close()
    return {
        "first_paint_ms": round(statistics.median(paints)),
        "ready_ms": round(statistics.median(readies)),
        "transferred_bytes": transferred,
    }


def visits(login_url: str, project: str | None) -> dict[str, Any]:
    address = urlsplit(login_url)
    origin = f"{address.scheme}://{address.netloc}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        context = browser.new_context(viewport={"width": 390, "height": 844}, service_workers="block")
        page = context.new_page()
        page.goto(login_url)
        page.close()
        result: dict[str, Any] = {
            "chromium": browser.version,
            "home": opening(context, f"{origin}/", ready=".drop", slow=False),
            "home_on_slow_4g": opening(context, f"{origin}/", ready=".drop", slow=True),
        }
        if project is not None:
            result["scene"] = opening(context, f"{origin}/p/{project}", ready=".stage.shown", slow=False)
        browser.close()
    return result


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--url", help="a sign-in link of a running stack (splat open)")
    parser.add_argument("--project", help="id of a finished project, to time the viewer")
    options = parser.parse_args()
    found: dict[str, Any] = {"files": sizes()}
    if options.url:
        found["visits"] = visits(options.url, options.project)
    write(BENCH / "web.json", record(".venv/bin/python -m bench.web", **found))


if __name__ == "__main__":
    main()
