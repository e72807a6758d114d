"""What an interrupted run created and never recorded: found on destroy, and deleted.
Touches nothing that existed before the stack, no bucket with objects in it, and nothing that destroy keeps.

If the engine is killed between a service's answer and its own state, something exists that no state names. The next
`up` adopts it: the endpoint by its marker, bucket and script by their name, which is how Cloudflare creates them. A
`destroy` instead would leave it forever. So this resource is created before all of those and deleted after them:
whatever then still carries the stack's marker or name is deleted too."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, Resource, UpdateResult

from infra.cloudflare.api import BucketNotEmpty, CloudflareApi, CloudflareApiError, NotFound, api_from_config
from infra.dynamic import Props, StoredInputs, differ, plain_errors
from infra.runpod import errors
from infra.runpod.client import RunPodClient, client_from_config
from infra.runpod.resources.credential import is_version_of
from infra.runpod.resources.endpoint import delete_endpoint
from infra.runpod.validation import marker_of

_PLACE = ("accountId", "script", "bucket", "jurisdiction")
_EXISTED = ("scriptExisted", "bucketExisted")


@plain_errors(CloudflareApiError, errors.RunPodError, errors.MissingKey, errors.DeletionTimedOut)
class OrphansProvider(StoredInputs):
    """Notes at its creation which names are taken already; deletes orphans at its deletion."""

    inputs = (*_PLACE, "deployment", "registryName", "keep")
    id_input = "deployment"
    _request: ConfigureRequest

    def configure(self, req: ConfigureRequest) -> None:
        self._request = req

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props["deployment"]), {**self.stored(props), **self._existed(props)})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Query again for another name; the answer for an old name stays."""
        existed = self._existed(news) if differ(olds, news, _PLACE) else {key: olds[key] for key in _EXISTED}
        return UpdateResult({**self.stored(news), **existed})

    def delete(self, _id: str, props: Props) -> None:
        delete_from_runpod(
            client_from_config(self._request.config),
            deployment=str(props["deployment"]),
            registry_name=str(props["registryName"]),
        )
        if not props["keep"]:
            delete_from_cloudflare(api_from_config(self._request.config, str(props["accountId"])), props)

    def _existed(self, props: Props) -> Props:
        api = api_from_config(self._request.config, str(props["accountId"]))
        try:
            api.bucket(str(props["bucket"]), jurisdiction=str(props["jurisdiction"]))
            bucket = True
        except NotFound:
            bucket = False
        return {
            "scriptExisted": any(one.name == props["script"] for one in api.scripts()),
            "bucketExisted": bucket,
        }


def delete_from_runpod(client: RunPodClient, *, deployment: str, registry_name: str) -> None:
    for endpoint in client.list_endpoints():
        if str(marker_of(endpoint)).startswith(f"{deployment}."):
            delete_endpoint(client, str(endpoint["id"]))
            _report(f"endpoint {endpoint['id']}")
    for credential in client.list_registries():
        if is_version_of(registry_name, str(credential.get("name"))):
            try:
                client.delete_registry(str(credential["id"]))
            except (errors.NotFound, errors.Rejected):
                continue  # gone, or in use: then it is no orphan
            _report(f"registry credential {credential['name']}")


def delete_from_cloudflare(api: CloudflareApi, props: Props) -> None:
    script, bucket = str(props["script"]), str(props["bucket"])
    if not props["scriptExisted"] and any(one.name == script for one in api.scripts()):
        api.delete_script(script)
        _report(f"script {script}")
    if props["bucketExisted"]:
        return
    try:
        api.delete_bucket(bucket, jurisdiction=str(props["jurisdiction"]))
        _report(f"bucket {bucket}")
    except NotFound:
        return
    except BucketNotEmpty:
        # Nothing writes to a bucket whose creation was interrupted: somebody removed it from the state to keep it.
        print(f"kept bucket {bucket}: it holds objects, and the stack's state does not name it. Delete it by hand")


def _report(what: str) -> None:
    print(f"deleted {what}, which an interrupted run left behind")


class Orphans(Resource, module="lifecycle", name="Orphans"):
    """Declare before endpoint, bucket and script, and let them depend on it. `deployment` is the first part of the
    endpoint's marker; as an output it makes whatever carries the marker depend on this. `keep` protects bucket and
    script."""

    deployment: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        account_id: str,
        deployment: pulumi.Input[str],
        registry_name: str,
        script: str,
        bucket: str,
        jurisdiction: str,
        keep: bool,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "accountId": account_id,
            "deployment": deployment,
            "registryName": registry_name,
            "script": script,
            "bucket": bucket,
            "jurisdiction": jurisdiction,
            "keep": keep,
            **dict.fromkeys(_EXISTED),
        }
        super().__init__(OrphansProvider(), resource_name, props, opts)
