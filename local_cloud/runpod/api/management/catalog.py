"""Routes of /v2/catalog/gpus: the GPU types in the published form.
Availability is data of catalog.json, the same for every product. The documented filters are not modelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account.catalog import Catalog, Gpu
from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management.guard import management_route
from local_cloud.runpod.core.problems import bad_request, not_found, not_modelled, unprocessable

PRODUCTS = ("POD", "CLUSTER", "SERVERLESS")
FILTERS = ("count", "cloud", "countryCodes", "cudaVersions", "minCudaVersion")


async def list_gpus(request: Request) -> Response:
    catalog = platform_of(request).catalog
    detail = _wants_availability(request)
    return JSONResponse({"gpus": [_gpu_to_wire(gpu, catalog, detail) for gpu in catalog.gpus]})


async def get_gpu(request: Request) -> Response:
    catalog = platform_of(request).catalog
    detail = _wants_availability(request)
    gpu = catalog.gpu(request.path_params["id"])
    if gpu is None:
        raise not_found("gpu type")
    return JSONResponse(_gpu_to_wire(gpu, catalog, detail))


def _wants_availability(request: Request) -> bool:
    include = _listed(request, "include", ("AVAILABILITY",))
    product = "product" in request.query_params
    if include and not product:
        raise bad_request("include=AVAILABILITY requires product")
    if product and not include:
        raise bad_request("product is valid only with include=AVAILABILITY")
    _listed(request, "product", PRODUCTS)
    for name in FILTERS:
        if name in request.query_params:
            raise not_modelled(f"the catalogue filter {name}")
    return bool(include)


def _gpu_to_wire(gpu: Gpu, catalog: Catalog, detail: bool) -> dict[str, Any]:
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
    if detail:
        available = gpu.availability != "NONE"
        wire["availability"] = gpu.availability
        wire["dataCenters"] = [
            {"id": one.id, "name": one.name, "availability": gpu.availability} for one in catalog.data_centers
        ]
        wire["cudaVersions"] = [{"version": one, "available": available} for one in catalog.cuda_versions]
    return wire


def _listed(request: Request, name: str, allowed: Sequence[str]) -> list[str]:
    """A comma-separated query value, each part one of `allowed`; 422 otherwise."""
    values = request.query_params.get(name)
    if not values:  # `name=` is an empty list
        return []
    parts = values.split(",")
    strangers = [part for part in parts if part not in allowed]
    if strangers:
        raise unprocessable([f"{name}: {part!r} is not one of {', '.join(allowed)}" for part in strangers])
    return parts


ROUTES: list[Route] = [
    management_route("/v2/catalog/gpus", {"GET": list_gpus}),
    management_route("/v2/catalog/gpus/{id}", {"GET": get_gpu}),
]
