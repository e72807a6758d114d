"""Semantic rules of endpoints: what a valid body means for this account and catalogue, or its refusal.
Pure: account, catalogue and images come in, an EndpointSpec or a Problem comes out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ..catalog import Catalog, cuda_key
from ..images import Images
from ..problems import bad_request, not_found, unprocessable
from ..settings import Settings
from ..state import (
    LOAD_BALANCER,
    QUEUE,
    Account,
    CpuSpec,
    Endpoint,
    EndpointSpec,
    FieldChange,
    GpuSpec,
    Scaling,
)
from .wire import CpuChoice, CreateEndpoint, CreateGpu, QueueDelay, RequestCount, UpdateEndpoint, UpdateGpu

REQUEST_COUNT = "REQUEST_COUNT"
NO_CAPACITY = "There are no longer any instances available with the requested specifications."


@dataclasses.dataclass(frozen=True, kw_only=True)
class Context:
    """What the rules look at beside the body."""

    account: Account
    catalog: Catalog
    images: Images
    settings: Settings


def spec_of_create(body: CreateEndpoint, context: Context) -> EndpointSpec:
    """The endpoint a POST asks for; raises Problem 400, 404 or 422."""
    sent = body.model_fields_set
    if "templateId" in sent:
        raise not_found("template")  # the account holds no templates: endpoints are made inline here
    if "image" not in sent:
        raise unprocessable(["$: missing property 'image'"])
    if ("gpu" in sent) == ("cpu" in sent):
        raise bad_request("specify exactly one of gpu or cpu")
    if body.type == LOAD_BALANCER and isinstance(body.scaling, QueueDelay):
        raise unprocessable(["$.scaling: LOAD_BALANCER endpoints must scale on REQUEST_COUNT"])
    _check_idle_timeout(body.type, body.scaling, "idleTimeout" in body.workers.model_fields_set)
    spec = EndpointSpec(
        name=body.name,
        type=body.type,
        image=body.image,
        args=body.args,
        disk_gb=body.disk,
        ports=tuple(body.ports),
        env=dict(body.env),
        registry=body.registry,
        gpu=_gpu_of_create(body.gpu) if body.gpu else None,
        cpu=_cpu_of(body.cpu),
        workers_min=body.workers.min,
        workers_max=body.workers.max,
        idle_timeout_s=body.workers.idleTimeout,
        scaling=_scaling_of(body.scaling),
        data_center_ids=tuple(body.dataCenterIds),
        network_volumes=tuple(body.networkVolumes),
        timeout_ms=body.timeout,
        flashboot=body.flashboot,
    )
    check(spec, context, endpoint_id=None)
    return spec


def spec_of_update(endpoint: Endpoint, body: UpdateEndpoint, context: Context) -> EndpointSpec:
    """The endpoint after a PATCH: only fields that were sent change; raises Problem 400, 404 or 422."""
    sent = body.model_fields_set
    old = endpoint.spec
    if "templateId" in sent:
        raise not_found("template")
    if ("gpu" in sent and old.gpu is None) or ("cpu" in sent and old.gpu is not None):
        raise bad_request("the compute family (gpu or cpu) of an endpoint cannot be changed")
    changes: dict[str, object] = {}
    for name, field in _PLAIN_FIELDS.items():
        if name in sent:
            value = getattr(body, name)
            changes[field] = tuple(value) if isinstance(value, list) else value
    if "gpu" in sent and old.gpu is not None:
        changes["gpu"] = _gpu_of_update(old.gpu, body.gpu)
    if "cpu" in sent:
        changes["cpu"] = _cpu_of(body.cpu)
    if "scaling" in sent:
        if old.type == LOAD_BALANCER and isinstance(body.scaling, QueueDelay):
            raise unprocessable(["$.scaling: LOAD_BALANCER endpoints must scale on REQUEST_COUNT"])
        changes["scaling"] = _scaling_of(body.scaling)
    if "workers" in sent:
        for name, field in _WORKER_FIELDS.items():
            if name in body.workers.model_fields_set:
                changes[field] = getattr(body.workers, name)
    spec = dataclasses.replace(old, **changes)  # type: ignore[arg-type]
    _check_idle_timeout(spec.type, spec.scaling, "idle_timeout_s" in changes)
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
    "networkVolumes": "network_volumes",
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
    "cpu": "cpu",
    "data_center_ids": "locations",
    "network_volumes": "networkVolumeIds",
}


def release_diff(old: EndpointSpec, new: EndpointSpec) -> tuple[FieldChange, ...]:
    """What makes a new release; name, workers, scaling, timeout and flashboot reach the endpoint directly."""
    changes: list[FieldChange] = []
    for field, name in _RELEASE_FIELDS.items():
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            changes.append(FieldChange(field=name, old=_raw(before), new=_raw(after)))
    return tuple(changes)


def _raw(value: object) -> object:
    if isinstance(value, tuple):
        return [_raw(item) for item in value]
    if isinstance(value, GpuSpec | CpuSpec):
        return {key: _raw(item) for key, item in dataclasses.asdict(value).items()}
    return value


def check(spec: EndpointSpec, context: Context, *, endpoint_id: str | None, image_changed: bool = True) -> None:
    """Everything that must hold of an endpoint whatever call made it; raises Problem 400."""
    if spec.registry is not None and spec.registry not in context.account.registries:
        raise bad_request(f"registry credential {spec.registry!r} not found")
    if image_changed:
        context.images.resolve(spec.image, context.account.login(spec.registry))
    if spec.gpu is not None:
        _check_gpu(spec.gpu, context.catalog)
    _check_cpu(spec.cpu, context.catalog)
    if spec.workers_min > spec.workers_max:
        raise bad_request(f"workers.min {spec.workers_min} is above workers.max {spec.workers_max}")
    if spec.timeout_ms < 0:
        raise bad_request(f"timeout {spec.timeout_ms} must not be negative")
    _check_places(spec, context)
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


def _check_cpu(cpus: Iterable[CpuSpec], catalog: Catalog) -> None:
    for choice in cpus:
        flavour = catalog.cpu(choice.id)
        if flavour is None:
            valid = ", ".join(one.id for one in catalog.cpus)
            raise bad_request(f"unknown CPU flavor {choice.id!r}; valid flavors: {valid}")
        count = choice.vcpu_count
        if count & (count - 1) or not flavour.vcpu_min <= count <= flavour.vcpu_max:
            raise bad_request(
                f"vcpuCount {count} is not valid for {choice.id}: a power of two from "
                f"{flavour.vcpu_min} to {flavour.vcpu_max}"
            )


def _check_places(spec: EndpointSpec, context: Context) -> None:
    unknown = [one for one in spec.data_center_ids if context.catalog.data_center(one) is None]
    if unknown:
        valid = ", ".join(one.id for one in context.catalog.data_centers)
        raise bad_request(f"unknown data center {_quoted(unknown)}; valid data centers: {valid}")
    places: list[str] = []
    for volume_id in spec.network_volumes:
        volume = context.account.volumes.get(volume_id)
        if volume is None:
            raise bad_request(f"network volume {volume_id!r} not found")
        if spec.data_center_ids and volume.data_center not in spec.data_center_ids:
            raise bad_request(f"network volume {volume_id!r} is in {volume.data_center}, outside dataCenterIds")
        places.append(volume.data_center)
    if len(set(places)) != len(places):
        raise bad_request("at most one network volume per data center")


def _check_idle_timeout(kind: str, scaling: Scaling | QueueDelay | RequestCount, sent: bool) -> None:
    if sent and kind == QUEUE and scaling.type == REQUEST_COUNT:
        raise unprocessable(["$.workers.idleTimeout: not applicable to QUEUE endpoints scaling on REQUEST_COUNT"])


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
    if "pools" in sent:  # replaces the whole selection: exclusions not restated are gone
        changes["pools"] = tuple(body.pools)
        changes["excluded_types"] = tuple(body.excludedTypes)
    if "count" in sent:
        changes["count"] = body.count
    if "allowedCudaVersions" in sent:
        changes["allowed_cuda_versions"] = tuple(body.allowedCudaVersions)
    if "minCudaVersion" in sent:
        changes["min_cuda_version"] = body.minCudaVersion
    return dataclasses.replace(old, **changes)  # type: ignore[arg-type]


def _cpu_of(choices: Iterable[CpuChoice]) -> tuple[CpuSpec, ...]:
    return tuple(CpuSpec(id=one.id, vcpu_count=one.vcpuCount) for one in choices)


def _scaling_of(body: QueueDelay | RequestCount) -> Scaling:
    value = body.queueDelay if isinstance(body, QueueDelay) else body.requestCount
    return Scaling(type=body.type, value=value)


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(repr(value) for value in values)
