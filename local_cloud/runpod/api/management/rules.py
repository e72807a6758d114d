"""Rules of endpoints: what a valid body means for this account and catalogue, or why it is refused.
Pure: account, catalogue and images come in, an EndpointSpec or a Problem comes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from local_cloud.runpod.account.catalog import Catalog, cuda_key
from local_cloud.runpod.account.state import Account, Endpoint, EndpointSpec, FieldChange, GpuSpec
from local_cloud.runpod.api.management.bodies import (
    CreateEndpoint,
    CreateGpu,
    QueueDelay,
    RequestCount,
    UpdateEndpoint,
    UpdateGpu,
)
from local_cloud.runpod.core.problems import bad_request, not_found, not_modelled, unprocessable
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.images.registry import Images

QUEUE = "QUEUE"
QUEUE_DELAY = "QUEUE_DELAY"
NO_CAPACITY = "There are no longer any instances available with the requested specifications."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What the rules need beside the body."""

    account: Account
    catalog: Catalog
    images: Images
    settings: Settings


def spec_of_create(body: CreateEndpoint, context: Context) -> EndpointSpec:
    """The endpoint that a POST asks for; raises Problem 400, 404 or 422."""
    sent = body.model_fields_set
    if "templateId" in sent:
        raise not_found("template")  # an account of the stand-in has no templates
    if "image" not in sent:
        raise unprocessable(["$: missing property 'image'"])
    if ("gpu" in sent) == ("cpu" in sent):
        raise bad_request("specify exactly one of gpu or cpu")
    if body.gpu is None:
        raise not_modelled("CPU endpoints")
    if body.type != QUEUE:
        raise not_modelled(f"{body.type} endpoints")
    _check_volumes(body)
    spec = EndpointSpec(
        name=body.name,
        image=body.image,
        args=body.args,
        disk_gb=body.disk,
        ports=tuple(body.ports),
        env=dict(body.env),
        registry=body.registry,
        gpu=_gpu_of_create(body.gpu),
        workers_min=body.workers.min,
        workers_max=body.workers.max,
        idle_timeout_s=body.workers.idleTimeout,
        queue_delay_s=_queue_delay_s(body.scaling),
        data_center_ids=tuple(body.dataCenterIds),
        timeout_ms=body.timeout,
        flashboot=body.flashboot,
    )
    check(spec, context, endpoint_id=None)
    return spec


def spec_of_update(endpoint: Endpoint, body: UpdateEndpoint, context: Context) -> EndpointSpec:
    """The endpoint after a PATCH: only the fields in the body change; raises Problem 400, 404 or 422."""
    sent = body.model_fields_set
    old = endpoint.spec
    if "templateId" in sent:
        raise not_found("template")
    if "cpu" in sent:
        raise bad_request("the compute family (gpu or cpu) of an endpoint cannot be changed")
    _check_volumes(body)
    changes: dict[str, object] = {}
    for name, field in _PLAIN_FIELDS.items():
        if name in sent:
            value = getattr(body, name)
            changes[field] = tuple(value) if isinstance(value, list) else value
    if "gpu" in sent:
        changes["gpu"] = _gpu_of_update(old.gpu, body.gpu)
    if "scaling" in sent:
        changes["queue_delay_s"] = _queue_delay_s(body.scaling)
    if "workers" in sent:
        for name, field in _WORKER_FIELDS.items():
            if name in body.workers.model_fields_set:
                changes[field] = getattr(body.workers, name)
    spec = dataclasses.replace(old, **changes)  # type: ignore[arg-type]
    check(
        spec, context, endpoint_id=endpoint.id, image_changed=(spec.image, spec.registry) != (old.image, old.registry)
    )
    return spec


_PLAIN_FIELDS: Mapping[str, str] = {
    "name": "name",
    "image": "image",
    "args": "args",
    "disk": "disk_gb",
    "ports": "ports",
    "env": "env",
    "registry": "registry",
    "dataCenterIds": "data_center_ids",
    "timeout": "timeout_ms",
    "flashboot": "flashboot",
}
_WORKER_FIELDS: Mapping[str, str] = {
    "min": "workers_min",
    "max": "workers_max",
    "idleTimeout": "idle_timeout_s",
}

# Field of the spec -> name in a release's diff. The spec quotes template.imageName, template.env,
# gpuCount and locations; the others follow the GraphQL names and are guesses.
_RELEASE_FIELDS: Mapping[str, str] = {
    "image": "template.imageName",
    "args": "template.dockerArgs",
    "disk_gb": "template.containerDiskInGb",
    "ports": "template.ports",
    "env": "template.env",
    "registry": "template.containerRegistryAuthId",
    "gpu": "gpu",
    "data_center_ids": "locations",
}


def release_diff(old: EndpointSpec, new: EndpointSpec) -> tuple[FieldChange, ...]:
    """The changes that make a new release; name, workers, scaling, timeout and flashboot take effect without one."""
    changes: list[FieldChange] = []
    if old.gpu.count != new.gpu.count:
        changes.append(FieldChange(field="gpuCount", old=old.gpu.count, new=new.gpu.count))
        old = dataclasses.replace(old, gpu=dataclasses.replace(old.gpu, count=new.gpu.count))
    for field, name in _RELEASE_FIELDS.items():
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            changes.append(FieldChange(field=name, old=_raw(before), new=_raw(after)))
    return tuple(changes)


