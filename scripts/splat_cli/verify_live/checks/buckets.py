"""Stage 3, R2: bucket, key, presigned addresses, CORS, lifecycle, jurisdiction. Two small buckets, some bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import httpx

from scripts.splat_cli.verify_live.accounts import Cloudflare
from scripts.splat_cli.verify_live.check import NotObserved, Stage

STAGE: Stage[Buckets]
ORIGIN, FOREIGN = "https://app.example", "https://foreign.example"
CORS = {
    "rules": [
        {
            "id": "app",
            "allowed": {"origins": [ORIGIN], "methods": ["GET", "HEAD", "PUT"], "headers": ["content-type", "range"]},
            "exposeHeaders": ["etag"],
            "maxAgeSeconds": 3600,
        }
    ]
}
# One rule that only aborts and one that only deletes: the shape of the stack's own rules (provider issue 7338).
LIFECYCLE = {
    "rules": [
        {
            "id": "abort-unfinished-uploads",
            "enabled": True,
            "conditions": {"prefix": ""},
            "abortMultipartUploadsTransition": {"condition": {"type": "Age", "maxAge": 604_800}},
        },
        {
            "id": "expire-objects",
            "enabled": True,
            "conditions": {"prefix": ""},
            "deleteObjectsTransition": {"condition": {"type": "Age", "maxAge": 86_400}},
        },
    ]
}
KEY_LIMIT_S = 60.0
RULES_LIMIT_S = 30.0  # CORS rules take effect after some seconds


@dataclass(kw_only=True)
class Buckets:
    """Two buckets of one run. `key` opens the first."""

    cloudflare: Cloudflare
    name: str
    key: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def s3(self) -> Any:
        """The official client; it signs addresses. `start` creates its key."""
        return self.cloudflare.s3(self.key)

    @property
    def other(self) -> str:
        return f"{self.name}-other"

    def start(self) -> None:
        """Create both buckets and the key, and wait until the key opens its bucket."""
        for bucket in (self.name, self.other):
            answer = self.cloudflare.call("POST", "/r2/buckets", json={"name": bucket})
            if not answer.is_success:
                raise NotObserved(f"POST /r2/buckets answered {answer.status_code}: {answer.text[:200]}")
        self.key = self.cloudflare.new_key(f"{self.name} objects", self.name, "default")
        self.eventually(lambda: self.send("PUT", "probe", content=b"probe").status_code, 200, limit_s=KEY_LIMIT_S)

    def address(self, operation: str, key: str, *, bucket: str = "", seconds: int = 600, **parameters: Any) -> str:
        """A presigned address."""
        given = {"Bucket": bucket or self.name, "Key": key, **parameters}
        signed: str = self.s3.generate_presigned_url(operation, Params=given, ExpiresIn=seconds)
        return signed

    def send(self, method: str, key: str, *, bucket: str = "", **given: Any) -> httpx.Response:
        operation = {"PUT": "put_object", "GET": "get_object"}[method]
        return self.cloudflare.plain(method, self.address(operation, key, bucket=bucket), **given)

    def rules(self, part: str) -> httpx.Response:
        return self.cloudflare.call("GET", f"/r2/buckets/{self.name}/{part}")

    def eventually(self, read: Callable[[], Any], wanted: Any, *, limit_s: float = RULES_LIMIT_S) -> Any:
        """The value once it is the wanted one, or the last one seen: the platform takes seconds for some changes."""
        until = time.monotonic() + limit_s
        while (seen := read()) != wanted and time.monotonic() < until:
            self.cloudflare.sleep(1.0)
        return seen


STAGE = Stage(name="buckets", title="R2")
check = STAGE.check


def code(answer: httpx.Response) -> Any:
    """The number of a failure of Cloudflare's API, None of a success."""
    return next((one["code"] for one in answer.json().get("errors") or ()), None)


@check("bucket-answer", how="fields of GET /r2/buckets/<name>", expects=True)
def _(on: Buckets) -> Any:
    found = on.cloudflare.call("GET", f"/r2/buckets/{on.name}").json()["result"]
    return {"name", "location", "creation_date"} <= found.keys()


