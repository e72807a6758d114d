"""The two accounts over HTTP, with names of this run's own. Keys never get into a URL, a message or a repr.
Finds what a run created by its name, and removes it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.addresses import encrypted
from infra.runpod.client import PRODUCTION_JOB_URL, PRODUCTION_URL
from scripts.splat_cli.verify_live.check import NotObserved

CLOUDFLARE_URL = "https://api.cloudflare.com/client/v4"
NAME = re.compile(r"verify-live-[0-9a-f]{8}")
USER_AGENT = "photo-splat-verify-live/0.1"
TIMEOUT_S = 60.0
BUSY_TRIES = 4
WAIT_MAX_S = 90.0
# Item write and item read of R2, the groups of the stack's own bucket key (infra/components/storage.py).
R2_GROUPS = ("2efd5506f9c8494dacb1fa10a3e7d5b6", "6a018a9f2fc74eb6b293b0c548f38b39")
JURISDICTIONS = ("default", "eu")
KEY_LIMIT_S = 60.0  # a new key opens its bucket after some seconds


@dataclass(kw_only=True)
class Runpod:
    """One RunPod account. `transport` and `sleep` are the seams of the tests."""

    key: str = field(repr=False)
    api_url: str = PRODUCTION_URL
    job_url: str = PRODUCTION_JOB_URL
    transport: httpx.BaseTransport | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        self._http = _client(self.key, self.transport)
        self.api_url, self.job_url = (encrypted(url).rstrip("/") for url in (self.api_url, self.job_url))

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A call of the management API. Waits where the account's rate limit asks for it."""
        return self._ask(method, self.api_url + path, **given)

    def job(self, method: str, path: str, **given: Any) -> httpx.Response:
        """A call of the job API. Its own limits are observed, so that nothing waits."""
        return self._http.request(method, self.job_url + path, **given)

    def stream(self, path: str, **given: Any) -> contextlib.AbstractContextManager[httpx.Response]:
        return self._http.stream("GET", self.api_url + path, **given)

    def _ask(self, method: str, url: str, **given: Any) -> httpx.Response:
        for _ in range(BUSY_TRIES):
            answer = self._http.request(method, url, **given)
            if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return answer
            self.sleep(min(WAIT_MAX_S, max(1.0, float(answer.headers.get("retry-after") or 1))))
        return answer

    def close(self) -> None:
        self._http.close()

    def named(self) -> list[tuple[str, str, str]]:
        """(kind, id, name) of every endpoint and credential that a run of this command created."""
        found = []
        for kind, path in (("endpoint", "/serverless"), ("registries", "/registries")):
            wrapper = {"endpoint": "endpoints"}.get(kind, kind)
            for one in self._all(path, wrapper):
                if NAME.search(str(one.get("name", ""))):
                    found.append((kind, str(one["id"]), str(one["name"])))
        return found

    def remove(self, kind: str, identity: str) -> None:
        path = "/serverless" if kind == "endpoint" else "/registries"
        answer = self.call("DELETE", f"{path}/{identity}")
        if answer.status_code not in (204, 404):
            raise NotRemoved(f"{kind} {identity}: answered {answer.status_code}")

    def _all(self, path: str, wrapper: str) -> Iterator[dict[str, Any]]:
        """Every item of a list, page by page."""
        cursor: dict[str, str] = {}
        while True:
            answer = self.call("GET", path, params=cursor)
            if answer.status_code != httpx.codes.OK:
                raise NotObserved(f"GET {path} answered {answer.status_code}. Check RUNPOD_API_KEY")
            body = answer.json()
            yield from body.get(wrapper) or ()
            following = (body.get("pagination") or {}).get("nextCursor")
            if not following or following == cursor.get("cursor"):
                return
            cursor = {"cursor": following}


class NotRemoved(Exception):
    """Something that this command created could not be removed. `str()` names it."""