def _raw(value: object) -> object:
    if isinstance(value, tuple):
        return [_raw(item) for item in value]
    if isinstance(value, GpuSpec):
        return {key: _raw(item) for key, item in dataclasses.asdict(value).items()}
    return value


def check(spec: EndpointSpec, context: Context, *, endpoint_id: str | None, image_changed: bool = True) -> None:
    """Everything that must hold for an endpoint after any call; raises Problem 400."""
    if spec.registry is not None and spec.registry not in context.account.registries:
        raise bad_request(f"registry credential {spec.registry!r} not found")
    if image_changed:
        context.images.resolve(spec.image, context.account.login(spec.registry))
    _check_gpu(spec.gpu, context.catalog)
    if spec.workers_min > spec.workers_max:
        raise bad_request(f"workers.min {spec.workers_min} is above workers.max {spec.workers_max}")
    if spec.timeout_ms < 0:
        raise bad_request(f"timeout {spec.timeout_ms} must not be negative")
    _check_data_centers(spec, context.catalog)
    _check_quota(spec, context, endpoint_id)


def _check_quota(spec: EndpointSpec, context: Context, endpoint_id: str | None) -> None:
    others = sum(one.spec.workers_max for one in context.account.endpoints.values() if one.id != endpoint_id)
    before = context.account.endpoints[endpoint_id].spec.workers_max if endpoint_id else 0
    quota = context.settings.worker_quota
    if spec.workers_max > before and others + spec.workers_max > quota:
        raise bad_request(
            f"Max workers across all endpoints must not exceed your workers quota ({quota}): "
            f"other endpoints use {others}, this one asks for {spec.workers_max}"
        )


def _check_gpu(gpu: GpuSpec, catalog: Catalog) -> None:
    unknown = [pool for pool in gpu.pools if pool not in catalog.pools()]
    if unknown:
        raise bad_request(f"unknown GPU pool {_quoted(unknown)}; valid pools: {', '.join(catalog.pools())}")
    in_pools = {one.id for one in catalog.selection(gpu.pools, ())}
    strangers = [one for one in gpu.excluded_types if one not in in_pools]
    if strangers:
        raise bad_request(f"gpu.excludedTypes: {_quoted(strangers)} is not a GPU type in one of the pools")
    if not catalog.selection(gpu.pools, gpu.excluded_types):
        raise bad_request("gpu.excludedTypes leaves no GPU type in the selected pools")
    if gpu.allowed_cuda_versions and gpu.min_cuda_version:
        raise bad_request("gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive")
    if gpu.allowed_cuda_versions and not set(gpu.allowed_cuda_versions) & set(catalog.cuda_versions):
        raise bad_request(NO_CAPACITY)
    if gpu.min_cuda_version and cuda_key(gpu.min_cuda_version) > max(map(cuda_key, catalog.cuda_versions)):
        raise bad_request(NO_CAPACITY)


def _check_data_centers(spec: EndpointSpec, catalog: Catalog) -> None:
    valid = [one.id for one in catalog.data_centers]
    unknown = [one for one in spec.data_center_ids if one not in valid]
    if unknown:
        raise bad_request(f"unknown data center {_quoted(unknown)}; valid data centers: {', '.join(valid)}")


def _check_volumes(body: CreateEndpoint | UpdateEndpoint) -> None:
    if body.networkVolumes:
        raise not_modelled("network volumes")


def _gpu_of_create(body: CreateGpu) -> GpuSpec:
    floor = body.minCudaVersion if "minCudaVersion" in body.model_fields_set else ""
    return GpuSpec(
        pools=tuple(body.pools),
        excluded_types=tuple(body.excludedTypes),
        count=body.count,
        allowed_cuda_versions=tuple(body.allowedCudaVersions),
        min_cuda_version=floor,
    )


def _gpu_of_update(old: GpuSpec, body: UpdateGpu) -> GpuSpec:
    sent = body.model_fields_set
    if "excludedTypes" in sent and "pools" not in sent:
        raise unprocessable(["$.gpu: properties 'pools' required, if 'excludedTypes' exists"])
    changes: dict[str, object] = {}
    if "pools" in sent:  # replaces the whole selection with its exclusions
        changes["pools"] = tuple(body.pools)
        changes["excluded_types"] = tuple(body.excludedTypes)
    if "count" in sent:
        changes["count"] = body.count
    if "allowedCudaVersions" in sent:
        changes["allowed_cuda_versions"] = tuple(body.allowedCudaVersions)
    if "minCudaVersion" in sent:
        changes["min_cuda_version"] = body.minCudaVersion
    return dataclasses.replace(old, **changes)  # type: ignore[arg-type]


def _queue_delay_s(body: QueueDelay | RequestCount) -> float:
    if not isinstance(body, QueueDelay):
        raise not_modelled(f"{body.type} scaling")
    return body.queueDelay


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(repr(value) for value in values)
