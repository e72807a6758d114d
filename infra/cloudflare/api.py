"""The calls of Cloudflare's API that its Pulumi provider does not make for us: queries, deletions, revoking tokens.
Knows nothing of Pulumi; never puts the token into a URL, a log or an error."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from infra.addresses import encrypted

CLOUDFLARE_API = "https://api.cloudflare.com/client/v4"
TIMEOUT_S = 30.0
PAGE_SIZE = 50
PAGES_MAX = 200
TEXT_LIMIT = 300  # characters of a foreign answer shown at most
# The right that the token needs, by the start of the path after the account.
_NEEDS: Mapping[str, str] = {
    "workers/scripts": "edit on Workers Scripts",
    "r2/buckets": "edit on Workers R2 Storage",
    "tokens": "edit on Account API Tokens",
}
_NOT_FOUND = 404
_CONFLICT = 409
_KEY_REFUSED = frozenset({400, 401, 403})  # 400 for a token of the wrong form


class CloudflareApiError(Exception):
    """A call failed. `str()` names the call, the service's words and what to check."""


class NotFound(CloudflareApiError):
    """404: not in this account, or for a bucket not in this jurisdiction."""


class BucketNotEmpty(CloudflareApiError):
    """409: R2 deletes only empty buckets."""


class KeyRefused(CloudflareApiError):
    """400, 401 or 403: the token is invalid or lacks the right for this call."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """A deployed Worker script. `migration_tag` is None where it has no Durable Objects."""

    name: str
    migration_tag: str | None
    modified_on: str


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """An R2 bucket. `location` is the region it was created in."""

    name: str
    location: str
    created_on: str


class CloudflareApi:
    """One account. `transport` is the tests' seam."""

    def __init__(
        self, *, account_id: str, token: str, api_url: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        self._account = f"/accounts/{quote(account_id, safe='')}"
        self._api_url = encrypted(api_url or CLOUDFLARE_API).rstrip("/")
        self._token = token
        self._transport = transport

    def __repr__(self) -> str:
        return f"CloudflareApi({self._account})"

    def scripts(self) -> tuple[Script, ...]:
        return tuple(
            Script(
                name=str(one["id"]),
                migration_tag=one.get("migration_tag") or None,
                modified_on=str(one.get("modified_on") or ""),
            )
            for one in self._list("/workers/scripts")
        )

    def script_bindings(self, name: str) -> Mapping[str, str]:
        """Name to type of every binding of a deployed script; never a value of a secret."""
        settings = self._send("GET", f"/workers/scripts/{quote(name, safe='')}/settings")
        return {str(one["name"]): str(one["type"]) for one in settings.get("bindings") or ()}

    def script_texts(self, name: str) -> Mapping[str, str]:
        """Name to value of every plain_text binding of a deployed script."""
        settings = self._send("GET", f"/workers/scripts/{quote(name, safe='')}/settings")
        texts = (one for one in settings.get("bindings") or () if one.get("type") == "plain_text")
        return {str(one["name"]): str(one.get("text", "")) for one in texts}

    def bucket(self, name: str, *, jurisdiction: str) -> Bucket:
        """Raises NotFound, also when it exists in another jurisdiction."""
        found = self._send("GET", f"/r2/buckets/{quote(name, safe='')}", jurisdiction=jurisdiction)
        return Bucket(
            name=str(found["name"]),
            location=str(found.get("location") or ""),
            created_on=str(found.get("creation_date") or ""),
        )

    def delete_script(self, name: str) -> None:
        """With its Durable Objects. A script that does not exist is fine."""
        try:
            self._send("DELETE", f"/workers/scripts/{quote(name, safe='')}?force=true")
        except NotFound:
            return

    def delete_bucket(self, name: str, *, jurisdiction: str) -> None:
        """Raises NotFound, and BucketNotEmpty."""
        self._send("DELETE", f"/r2/buckets/{quote(name, safe='')}", jurisdiction=jurisdiction)

    def tokens_named(self, name: str) -> tuple[str, ...]:
        """Ids of the account's tokens of this name."""
        return tuple(str(one["id"]) for one in self._tokens() if one.get("name") == name)

    def token_names(self) -> frozenset[str]:
        """Names of all tokens of the account."""
        return frozenset(str(one.get("name")) for one in self._tokens())

    def token_ids(self) -> frozenset[str]:
        """Ids of all tokens of the account."""
        return frozenset(str(one.get("id")) for one in self._tokens())

    def _tokens(self) -> Iterator[Mapping[str, Any]]:
        """Every token of the account, over all pages; never their values."""
        for page in range(1, PAGES_MAX + 1):
            listed = self._list(f"/tokens?page={page}&per_page={PAGE_SIZE}")
            yield from listed
            if len(listed) < PAGE_SIZE:
                break

    def revoke_token(self, token_id: str) -> None:
        """A token that does not exist is fine."""
        try:
            self._send("DELETE", f"/tokens/{quote(token_id, safe='')}")
        except NotFound:
            return

    def _list(self, path: str) -> list[Mapping[str, Any]]:
        result = self._send("GET", path)
        if not isinstance(result, list):
            raise CloudflareApiError(f"GET {self._shown(path)} returned no list. Check cloudflare:baseUrl")
        return result

    def _send(self, method: str, path: str, *, jurisdiction: str = "default") -> Any:
        """The `result` of one call. Raises CloudflareApiError."""
        # R2 tells jurisdictions apart by this header; without it a call means the default one.
        place = {} if jurisdiction == "default" else {"cf-r2-jurisdiction": jurisdiction}
        call = f"{method} {self._shown(path)}"
        try:
            # Few calls, far apart: a connection for each. Redirects would carry the token to another host.
            with httpx.Client(transport=self._transport, timeout=TIMEOUT_S, follow_redirects=False) as http:
                answer = http.request(
                    method,
                    self._api_url + self._account + path,
                    headers={"Authorization": f"Bearer {self._token}", **place},
                )
        except httpx.HTTPError as problem:
            raise CloudflareApiError(
                f"{call} got no answer ({type(problem).__name__}). Check the network, then run again"
            ) from None
        if answer.status_code == _NOT_FOUND:
            raise NotFound(f"{call}: {_words(answer)}")
        if answer.status_code == _CONFLICT and method == "DELETE":
            raise BucketNotEmpty(f"{call}: {_words(answer)}")
        if answer.is_error:
            kind = KeyRefused if answer.status_code in _KEY_REFUSED else CloudflareApiError
            raise kind(f"{call} failed ({answer.status_code}: {_words(answer)}). {_advice(answer, path)}")
        try:
            return answer.json()["result"]
        except (ValueError, KeyError, TypeError):
            raise CloudflareApiError(f"{call} returned no result. Check cloudflare:baseUrl") from None

    def _shown(self, path: str) -> str:
        return f"{self._account}{path.partition('?')[0]}"


def api_from_config(config: Any, account_id: str) -> CloudflareApi:
    """The account's API from the configuration that a dynamic provider's `configure` gets."""
    token = config.get("cloudflare:apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN", "")
    return CloudflareApi(account_id=account_id, token=token, api_url=config.get("cloudflare:baseUrl") or "")


def _advice(answer: httpx.Response, path: str) -> str:
    if answer.status_code not in _KEY_REFUSED:
        return "Run again. If it persists, check Cloudflare's status page"
    needs = next((right for start, right in _NEEDS.items() if path.startswith(f"/{start}")), "")
    return f"cloudflare:apiToken needs {needs}. Check photo-splat:cloudflareAccountId too"


def _words(answer: httpx.Response) -> str:
    """The service's own words, whatever the body is."""
    try:
        return "; ".join(str(one["message"]) for one in answer.json()["errors"])[:TEXT_LIMIT]
    except (ValueError, KeyError, TypeError):
        return answer.reason_phrase or "no explanation given"