@check("bucket-exists", how="POST /r2/buckets with the name of a bucket", expects={"status": 409, "code": 10004})
def _(on: Buckets) -> Any:
    answer = on.cloudflare.call("POST", "/r2/buckets", json={"name": on.name})
    return {"status": answer.status_code, "code": code(answer)}


@check(
    "bucket-elsewhere",
    how="GET of the bucket with the header of another jurisdiction",
    expects={
        "status": 404,
        "code": 10006,
    },
)
def _(on: Buckets) -> Any:
    answer = on.cloudflare.call("GET", f"/r2/buckets/{on.name}", jurisdiction="eu")
    return {"status": answer.status_code, "code": code(answer)}


@check("bucket-in-jurisdiction", how="a bucket with the header eu: GET with and without it", expects=[200, 404])
def _(on: Buckets) -> Any:
    name = f"{on.name}-eu"
    made = on.cloudflare.call("POST", "/r2/buckets", jurisdiction="eu", json={"name": name})
    if not made.is_success:
        raise NotObserved(f"POST /r2/buckets answered {made.status_code} for the jurisdiction eu")
    try:
        return [
            on.cloudflare.call("GET", f"/r2/buckets/{name}", jurisdiction=place).status_code
            for place in ("eu", "default")
        ]
    finally:
        on.cloudflare.call("DELETE", f"/r2/buckets/{name}", jurisdiction="eu")


@check("bucket-not-empty", how="DELETE of a bucket with an object", expects={"status": 409, "code": 10008})
def _(on: Buckets) -> Any:
    on.send("PUT", "probe", content=b"probe")
    answer = on.cloudflare.call("DELETE", f"/r2/buckets/{on.name}")
    return {"status": answer.status_code, "code": code(answer)}


@check(
    "presigned-put-get",
    how="bytes put and read at presigned addresses, signed with SHA-256 of the token",
    expects={
        "put": 200,
        "get": 200,
        "same": True,
        "etag": True,
    },
)
def _(on: Buckets) -> Any:
    put = on.send("PUT", "a", content=b"photo")
    got = on.send("GET", "a")
    return {
        "put": put.status_code,
        "get": got.status_code,
        "same": got.content == b"photo",
        "etag": put.headers.get("etag") == got.headers.get("etag") != "",
    }


@check(
    "presigned-range", how="GET with Range: bytes=1-2", expects={"status": 206, "range": "bytes 1-2/5", "body": "ho"}
)
def _(on: Buckets) -> Any:
    on.send("PUT", "a", content=b"photo")
    got = on.send("GET", "a", headers={"Range": "bytes=1-2"})
    return {"status": got.status_code, "range": got.headers.get("content-range"), "body": got.text}


@check("presigned-once", how="PUT with a signed If-None-Match: *, twice", expects=[200, 412])
def _(on: Buckets) -> Any:
    address = on.address("put_object", f"once-{time.time_ns()}", IfNoneMatch="*")
    return [
        on.cloudflare.plain("PUT", address, content=b"1", headers={"If-None-Match": "*"}).status_code for _ in range(2)
    ]


@check("presigned-expired", how="GET of an address that was valid for one second", expects=403)
def _(on: Buckets) -> Any:
    address = on.address("get_object", "probe", seconds=1)
    time.sleep(2.0)  # seconds of the platform's clock, not of ours
    return on.cloudflare.plain("GET", address).status_code


@check("presigned-changed", how="GET of an address with another signature", expects=403)
def _(on: Buckets) -> Any:
    address = on.address("get_object", "probe")
    return on.cloudflare.plain("GET", address[:-4] + ("0000" if not address.endswith("0000") else "1111")).status_code


@check("absent-object", how="GET of a key that does not exist", expects={"status": 404, "NoSuchKey": True})
def _(on: Buckets) -> Any:
    answer = on.send("GET", "absent")
    return {"status": answer.status_code, "NoSuchKey": "NoSuchKey" in answer.text}


@check("key-opens-one-bucket", how="PUT to the run's other bucket with the key of the first", expects=True)
def _(on: Buckets) -> Any:
    return on.send("PUT", "a", bucket=on.other, content=b"1").status_code in (401, 403)


