"""What a run that was cut off made and never wrote down: found on destroy, and removed.
Touches nothing that was there before the stack, no bucket with objects in it, and nothing that destroy keeps.

An engine that is killed between a service's answer and its own state leaves a thing that no state names. The next
`up` takes it over (the endpoint by its mark; bucket and script by their name, which is how Cloudflare creates).
But whoever runs `destroy` instead would keep it for ever. So this resource is made before all of those and deleted
after them: what then still carries the stack's mark or name goes too."""

from __future__ import annotations

import re
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from infra.cloudflare_api import BucketNotEmpty, CloudflareApi, CloudflareApiError, NotThere, api_from
from infra.plain_errors import speaks_plainly
from infra.runpod import errors
from infra.runpod.account import MissingKey, StillThere, client_from_config
from infra.runpod.provider import MARKER, EndpointProvider

Props = dict[str, Any]
_INPUTS = ("accountId", "deployment", "registryName", "script", "bucket", "jurisdiction", "keep")
_FOUND = ("scriptWasThere", "bucketWasThere")


@speaks_plainly(CloudflareApiError, errors.RunPodError, MissingKey, StillThere)
class LeftoversProvider(ResourceProvider):
    """Looks at its creation, sweeps at its deletion."""

    _config: Any
    _request: ConfigureRequest

    def configure(self, req: ConfigureRequest) -> None:
        self._config, self._request = req.config, req

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in _INPUTS))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props["deployment"]), {**_inputs(props), **self._looked(props)})

    def update(self, _id: str, olds: Props, news: Props) -> UpdateResult:
        """Another name is looked at anew; of the old one we know what we knew."""
        same = all(olds.get(key) == news.get(key) for key in ("accountId", "script", "bucket", "jurisdiction"))
        return UpdateResult({**_inputs(news), **({key: olds[key] for key in _FOUND} if same else self._looked(news))})

    def delete(self, _id: str, props: Props) -> None:
        self._sweep_runpod(deployment=str(props["deployment"]), registry_name=str(props["registryName"]))
        api = api_from(self._config, str(props["accountId"]))
        if props["keep"]:
            return
        if not props["scriptWasThere"] and any(one.name == props["script"] for one in api.scripts()):
            api.delete_script(str(props["script"]))
            print(f"deleted script {props['script']}: a run that was cut off had left it")
        if not props["bucketWasThere"]:
            _sweep_bucket(api, str(props["bucket"]), jurisdiction=str(props["jurisdiction"]))

    def _looked(self, props: Props) -> Props:
        api = api_from(self._config, str(props["accountId"]))
        try:
            api.bucket(str(props["bucket"]), jurisdiction=str(props["jurisdiction"]))
            bucket = True
        except NotThere:
            bucket = False
        return {
            "scriptWasThere": any(one.name == props["script"] for one in api.scripts()),
            "bucketWasThere": bucket,
        }

    def _sweep_runpod(self, *, deployment: str, registry_name: str) -> None:
        client = client_from_config(self._request)
        endpoints = EndpointProvider()
        endpoints.configure(self._request)
        for endpoint in client.list_endpoints():
            if str((endpoint.get("env") or {}).get(MARKER)).startswith(f"{deployment}."):
                endpoints.delete(str(endpoint["id"]), {})
                print(f"deleted endpoint {endpoint['id']}: a run that was cut off had left it")
        versions = re.compile(rf"{re.escape(registry_name)}-[0-9a-f]{{10}}")
        for credential in client.list_registries():
            if versions.fullmatch(str(credential.get("name"))):
                try:
                    client.delete_registry(str(credential["id"]))
                except (errors.NotFound, errors.Rejected):
                    continue  # gone, or in use by somebody: then it was not left
                print(f"deleted registry credential {credential['name']}: a run that was cut off had left it")


def _sweep_bucket(api: CloudflareApi, name: str, *, jurisdiction: str) -> None:
    try:
        api.delete_bucket(name, jurisdiction=jurisdiction)
        print(f"deleted bucket {name}: a run that was cut off had left it")
    except NotThere:
        return
    except BucketNotEmpty:
        # Nothing writes to a bucket whose creation was cut off: somebody has taken it out of the state to keep it.
        print(f"bucket {name} is not in the stack's state and holds objects: it stays; delete it by hand if you want")


def _inputs(props: Props) -> Props:
    return {key: props[key] for key in _INPUTS}


class Leftovers(Resource, module="splat", name="Leftovers"):
    """Declare before endpoint, bucket and script, and let them depend on it. `deployment` begins the endpoint's
    mark; as an output it makes whatever is marked with it depend on this. `keep` spares bucket and script."""

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
            "scriptWasThere": None,
            "bucketWasThere": None,
        }
        super().__init__(LeftoversProvider(), resource_name, props, opts)
