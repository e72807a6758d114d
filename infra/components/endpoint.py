"""The GPU endpoint: a serverless queue that scales to zero, and what the edge has to know about it.
Gives workers no secret: everything a job needs travels in the job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from infra.image.labels import ImageLabels, check_gpus, minimum_cuda
from infra.runpod.cheapest import CHEAPEST
from infra.runpod.model import MARKER, QUEUE
from infra.runpod.resources.cheapest_card import CheapestCard
from infra.runpod.resources.credential import RegistryCredential
from infra.runpod.resources.endpoint import Endpoint
from infra.runpod.resources.image_check import ImageCheck
from infra.settings.model import GpuSettings, ScalingSettings


class GpuEndpoint(pulumi.ComponentResource):
    """`endpoint_id` is where jobs are sent; `price` is one worker's rate with its date; `card` is the smallest
    card that a job can get, and the photos that it holds (job_memory.card_room)."""

    endpoint_id: pulumi.Output[str]
    price: pulumi.Output[Mapping[str, Any]]
    card: pulumi.Output[Mapping[str, Any] | None]

    def __init__(
        self,
        name: str,
        *,
        physical_name: str,
        deployment_id: pulumi.Input[str],
        gpu: GpuSettings,
        scaling: ScalingSettings,
        image: pulumi.Input[str],
        labels: ImageLabels,
        image_check: bool,
        registry_username: str | None = None,
        registry_password: pulumi.Input[str] | None = None,
        stops_before: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`stops_before` are resources that workers use: they are deleted only after the endpoint. Raises
        IncompatibleImage when `labels` do not fit the cards."""
        super().__init__("splat:endpoint:GpuEndpoint", name, {}, opts)
        check_gpus(labels, gpu.names)
        mine = pulumi.ResourceOptions(parent=self)
        credential = None
        if registry_username and registry_password is not None:
            credential = RegistryCredential(
                f"{name}-registry",
                base_name=physical_name,
                owner=deployment_id,
                username=registry_username,
                password=registry_password,
                opts=mine,
            )
        gpu_names: pulumi.Input[Sequence[str]] = list(gpu.names)
        if gpu.names[0] == CHEAPEST:
            card = CheapestCard(
                f"{name}-cheapest-card", architectures=labels.architectures, others=gpu.names[1:], opts=mine
            )
            gpu_names = card.names
        inputs = endpoint_inputs(
            gpu,
            scaling,
            gpu_names=gpu_names,
            name=physical_name,
            marker=pulumi.Output.concat(deployment_id, ".endpoint"),
            image=image,
            min_cuda_version=minimum_cuda(labels, gpu.min_cuda_version),
            registry=credential.id if credential is not None else None,
        )
        its_own = {"name": f"{physical_name}-check", "env": {MARKER: pulumi.Output.concat(deployment_id, ".check")}}
        check = ImageCheck(f"{name}-image-check", {**inputs, **its_own}, enabled=image_check, opts=mine)
        endpoint = Endpoint(
            f"{name}-endpoint", inputs, opts=pulumi.ResourceOptions(parent=self, depends_on=[check, *stops_before])
        )
        self.endpoint_id = endpoint.id
        self.price = endpoint.price
        self.card = endpoint.card
        self.register_outputs({"endpointId": self.endpoint_id, "price": self.price})


def endpoint_inputs(
    gpu: GpuSettings,
    scaling: ScalingSettings,
    *,
    gpu_names: pulumi.Input[Sequence[str]],
    name: str,
    marker: pulumi.Input[str],
    image: pulumi.Input[str],
    min_cuda_version: str,
    registry: pulumi.Input[str] | None = None,
) -> dict[str, Any]:
    """Settings as the inputs of an endpoint, in the API's own words (RunPod REST v2, CreateEndpointRequest). Only the
    cards keep their usual names, as `gpu_names`: the provider resolves them. The one place where a setting meets its
    field."""
    inputs: dict[str, Any] = {
        "name": name,
        "type": QUEUE,
        "image": image,
        "gpuNames": gpu_names,
        "gpuCount": gpu.count,
        "minCudaVersion": min_cuda_version,
        "dataCenterIds": list(gpu.data_centers),
        "disk": gpu.disk_gb,
        "workers": {
            "min": scaling.workers[0],
            "max": scaling.workers[1],
            "idleTimeout": scaling.idle_s,
        },
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": scaling.queue_delay_s},
        "timeout": scaling.execution_timeout_s * 1000,
        "flashboot": scaling.flashboot,
        "env": {MARKER: marker},
    }
    optional = {"registry": registry, "adoptId": gpu.adopt_endpoint_id}
    return inputs | {key: value for key, value in optional.items() if value is not None}
