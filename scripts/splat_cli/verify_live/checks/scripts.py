"""Stage 4, Workers: upload, bindings, secrets, Durable Object migration, assets, schedule, address.
The Worker receives the webhooks of the jobs stage, too."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from scripts.splat_cli.verify_live.accounts import Cloudflare, asset_hash, metadata_part
from scripts.splat_cli.verify_live.check import NotObserved, Stage
from scripts.splat_cli.verify_live.checks.buckets import code

MODULE = Path(__file__).with_name("receiver.mjs")
COMPATIBILITY_DATE = "2026-01-01"
PAGE = b"<!doctype html><title>verify</title>"
FIRST = {"new_tag": "v1", "new_sqlite_classes": ["Calls"]}
CARRIED = {"old_tag": "v1", "new_tag": "v1"}
CRON = "17 4 * * *"
ADDRESS_LIMIT_S = 90.0  # a new address under workers.dev answers after some seconds


@dataclass(kw_only=True)
class Scripts:
    """One Worker of one run."""

    cloudflare: Cloudflare
    name: str
    secret: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    url: str = ""
    changed: bool = True
    """Whether the deployed script may differ from `restore`'s."""

    @property
    def path(self) -> str:
        return f"/workers/scripts/{self.name}"

    def start(self) -> None:
        """Upload with assets and a first migration, switch the address on, and wait until it answers."""
        answer = self.upload(migrations=FIRST, assets=self.assets())
        if not answer.is_success:
            raise NotObserved(f"PUT {self.path} answered {answer.status_code}: {answer.text[:200]}")
        self.cloudflare.call("POST", f"{self.path}/subdomain", json={"enabled": True})
        self.url = self.cloudflare.worker_url(self.name)
        if self.eventually(lambda: self.get("/version").status_code, 200) != httpx.codes.OK:
            raise NotObserved(f"the Worker did not answer within {ADDRESS_LIMIT_S:.0f} s")

    def upload(self, *, migrations: Any = None, assets: str = "", name: str = "", **changes: Any) -> httpx.Response:
        """PUT of the script. Bindings are sorted by name, as in the stack."""
        bindings = [
            *([{"name": "ASSETS", "type": "assets"}] if assets else []),
            {"name": "CALLS", "type": "durable_object_namespace", "class_name": "Calls"},
            {"name": "SECRET", "type": "secret_text", "text": self.secret},
            {"name": "TEXT", "type": "plain_text", "text": "plain"},
        ]
        metadata: dict[str, Any] = {
            "main_module": "index.mjs",
            "compatibility_date": COMPATIBILITY_DATE,
            "bindings": bindings,
            **({"migrations": migrations} if migrations else {}),
            **({"assets": {"jwt": assets, "config": {"run_worker_first": ["/version"]}}} if assets else {}),
            **changes,
        }
        files = {
            "metadata": metadata_part(metadata),
            "index.mjs": ("index.mjs", MODULE.read_bytes(), "application/javascript+module"),
        }
        return self.cloudflare.call("PUT", f"/workers/scripts/{name or self.name}", files=files)

    def assets(self) -> str:
        """The completion token of an upload of one page."""
        digest = asset_hash(PAGE, ".html")
        manifest = {"/page.html": {"hash": digest, "size": len(PAGE)}}
        opened = self.cloudflare.call("POST", f"{self.path}/assets-upload-session", json={"manifest": manifest})
        if not opened.is_success:
            raise NotObserved(f"the session for assets answered {opened.status_code}")
        session = opened.json()["result"]
        if not session["buckets"]:  # an account that has the file already
            return str(session["jwt"])
        answer = self.cloudflare.call(
            "POST",
            "/workers/assets/upload?base64=true",
            headers={"Authorization": f"Bearer {session['jwt']}"},
            files={digest: (digest, base64.b64encode(PAGE), "text/html")},
        )
        return str(answer.json()["result"]["jwt"])

    def restore(self) -> None:
        """The script as the checks expect it. An upload takes a second, so only after a change."""
        if self.changed:
            answer = self.upload(migrations=CARRIED, assets=self.assets())
            if not answer.is_success:
                raise ValueError(f"an upload with the carried tag answered {answer.status_code}: {answer.text[:200]}")
            self.changed = False

    def get(self, path: str) -> httpx.Response:
        return self.cloudflare.plain("GET", self.url + path)

    def settings(self) -> list[dict[str, Any]]:
        return list(self.cloudflare.call("GET", f"{self.path}/settings").json()["result"]["bindings"])

    def calls(self) -> list[dict[str, Any]]:
        """The webhook calls that the Worker got: method, headers, body."""
        return list(self.get(f"/calls/{self.secret}").json())

    @property
    def hook(self) -> str:
        return f"{self.url}/hook/{self.secret}"

    def eventually(self, read: Callable[[], Any], wanted: Any, *, limit_s: float = ADDRESS_LIMIT_S) -> Any:
        until = time.monotonic() + limit_s
        while True:
            try:
                seen = read()
            except httpx.HTTPError:  # a name that does not resolve yet
                seen = None
            if seen == wanted or time.monotonic() > until:
                return seen
            self.cloudflare.sleep(1.0)


