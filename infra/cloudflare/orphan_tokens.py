"""Cloudflare tokens that an interrupted run left behind: found by their name, revoked.
Touches only tokens whose name carries this deployment's own marker.

Cloudflare shows a token's value once, when it is created. If the engine is killed before it writes its state, a key to
the bucket exists that no state names and nobody deletes. The provider cannot adopt it."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, Resource, UpdateResult

from infra.cloudflare.api import CloudflareApiError, api_from_config
from infra.dynamic import Props, StoredInputs, plain_errors


@plain_errors(CloudflareApiError)
class OrphanTokensProvider(StoredInputs):
    """Revokes when created, when `keep` changes, and when deleted. An empty `keep` keeps no token; such a resource
    outlives the tokens."""

    inputs = ("accountId", "tokenName", "keep")
    id_input = "tokenName"
    _request: ConfigureRequest

    def configure(self, req: ConfigureRequest) -> None:
        self._request = req

    def create(self, props: Props) -> CreateResult:
        self._revoke(props)
        return super().create(props)

    def update(self, id_: str, olds: Props, news: Props) -> UpdateResult:
        self._revoke(news)
        return super().update(id_, olds, news)

    def delete(self, _id: str, props: Props) -> None:
        if not props["keep"]:
            self._revoke(props)

    def _revoke(self, props: Props) -> None:
        api = api_from_config(self._request.config, str(props["accountId"]))
        for orphan in api.tokens_named(str(props["tokenName"])):
            if orphan not in props["keep"]:
                api.revoke_token(orphan)
                print(f"revoked token {orphan}, which an interrupted run left behind")


class OrphanTokens(Resource, module="cloudflare", name="OrphanTokens"):
    """Of the tokens named `token_name`, keeps only those with the ids in `keep`."""

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
        super().__init__(OrphanTokensProvider(), resource_name, props, opts)