@check("token-value-once", how="fields of the token in the list: whether `value` is among them", expects=False)
def _(on: Buckets) -> Any:
    for page in range(1, 200):
        listed = on.cloudflare.call("GET", f"/tokens?page={page}&per_page=50").json()["result"]
        for one in listed:
            if one["id"] == on.key["id"]:
                return "value" in one
        if not listed:
            break
    raise ValueError("the new token is not in the list")


@check("cors-absent", how="GET of the rules of a new bucket", expects={"status": 404, "code": 10059})
def _(on: Buckets) -> Any:
    answer = on.cloudflare.call("GET", f"/r2/buckets/{on.other}/cors")
    return {"status": answer.status_code, "code": code(answer)}


@check("cors-back", how="the rules of the stack, set and read: whether they are the same", expects=True)
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    return on.rules("cors").json()["result"]["rules"] == CORS["rules"]


@check(
    "cors-has-no-jurisdiction", how="fields of the same answer that the stack did not set (provider 5607)", expects=[]
)
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    [rule] = on.rules("cors").json()["result"]["rules"]
    return sorted(rule.keys() - CORS["rules"][0].keys())


@check(
    "cors-allows",
    how="preflight of a PUT from the app: allowed origin and method",
    expects={
        "origin": ORIGIN,
        "put": True,
    },
)
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    on.eventually(lambda: preflight(on, ORIGIN).headers.get("access-control-allow-origin"), ORIGIN)
    answer = preflight(on, ORIGIN)
    allowed = answer.headers.get("access-control-allow-methods", "")
    return {"origin": answer.headers.get("access-control-allow-origin"), "put": "PUT" in allowed}


@check("cors-preflight-status", how="status of the same answer", expects=204)
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    on.eventually(lambda: preflight(on, ORIGIN).headers.get("access-control-allow-origin"), ORIGIN)
    return preflight(on, ORIGIN).status_code


@check("cors-refuses", how="preflight from another origin", expects={"status": 403, "origin": None})
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    answer = preflight(on, FOREIGN)
    return {"status": answer.status_code, "origin": answer.headers.get("access-control-allow-origin")}


@check("cors-exposes", how="GET from the app: exposed headers", expects="etag")
def _(on: Buckets) -> Any:
    set_rules(on, "cors", CORS)
    on.send("PUT", "probe", content=b"probe")

    def exposed() -> Any:
        answer = on.send("GET", "probe", headers={"Origin": ORIGIN})
        return answer.headers.get("access-control-expose-headers", "").lower()

    return on.eventually(exposed, "etag")


def preflight(on: Buckets, origin: str) -> httpx.Response:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PUT"}
    return on.cloudflare.plain("OPTIONS", on.address("put_object", "a"), headers=headers)


def set_rules(on: Buckets, part: str, rules: dict[str, Any]) -> None:
    answer = on.cloudflare.call("PUT", f"/r2/buckets/{on.name}/{part}", json=rules)
    if not answer.is_success:
        raise ValueError(f"PUT of {part} answered {answer.status_code}: {answer.text[:200]}")


@check("lifecycle-own-rule", how="rules of a new bucket: seconds after which uploads are aborted", expects=[604_800])
def _(on: Buckets) -> Any:
    rules = on.cloudflare.call("GET", f"/r2/buckets/{on.other}/lifecycle").json()["result"]["rules"]
    return [one["abortMultipartUploadsTransition"]["condition"]["maxAge"] for one in rules]


@check(
    "lifecycle-replaces",
    how="ids after the rules of the stack were set",
    expects=[
        "abort-unfinished-uploads",
        "expire-objects",
    ],
)
def _(on: Buckets) -> Any:
    set_rules(on, "lifecycle", LIFECYCLE)
    return sorted(one["id"] for one in on.rules("lifecycle").json()["result"]["rules"])


@check(
    "lifecycle-back",
    how="fields of an abort-only and a delete-only rule that come back (provider 7338)",
    expects={
        "abort-unfinished-uploads": ["abortMultipartUploadsTransition", "conditions", "enabled", "id"],
        "expire-objects": ["conditions", "deleteObjectsTransition", "enabled", "id"],
    },
)
def _(on: Buckets) -> Any:
    set_rules(on, "lifecycle", LIFECYCLE)
    return {one["id"]: sorted(one) for one in on.rules("lifecycle").json()["result"]["rules"]}
