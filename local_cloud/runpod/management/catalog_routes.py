"""Routes of /v2/catalog: GPU types, CPU flavours, data centres, in the published form.
Availability is data of catalog.json, the same for every product; filters narrow it as documented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..catalog import Catalog, Cpu, DataCenter, Gpu, cuda_key
from ..http import platform_of
from ..problems import bad_request, not_found, unprocessable
from .guard import management_route

PRODUCTS = ("POD", "CLUSTER", "SERVERLESS")
CPU_PRODUCTS = ("POD", "SERVERLESS")
REGIONS = (
    *("NORTH_AMERICA", "SOUTH_AMERICA", "EUROPE", "ASIA", "MIDDLE_EAST"),
    *("AFRICA", "OCEANIA", "ANTARCTICA", "UNKNOWN"),
)
COMPLIANCE = (
    *("GDPR", "ISO_IEC_27001", "ISO_14001", "PCI_DSS", "HITRUST", "SOC_1_TYPE_2"),
    *("SOC_2_TYPE_2", "SOC_3_TYPE_2", "ITAR", "FISMA_HIGH", "HIPAA", "RENEWABLE"),
)
WITH_AVAILABILITY_ONLY = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion", "vcpuCount")


async def list_gpus(request: Request) -> Response:
    catalog = platform_of(request).catalog
    query = _gpu_query(request)
    rows = [_gpu_to_wire(gpu, catalog, query) for gpu in catalog.gpus]
    if query is not None and query.countries:
        rows = [row for row in rows if "dataCenters" in row]
    return JSONResponse({"gpus": rows})


async def get_gpu(request: Request) -> Response:
    catalog = platform_of(request).catalog
    query = _gpu_query(request)
    gpu = catalog.gpu(request.path_params["id"])
    if gpu is None:
        raise not_found("gpu type")
    return JSONResponse(_gpu_to_wire(gpu, catalog, query))


async def list_cpus(request: Request) -> Response:
    catalog = platform_of(request).catalog
    detail = _cpu_detail(request)
    return JSONResponse({"cpus": [_cpu_to_wire(cpu, catalog, detail) for cpu in catalog.cpus]})


async def get_cpu(request: Request) -> Response:
    catalog = platform_of(request).catalog
    detail = _cpu_detail(request)
    cpu = catalog.cpu(request.path_params["id"])
    if cpu is None:
        raise not_found("cpu flavor")
    return JSONResponse(_cpu_to_wire(cpu, catalog, detail))


async def list_data_centers(request: Request) -> Response:
    catalog = platform_of(request).catalog
    include = _listed(request, "include", ("GPU_AVAILABILITY", "CPU_AVAILABILITY"))
    regions = _listed(request, "regions", REGIONS)
    volumes = _listed(request, "networkVolumeTypes", ("STANDARD", "HIGH_PERFORMANCE"))
    compliance = _listed(request, "compliance", COMPLIANCE)
    network = _boolean(request, "globalNetwork")
    rows = [
        _data_center_to_wire(one, catalog, include)
        for one in catalog.data_centers
        if (not regions or one.region in regions)
        and set(volumes) <= set(one.volume_types)
        and set(compliance) <= set(one.compliance)
        and (network is None or one.global_network is network)
    ]
    return JSONResponse({"dataCenters": rows})


async def get_data_center(request: Request) -> Response:
    catalog = platform_of(request).catalog
    include = _listed(request, "include", ("GPU_AVAILABILITY", "CPU_AVAILABILITY"))
    one = catalog.data_center(request.path_params["id"])
    if one is None:
        raise not_found("data center")
    return JSONResponse(_data_center_to_wire(one, catalog, include))


class GpuQuery:
    """The filters of an availability read; None in their place means that none was asked for."""

    def __init__(self, countries: Sequence[str], versions: Sequence[str] | None) -> None:
        self.countries = countries
        self.versions = versions


def _gpu_query(request: Request) -> GpuQuery | None:
    if not _wants_availability(request):
        return None
    _listed(request, "product", PRODUCTS)
    cloud = request.query_params.get("cloud")
    if cloud is not None and cloud not in ("SECURE", "COMMUNITY"):
        raise unprocessable([f"cloud: {cloud!r} is not one of SECURE, COMMUNITY"])
    _integer(request, "count", 1)
    countries = _matching(request, "countryCodes", r"[A-Z]{2}")
    exact = _matching(request, "cudaVersions", r"\d+\.\d+")
    floor = _matching(request, "minCudaVersion", r"\d+(\.\d+)?")
    if exact and floor:
        raise bad_request("cudaVersions and minCudaVersion are mutually exclusive")
    known = platform_of(request).catalog.cuda_versions
    if exact:
        return GpuQuery(countries, [one for one in known if one in exact])
    if floor:
        low = cuda_key(floor[0] if "." in floor[0] else f"{floor[0]}.0")
        return GpuQuery(countries, [one for one in known if cuda_key(one) >= low])
    return GpuQuery(countries, None)


def _wants_availability(request: Request) -> bool:
    include = _listed(request, "include", ("AVAILABILITY",))
    if include and "product" not in request.query_params:
        raise bad_request("include=AVAILABILITY requires product")
    if not include:
        for name in WITH_AVAILABILITY_ONLY:
            if name in request.query_params:
                raise bad_request(f"{name} is valid only with include=AVAILABILITY")
    return bool(include)


def _gpu_to_wire(gpu: Gpu, catalog: Catalog, query: GpuQuery | None) -> dict[str, Any]:
    price: dict[str, float] = {"secure": gpu.pod_secure_usd_per_h, "community": gpu.pod_community_usd_per_h}
    if gpu.serverless_usd_per_s is not None:
        price["serverless"] = round(gpu.serverless_usd_per_s * 3600, 6)
    wire: dict[str, Any] = {
        "id": gpu.id,
        "name": gpu.name,
        "pool": gpu.pool,
        "manufacturer": "NVIDIA",
        "memory": gpu.memory_gb,
        "secure": True,
        "community": True,
        "price": price,
        "maxCount": {"secure": 8, "community": 4},
    }
    if query is None:
        return wire
    versions = catalog.cuda_versions if query.versions is None else query.versions
    centers = [
        {"id": one.id, "name": one.name, "availability": gpu.availability}
        for one in catalog.data_centers
        if not query.countries or one.country in query.countries
    ]
    wire["availability"] = gpu.availability if centers and versions else "NONE"
    if centers:
        wire["dataCenters"] = centers
    wire["cudaVersions"] = [{"version": one, "available": gpu.availability != "NONE"} for one in versions]
    return wire


def _cpu_detail(request: Request) -> bool:
    detail = _wants_availability(request)
    _listed(request, "product", CPU_PRODUCTS)
    count = _integer(request, "vcpuCount", 2)
    if count is not None and count & (count - 1):
        raise unprocessable([f"vcpuCount: {count} is not a power of two"])
    return detail


def _cpu_to_wire(cpu: Cpu, catalog: Catalog, detail: bool) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "id": cpu.id,
        "name": cpu.name,
        "group": cpu.group,
        "vcpu": {"min": cpu.vcpu_min, "max": cpu.vcpu_max},
        "ramGbPerVcpu": cpu.ram_gb_per_vcpu,
        "price": {
            "securePerVcpu": cpu.secure_usd_per_vcpu_h,
            "serverlessPerVcpu": cpu.serverless_usd_per_vcpu_h,
        },
    }
    if detail:
        wire["availability"] = "HIGH"
        wire["dataCenters"] = [{"id": one.id, "name": one.name, "availability": "HIGH"} for one in catalog.data_centers]
    return wire


def _data_center_to_wire(one: DataCenter, catalog: Catalog, include: Sequence[str]) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "region": one.region,
        "networkVolumeTypes": list(one.volume_types),
        "compliance": list(one.compliance),
        "globalNetwork": one.global_network,
    }
    if "GPU_AVAILABILITY" in include:
        wire["gpuAvailability"] = [
            {"id": gpu.id, "name": gpu.name, "availability": gpu.availability} for gpu in catalog.gpus
        ]
    if "CPU_AVAILABILITY" in include:
        wire["cpuAvailability"] = [{"id": cpu.id, "name": cpu.name, "availability": "HIGH"} for cpu in catalog.cpus]
    return wire


def _listed(request: Request, name: str, allowed: Sequence[str]) -> list[str]:
    """A comma-separated query value, each part one of `allowed`; 422 otherwise."""
    values = request.query_params.get(name)
    if not values:  # `name=` is how an empty list is written
        return []
    parts = values.split(",")
    strangers = [part for part in parts if part not in allowed]
    if strangers:
        raise unprocessable([f"{name}: {part!r} is not one of {', '.join(allowed)}" for part in strangers])
    return parts


def _matching(request: Request, name: str, pattern: str) -> list[str]:
    values = request.query_params.get(name)
    if not values:  # `name=` is how an empty list is written
        return []
    parts = values.split(",")
    strangers = [part for part in parts if not re.fullmatch(pattern, part, re.ASCII)]
    if strangers:
        raise unprocessable([f"{name}: {part!r} does not match {pattern}" for part in strangers])
    return parts


def _integer(request: Request, name: str, low: int) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,4000}", text, re.ASCII) or int(text) < low:
        raise unprocessable([f"{name}: {text!r} is not an integer of at least {low}"])
    return int(text)


def _boolean(request: Request, name: str) -> bool | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if text not in ("true", "false"):
        raise unprocessable([f"{name}: {text!r} is not true or false"])
    return text == "true"


ROUTES: list[Route] = [
    management_route("/v2/catalog/gpus", {"GET": list_gpus}),
    management_route("/v2/catalog/gpus/{id}", {"GET": get_gpu}),
    management_route("/v2/catalog/cpus", {"GET": list_cpus}),
    management_route("/v2/catalog/cpus/{id}", {"GET": get_cpu}),
    management_route("/v2/catalog/datacenters", {"GET": list_data_centers}),
    management_route("/v2/catalog/datacenters/{id}", {"GET": get_data_center}),
]
