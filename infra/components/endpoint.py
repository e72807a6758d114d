"""The GPU endpoint: a serverless queue that scales to zero, and what the edge must know of it.
Gives workers no secret: everything a job needs travels in the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.runpod.provider import MARKER
from infra.runpod.resources import Endpoint, RegistryCredential
from infra.runpod.trial import ImageTrial


@dataclass(frozen=True, kw_only=True)
class GpuPlan:
    """Cards and their number, as people name them."""

    names: tuple[str, ...]
    count: int
    min_cuda_version: str


@dataclass(frozen=True, kw_only=True)
class ScalePlan:
    """Workers and when they come and go."""

    workers_min: int
    workers_max: int
    idle_timeout_s: int
    queue_delay_s: float
    timeout_s: int
    flashboot: str


@dataclass(frozen=True, kw_only=True)
class RegistryLogin:
    """How RunPod pulls a private image."""

    username: str
    password: pulumi.Output[str]


class GpuEndpoint(pulumi.ComponentResource):
    """`endpoint_id` is what jobs are sent to; `price` is one worker's rate with its date."""

    endpoint_id: pulumi.Output[str]
    price: pulumi.Output[Mapping[str, Any]]

    def __init__(
        self,
        name: str,
        *,
        physical_name: str,
        deployment_id: pulumi.Input[str],
        image: pulumi.Input[str],
        gpu: GpuPlan,
        scale: ScalePlan,
        disk_gb: int,
        data_centers: Sequence[str] = (),
        registry: RegistryLogin | None = None,
        adopt_id: str | None = None,
        tries_images: bool = True,
        stops_before: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`stops_before` are resources that workers use: they go only after the endpoint is gone. `tries_images`: a
        changed image passes its self-test on a worker of its own before the endpoint gets it."""
        super().__init__("splat:endpoint:GpuEndpoint", name, {}, opts)
        credential = None
        if registry is not None:
            credential = RegistryCredential(
                f"{name}-registry",
                base_name=physical_name,
                owner=deployment_id,
                username=registry.username,
                password=registry.password,
                opts=pulumi.ResourceOptions(parent=self),
            )
        trial = ImageTrial(
            f"{name}-trial",
            name=f"{physical_name}-trial",
            owner=deployment_id,
            image=image,
            gpu_names=gpu.names,
            gpu_count=gpu.count,
            min_cuda_version=gpu.min_cuda_version,
            disk_gb=disk_gb,
            enabled=tries_images,
            data_centers=data_centers,
            registry=credential.id if credential is not None else None,
            opts=pulumi.ResourceOptions(parent=self),
        )
        endpoint = Endpoint(
            f"{name}-endpoint",
            name=physical_name,
            image=image,
            gpu_names=gpu.names,
            gpu_count=gpu.count,
            min_cuda_version=gpu.min_cuda_version,
            workers_min=scale.workers_min,
            workers_max=scale.workers_max,
            idle_timeout_s=scale.idle_timeout_s,
            queue_delay_s=scale.queue_delay_s,
            timeout_ms=scale.timeout_s * 1000,
            flashboot=scale.flashboot,
            disk_gb=disk_gb,
            data_centers=data_centers,
            env={MARKER: pulumi.Output.concat(deployment_id, ".", name)},
            registry=credential.id if credential is not None else None,
            adopt_id=adopt_id or "",
            opts=pulumi.ResourceOptions(parent=self, depends_on=[trial, *stops_before]),
        )
        self.endpoint_id = endpoint.id
        self.price = endpoint.price
        self.register_outputs({"endpointId": self.endpoint_id, "price": self.price})
