"""RunPod's objects as Pulumi resources: typed arguments in, outputs out.
Declares only; what happens is in `provider`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from infra.runpod.credentials import AccountSecretProvider, RegistryCredentialProvider
from infra.runpod.provider import EndpointProvider
from infra.runpod.volume import NetworkVolumeProvider


class Endpoint(Resource, module="runpod", name="Endpoint"):
    """One serverless endpoint. `gpu_names` are what people say ("RTX 4090"), in order of preference; `gpu` and
    `price` come back resolved from the live catalogue. With `cpu` workers have no card. `request_count` scales
    by requests per worker instead of by waiting time, as a load balancer has to."""

    name: pulumi.Output[str]
    image: pulumi.Output[str]
    gpu: pulumi.Output[Mapping[str, Any]]
    price: pulumi.Output[Mapping[str, Any]]
    requestUrls: pulumi.Output[Mapping[str, str]]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        image: pulumi.Input[str],
        gpu_names: Sequence[str] = (),
        gpu_count: int = 1,
        min_cuda_version: str = "",
        allowed_cuda_versions: Sequence[str] = (),
        cpu: Sequence[Mapping[str, Any]] = (),
        type: str = "QUEUE",
        workers_min: int,
        workers_max: int,
        idle_timeout_s: int | None,
        queue_delay_s: float | None = None,
        request_count: int | None = None,
        timeout_ms: int,
        flashboot: str,
        disk_gb: int,
        args: str = "",
        ports: Sequence[str] = (),
        env: Mapping[str, pulumi.Input[str]],
        data_centers: Sequence[str] = (),
        network_volumes: Sequence[pulumi.Input[str]] = (),
        registry: pulumi.Input[str] | None = None,
        adopt_id: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        workers = {"min": workers_min, "max": workers_max}
        if idle_timeout_s is not None:
            workers["idleTimeout"] = idle_timeout_s
        scaling: dict[str, Any] = {"type": "QUEUE_DELAY", "queueDelay": queue_delay_s}
        if request_count is not None:
            scaling = {"type": "REQUEST_COUNT", "requestCount": request_count}
        props: dict[str, Any] = {
            "name": name,
            "type": type,
            "image": image,
            "gpuNames": list(gpu_names),
            "gpuCount": gpu_count,
            "minCudaVersion": min_cuda_version,
            "allowedCudaVersions": list(allowed_cuda_versions),
            "cpu": [dict(one) for one in cpu],
            "workers": workers,
            "scaling": scaling,
            "timeout": timeout_ms,
            "flashboot": flashboot,
            "disk": disk_gb,
            "args": args,
            "ports": list(ports),
            "env": dict(env),
            "dataCenterIds": list(data_centers),
            "networkVolumes": list(network_volumes),
            # Made by the provider: resolved at check, or read from the service.
            "gpu": None,
            "price": None,
            "requestUrls": None,
            "createdAt": None,
        }
        if registry is not None:
            props["registry"] = registry
        if adopt_id:
            props["adoptId"] = adopt_id
        super().__init__(EndpointProvider(), resource_name, props, opts)


class RegistryCredential(Resource, module="runpod", name="RegistryCredential"):
    """`id` is what an endpoint names as `registry`. Another user or password is another credential."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        base_name: str,
        owner: pulumi.Input[str],
        username: pulumi.Input[str],
        password: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "baseName": base_name,
            "owner": owner,
            "username": username,
            "password": pulumi.Output.secret(password),
            "name": None,
        }
        super().__init__(RegistryCredentialProvider(), resource_name, props, opts)


class AccountSecret(Resource, module="runpod", name="AccountSecret"):
    """A value that workers get and no API read shows. Put `reference` into an endpoint's env."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        base_name: str,
        owner: pulumi.Input[str],
        value: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"baseName": base_name, "owner": owner, "value": pulumi.Output.secret(value), "name": None}
        super().__init__(AccountSecretProvider(), resource_name, props, opts)

    @property
    def reference(self) -> pulumi.Output[str]:
        """The text that RunPod replaces when a worker boots."""
        return pulumi.Output.concat("{{ RUNPOD_SECRET_", self.name, " }}")


class NetworkVolume(Resource, module="runpod", name="NetworkVolume"):
    """Disk that outlives workers, mounted at /runpod-volume; pins its workers to `data_center`."""

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        name: pulumi.Input[str],
        size_gb: int,
        data_center: str,
        type: str = "",
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"name": name, "size": size_gb, "dataCenter": data_center, "type": type}
        super().__init__(NetworkVolumeProvider(), resource_name, props, opts)
