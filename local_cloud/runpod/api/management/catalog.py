"""Routes of /v2/catalog/gpus: the GPU types in the published form.
Availability is data of catalog.json, the same for every product; the documented filters apply."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account.catalog import Catalog, Gpu, cuda_key
from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management.guard import management_route
from local_cloud.runpod.core.problems import bad_request, not_found, unprocessable

PRODUCTS = ("POD", "CLUSTER", "SERVERLESS")
WITH_AVAILABILITY_ONLY = ("product", "count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")


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


@dataclasses.dataclass(frozen=True, kw_only=True)
class GpuQuery:
    """The filters of an availability read. `versions` is None without a filter for CUDA versions."""

    countries: Sequence[str]
    versions: Sequence[str] | None


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
        return GpuQuery(countries=countries, versions=[one for one in known if one in exact])
    if floor:
        low = cuda_key(floor[0] if "." in floor[0] else f"{floor[0]}.0")
        return GpuQuery(countries=countries, versions=[one for one in known if cuda_key(one) >= low])
    return GpuQuery(countries=countries, versions=None)


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


ROUTES: list[Route] = [
    management_route("/v2/catalog/gpus", {"GET": list_gpus}),
    management_route("/v2/catalog/gpus/{id}", {"GET": get_gpu}),
]
