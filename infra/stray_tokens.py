"""Cloudflare tokens that a cut-off run left behind: found by their name, revoked.
Touches only tokens whose name carries this deployment's own mark.

A token's value is shown once, when it is made. An engine that is killed between that moment and writing its
state leaves a key to the bucket that nobody knows and nobody deletes; the provider cannot adopt it."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

import httpx
import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.durable_objects import CLOUDFLARE_API
from infra.plain_errors import speaks_plainly

TIMEOUT_S = 30.0
PAGE_SIZE = 50
PAGES_MAX = 200
Props = dict[str, Any]
_INPUTS = ("accountId", "tokenName", "keep")


class TokensUnreadable(Exception):
    """Cloudflare did not list or revoke tokens. `str()` says what to check."""


@speaks_plainly(TokensUnreadable)
class StrayTokensProvider(ResourceProvider):
    """Sweeps when made, when `keep` changes, and when deleted. `keep` "" keeps none, which is for the
    resource that outlives the token."""

    _api: str
    _token: str

    def configure(self, req: ConfigureRequest) -> None:
        self._api = (req.config.get("cloudflare:baseUrl") or CLOUDFLARE_API).rstrip("/")
        self._token = req.config.get("cloudflare:apiToken") or os.environ.get("CLOUDFLARE_API_TOKEN", "")

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in _INPUTS))

    def create(self, props: Props) -> CreateResult:
        self._sweep(props)
        return CreateResult(str(props["tokenName"]), {key: props[key] for key in _INPUTS})

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        self._sweep(news)
        return UpdateResult({key: news[key] for key in _INPUTS})

    def delete(self, _id: str, props: Props) -> None:
        if not props["keep"]:
            self._sweep(props)

    def _sweep(self, props: Props) -> None:
        account, name, keep = (str(props[key]) for key in _INPUTS)
        for stray in self._named(account, name):
            if stray != keep:
                self._call("DELETE", f"/accounts/{quote(account, safe='')}/tokens/{quote(stray, safe='')}")
                print(f"revoked token {stray}: a run that was cut off had left it")

    def _named(self, account: str, name: str) -> list[str]:
        """Ids of the account's tokens of this name, over all pages."""
        found: list[str] = []
        for page in range(1, PAGES_MAX + 1):
            listed = self._call("GET", f"/accounts/{quote(account, safe='')}/tokens?page={page}&per_page={PAGE_SIZE}")
            found += [str(one["id"]) for one in listed if one.get("name") == name]
            if len(listed) < PAGE_SIZE:
                break
        return found

    def _call(self, method: str, path: str) -> list[Any]:
        try:
            answer = httpx.request(
                method, f"{self._api}{path}", headers={"Authorization": f"Bearer {self._token}"}, timeout=TIMEOUT_S
            )
            if method == "DELETE" and answer.status_code == httpx.codes.NOT_FOUND:
                return []
            answer.raise_for_status()
            result = answer.json()["result"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as problem:
            status = getattr(getattr(problem, "response", None), "status_code", None)
            raise TokensUnreadable(
                f"{method} {path.partition('?')[0]} failed ({status or type(problem).__name__}): cloudflare:apiToken "
                "needs edit on Account API Tokens"
            ) from None
        return result if isinstance(result, list) else [result]


class StrayTokens(Resource, module="cloudflare", name="StrayTokens"):
    """Of the tokens named `token_name`, only `keep` lives on."""

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        token_name: pulumi.Input[str],
        keep: pulumi.Input[str] = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"accountId": account_id, "tokenName": token_name, "keep": keep}
        super().__init__(StrayTokensProvider(), resource_name, props, opts)
