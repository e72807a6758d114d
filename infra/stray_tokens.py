"""Cloudflare tokens that a cut-off run left behind: found by their name, revoked.
Touches only tokens whose name carries this deployment's own mark.

A token's value is shown once, when it is made. An engine that is killed between that moment and writing its
state leaves a key to the bucket that nobody knows and nobody deletes; the provider cannot adopt it."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.cloudflare_api import CloudflareApi, CloudflareApiError, api_from
from infra.plain_errors import speaks_plainly

Props = dict[str, Any]
_INPUTS = ("accountId", "tokenName", "keep")


@speaks_plainly(CloudflareApiError)
class StrayTokensProvider(ResourceProvider):
    """Sweeps when made, when `keep` changes, and when deleted. An empty `keep` keeps none, which is for the
    resource that outlives the tokens."""

    _config: Any

    def configure(self, req: ConfigureRequest) -> None:
        self._config = req.config

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
        account, name, keep = str(props["accountId"]), str(props["tokenName"]), set(props["keep"])
        api: CloudflareApi = api_from(self._config, account)
        for stray in api.tokens_named(name):
            if stray not in keep:
                api.revoke_token(stray)
                print(f"revoked token {stray}: a run that was cut off had left it")


class StrayTokens(Resource, module="cloudflare", name="StrayTokens"):
    """Of the tokens named `token_name`, only those of the ids in `keep` live on."""

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        token_name: pulumi.Input[str],
        keep: pulumi.Input[list[str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"accountId": account_id, "tokenName": token_name, "keep": [] if keep is None else keep}
        super().__init__(StrayTokensProvider(), resource_name, props, opts)