@dataclass(kw_only=True)
class Cloudflare:
    """One Cloudflare account. s3_url and app_url are empty on the platform, which derives them from account and
    script; the stand-in has one address of each."""

    account_id: str
    token: str = field(repr=False)
    api_url: str = CLOUDFLARE_URL
    s3_url: str = ""
    app_url: str = ""
    transport: httpx.BaseTransport | None = field(default=None, repr=False)
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        self._http = _client(self.token, self.transport)
        self._base = f"{encrypted(self.api_url).rstrip('/')}/accounts/{self.account_id}"

    def call(self, method: str, path: str, *, jurisdiction: str = "default", **given: Any) -> httpx.Response:
        """A call of the account's API."""
        headers = given.pop("headers", {})
        if jurisdiction != "default":
            headers = {**headers, "cf-r2-jurisdiction": jurisdiction}
        return self._http.request(method, self._base + path, headers=headers, **given)

    def plain(self, method: str, url: str, **given: Any) -> httpx.Response:
        """A call without the token: of a presigned address, or of a Worker."""
        with httpx.Client(
            transport=_kept_open(self.transport), timeout=TIMEOUT_S, headers={"User-Agent": USER_AGENT}
        ) as http:
            return http.request(method, url, **given)

    def close(self) -> None:
        self._http.close()

    def s3_endpoint(self, jurisdiction: str = "default") -> str:
        place = "" if jurisdiction == "default" else f"{jurisdiction}."
        return self.s3_url or f"https://{self.account_id}.{place}r2.cloudflarestorage.com"

    def worker_url(self, script: str) -> str:
        """Where a script answers. Needs the account's subdomain of workers.dev."""
        if self.app_url:
            return self.app_url
        answer = self.call("GET", "/workers/subdomain")
        subdomain = (answer.json().get("result") or {}).get("subdomain")
        if not subdomain:
            raise NotObserved(
                "the account has no subdomain of workers.dev. Open Workers in Cloudflare's dashboard once"
            )
        return f"https://{script}.{subdomain}.workers.dev"

    def new_key(self, name: str, bucket: str, jurisdiction: str) -> dict[str, Any]:
        """A token that opens one bucket: id, value, and what else the platform answers."""
        resource = f"com.cloudflare.edge.r2.bucket.{self.account_id}_{jurisdiction}_{bucket}"
        policy = {"effect": "allow", "permission_groups": [{"id": one} for one in R2_GROUPS]}
        body = {"name": name, "policies": [{**policy, "resources": {resource: "*"}}]}
        answer = self.call("POST", "/tokens", json=body)
        if not answer.is_success:
            raise NotObserved(f"POST /tokens answered {answer.status_code}. The token needs edit on Account API Tokens")
        return dict(answer.json()["result"])

    def s3(self, key: dict[str, Any], jurisdiction: str = "default") -> Any:
        """The official S3 client with a key of `new_key`."""
        return boto3.client(
            "s3",
            endpoint_url=self.s3_endpoint(jurisdiction),
            aws_access_key_id=key["id"],
            aws_secret_access_key=hashlib.sha256(key["value"].encode()).hexdigest(),
            region_name="auto",
            config=Config(s3={"addressing_style": "path"}, signature_version="s3v4", retries={"max_attempts": 2}),
        )

    def named(self) -> list[tuple[str, str, str]]:
        """(kind, id, name) of every script, bucket and token that a run of this command created."""
        found = []
        for one in self._listed("/workers/scripts"):
            found.append(("script", str(one["id"]), str(one["id"])))
        for jurisdiction in JURISDICTIONS:
            for one in self._listed("/r2/buckets", jurisdiction=jurisdiction, inside="buckets"):
                found.append((f"bucket:{jurisdiction}", str(one["name"]), str(one["name"])))
        for page in range(1, 200):
            listed = self._listed(f"/tokens?page={page}&per_page=50")
            found += [("token", str(one["id"]), str(one["name"])) for one in listed]
            if len(listed) < 50:
                break
        return [one for one in found if NAME.search(one[2])]

    def remove(self, kind: str, identity: str) -> None:
        if kind == "script":
            answer = self.call("DELETE", f"/workers/scripts/{identity}?force=true")
        elif kind == "token":
            answer = self.call("DELETE", f"/tokens/{identity}")
        else:
            jurisdiction = kind.partition(":")[2]
            answer = self.call("DELETE", f"/r2/buckets/{identity}", jurisdiction=jurisdiction)
            if answer.status_code not in (200, 404):
                self._empty(identity, jurisdiction)
                answer = self.call("DELETE", f"/r2/buckets/{identity}", jurisdiction=jurisdiction)
        if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
            raise NotRemoved(f"{kind.partition(':')[0]} {identity}: answered {answer.status_code}")

    def _empty(self, bucket: str, jurisdiction: str) -> None:
        """Delete every object, with a key of its own that is revoked afterwards."""
        named = NAME.search(bucket)
        key = self.new_key(f"{named.group() if named else bucket} emptying", bucket, jurisdiction)
        try:
            s3 = self.s3(key, jurisdiction)
            until = time.monotonic() + KEY_LIMIT_S
            while True:
                try:
                    listed = s3.list_objects_v2(Bucket=bucket, MaxKeys=1000).get("Contents") or []
                    if not listed:
                        return
                    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": one["Key"]} for one in listed]})
                except (BotoCoreError, ClientError) as problem:
                    if time.monotonic() > until:
                        raise NotRemoved(f"bucket {bucket} was not emptied ({type(problem).__name__})") from None
                    self.sleep(2.0)
        finally:
            self.call("DELETE", f"/tokens/{key['id']}")

    def _listed(self, path: str, *, jurisdiction: str = "default", inside: str = "") -> list[dict[str, Any]]:
        answer = self.call("GET", path, jurisdiction=jurisdiction)
        if not answer.is_success:
            raise NotObserved(f"GET {path.partition('?')[0]} answered {answer.status_code}. Check CLOUDFLARE_API_TOKEN")
        result = answer.json()["result"]
        return list(result[inside] if inside else result)


class _Borrowed(httpx.BaseTransport):
    """A transport that outlives the client which uses it."""

    def __init__(self, lent: httpx.BaseTransport) -> None:
        self.handle_request = lent.handle_request  # type: ignore[method-assign]


def _kept_open(transport: httpx.BaseTransport | None) -> httpx.BaseTransport | None:
    return None if transport is None else _Borrowed(transport)


def _client(key: str, transport: httpx.BaseTransport | None) -> httpx.Client:
    return httpx.Client(
        headers={"Authorization": f"Bearer {key}", "User-Agent": USER_AGENT},
        transport=_kept_open(transport),
        timeout=TIMEOUT_S,
        follow_redirects=False,  # a redirect would carry the key to another host
    )


def asset_hash(content: bytes, suffix: str) -> str:
    """Name of a file in an upload of assets: any 32 hex digits that change with the content."""
    return hashlib.sha256(content + suffix.encode()).hexdigest()[:32]


def metadata_part(metadata: dict[str, Any]) -> tuple[None, str, str]:
    """The part of a script's upload that describes it, as httpx sends it."""
    return (None, json.dumps(metadata), "application/json")