STAGE: Stage[Scripts] = Stage(name="worker", title="Cloudflare Workers")
check = STAGE.check


@check("script-listed", how="the script in GET /workers/scripts: its migration_tag", expects="v1")
def _(on: Scripts) -> Any:
    listed = on.cloudflare.call("GET", "/workers/scripts").json()["result"]
    return next(one.get("migration_tag") for one in listed if one["id"] == on.name)


@check("migration-repeated", how="the first migration in a second upload", expects=10079)
def _(on: Scripts) -> Any:
    return code(on.upload(migrations=FIRST))


@check("migration-carried", how="an upload with old_tag v1 and new_tag v1: status", expects=200)
def _(on: Scripts) -> Any:
    return on.upload(migrations=CARRIED, assets=on.assets()).status_code


@check("class-without-migration", how="a new script that binds a class without a migration", expects=10061)
def _(on: Scripts) -> Any:
    name = f"{on.name}-second"
    answer = on.upload(name=name)
    if answer.is_success:
        on.cloudflare.call("DELETE", f"/workers/scripts/{name}?force=true")
    return code(answer)


@check("objects-survive", how="calls in a Durable Object after another upload", expects=True)
def _(on: Scripts) -> Any:
    on.cloudflare.plain("POST", on.hook, content=b"before")
    on.changed = True
    on.restore()
    return "before" in [one["body"] for one in on.calls()]


@check(
    "bindings-order", how="names in GET settings, sent sorted by name", expects=["ASSETS", "CALLS", "SECRET", "TEXT"]
)
def _(on: Scripts) -> Any:
    on.restore()
    return [one["name"] for one in on.settings()]


@check("secret-hidden", how="whether GET settings has the text of secret_text and of plain_text", expects=[False, True])
def _(on: Scripts) -> Any:
    found = {one["name"]: one for one in on.settings()}
    return ["text" in found["SECRET"], found["TEXT"].get("text") == "plain"]


@check("secret-added", how="PUT secrets: whether the binding is listed, and the code has it", expects=[True, True])
def _(on: Scripts) -> Any:
    _add_secret(on)
    listed = "LATE" in [one["name"] for one in on.settings()]
    return [listed, on.eventually(lambda: on.get("/version").json()["late"], True, limit_s=30)]


@check("secret-dropped", how="an upload that does not list that secret: whether it stays", expects=False)
def _(on: Scripts) -> Any:
    _add_secret(on)
    on.restore()
    return "LATE" in [one["name"] for one in on.settings()]


def _add_secret(on: Scripts) -> None:
    on.changed = True
    body = {"name": "LATE", "text": "verify-live", "type": "secret_text"}
    answer = on.cloudflare.call("PUT", f"{on.path}/secrets", json=body)
    if not answer.is_success:
        raise ValueError(f"PUT secrets answered {answer.status_code}")


@check("binding-default-jurisdiction", how="an r2_bucket binding with jurisdiction default", expects="rejected")
def _(on: Scripts) -> Any:
    bucket = {"name": "BUCKET", "type": "r2_bucket", "bucket_name": on.name, "jurisdiction": "default"}
    name = f"{on.name}-second"
    made = on.cloudflare.call("POST", "/r2/buckets", json={"name": on.name})
    try:
        answer = on.upload(name=name, bindings=[bucket])
        if answer.is_success:
            on.cloudflare.call("DELETE", f"/workers/scripts/{name}?force=true")
        return "accepted" if answer.is_success else "rejected"
    finally:
        if made.is_success:
            on.cloudflare.call("DELETE", f"/r2/buckets/{on.name}")


@check(
    "assets-served", how="GET of an asset, and of a path that is none", expects={"page": 200, "same": True, "none": 404}
)
def _(on: Scripts) -> Any:
    on.restore()
    # Pages are served without their suffix.
    page = on.eventually(lambda: on.get("/page").content, PAGE, limit_s=30)
    return {"page": on.get("/page").status_code, "same": page == PAGE, "none": on.get("/nothing").status_code}


@check("schedule-back", how="PUT and GET of schedules", expects=[CRON])
def _(on: Scripts) -> Any:
    on.cloudflare.call("PUT", f"{on.path}/schedules", json=[{"cron": CRON}])
    found = on.cloudflare.call("GET", f"{on.path}/schedules").json()["result"]["schedules"]
    return [one["cron"] for one in found]


@check(
    "address-off", how="GET of the address after it was switched off, and on again", expects={"off": True, "on": 200}
)
def _(on: Scripts) -> Any:
    on.cloudflare.call("POST", f"{on.path}/subdomain", json={"enabled": False})
    off = on.eventually(lambda: on.get("/version").is_success, False)
    on.cloudflare.call("POST", f"{on.path}/subdomain", json={"enabled": True})
    return {"off": not off, "on": on.eventually(lambda: on.get("/version").status_code, 200)}


@check("absent-script", how="GET settings of a script that does not exist", expects={"status": 404, "code": 10007})
def _(on: Scripts) -> Any:
    answer = on.cloudflare.call("GET", f"/workers/scripts/{on.name}-absent/settings")
    return {"status": answer.status_code, "code": code(answer)}
