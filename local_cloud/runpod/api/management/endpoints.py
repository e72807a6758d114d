"""Routes of /v2/serverless: endpoints, their workers, their releases, and their published form.
Unpacks, calls rules.py and the platform, and packs."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account.state import Endpoint, Release
from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management import rules
from local_cloud.runpod.api.management.bodies import CreateEndpoint, UpdateEndpoint
from local_cloud.runpod.api.management.guard import management_route, read_body
from local_cloud.runpod.api.management.pages import page
from local_cloud.runpod.core.clock import rfc3339
from local_cloud.runpod.core.problems import not_found
from local_cloud.runpod.platform import Platform
from local_cloud.runpod.workers.model import Phase, Worker

# `{job_id}`, percent-encoded: the document requires `format: uri`, although its own examples have bare braces.
# The tests validate every answer against the schema.
JOB_ID = "%7Bjob_id%7D"


async def list_endpoints(request: Request) -> Response:
    platform = platform_of(request)
    endpoints, pagination = page(request, tuple(platform.account.endpoints.values()))
    return JSONResponse({"endpoints": [endpoint_to_wire(one, platform) for one in endpoints], "pagination": pagination})


async def create_endpoint(request: Request) -> Response:
    platform = platform_of(request)
    body = await read_body(request, CreateEndpoint)
    spec = rules.spec_of_create(body, _context(platform))
    now_s = platform.clock.now()
    endpoint = Endpoint(
        id=platform.new_id(),
        spec=spec,
        created_at_s=now_s,
        releases=(Release(id=platform.ids.object_id(), version=1, created_at_s=now_s, diff=()),),
    )
    platform.put_endpoint(endpoint)
    return JSONResponse(endpoint_to_wire(endpoint, platform), status_code=201)


async def get_endpoint(request: Request) -> Response:
    return JSONResponse(endpoint_to_wire(find(request), platform_of(request)))


async def update_endpoint(request: Request) -> Response:
    platform = platform_of(request)
    find(request)
    body = await read_body(request, UpdateEndpoint)
    endpoint = find(request)  # read again: another call can have changed or deleted it meanwhile
    spec = rules.spec_of_update(endpoint, body, _context(platform))
    changed = dataclasses.replace(endpoint, spec=spec)
    diff = rules.release_diff(endpoint.spec, spec)
    if diff:
        release = Release(
            id=platform.ids.object_id(),
            version=endpoint.version + 1,
            created_at_s=platform.clock.now(),
            diff=diff,
        )
        changed = dataclasses.replace(changed, releases=(*endpoint.releases, release))
    platform.put_endpoint(changed)
    return JSONResponse(endpoint_to_wire(changed, platform))


async def delete_endpoint(request: Request) -> Response:
    platform_of(request).delete_endpoint(find(request).id)
    return Response(status_code=204)


async def list_workers(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = find(request)
    workers = [_worker_to_wire(one, endpoint, platform) for one in _visible(endpoint, platform)]
    summary = {
        name.lower(): sum(one["status"] == name for one in workers)
        for name in ("RUNNING", "IDLE", "INITIALIZING", "THROTTLED", "UNHEALTHY")
    }
    return JSONResponse(
        {
            "workers": workers,
            "summary": {**summary, "total": len(workers)},
            "endpointVersion": endpoint.version,
        }
    )


async def list_releases(request: Request) -> Response:
    platform = platform_of(request)
    endpoint = find(request)
    workers = _visible(endpoint, platform)
    latest = sum(one.version == endpoint.version for one in workers)
    releases, pagination = page(request, endpoint.releases[::-1])
    return JSONResponse(
        {
            "endpointVersion": endpoint.version,
            "rollout": {
                "inProgress": latest < len(workers),
                "workersOnLatest": latest,
                "workersTotal": len(workers),
                "percentOnLatest": round(100 * latest / len(workers)) if workers else 0,
            },
            "releases": [
                {
                    "id": one.id,
                    "version": one.version,
                    "source": "MANUAL",
                    "buildId": None,
                    "createdByUserId": None,
                    "workerCount": sum(worker.version == one.version for worker in workers),
                    "createdAt": rfc3339(one.created_at_s),
                    "diff": [dataclasses.asdict(change) for change in one.diff],
                }
                for one in releases
            ],
            "pagination": pagination,
        }
    )


def find(request: Request) -> Endpoint:
    """The endpoint of the path, or 404."""
    endpoint = platform_of(request).account.endpoints.get(request.path_params["id"])
    if endpoint is None:
        raise not_found("endpoint")
    return endpoint


def _context(platform: Platform) -> rules.Context:
    return rules.Context(
        account=platform.account, catalog=platform.catalog, images=platform.images, settings=platform.settings
    )


def _visible(endpoint: Endpoint, platform: Platform) -> list[Worker]:
    """Listed workers: a worker that ends until its process is gone, no parked workers."""
    return [one for one in platform.fleet.all() if one.endpoint_id == endpoint.id and one.phase is not Phase.PARKED]


def _worker_to_wire(worker: Worker, endpoint: Endpoint, platform: Platform) -> dict[str, Any]:
    placed = worker.started_s is not None
    return {
        "id": worker.id,
        "status": worker.status,
        "isStale": worker.version != endpoint.version,
        "version": worker.version,
        "gpuCount": worker.placement.gpu_count,
        "image": worker.image,
        "uptimeSeconds": int(platform.clock.now() - worker.started_s) if worker.started_s is not None else None,
        "gpuTypeId": worker.placement.gpu_type_id if placed else None,
        "dataCenterId": worker.placement.data_center_id if placed else None,
        "startedAt": rfc3339(worker.started_s) if worker.started_s is not None else None,
    }


def endpoint_to_wire(endpoint: Endpoint, platform: Platform) -> dict[str, Any]:
    """The read object: env in plain text, no templateId, no version (spec: Endpoint)."""
    spec = endpoint.spec
    gpu: dict[str, Any] = {
        "pools": list(spec.gpu.pools),
        "count": spec.gpu.count,
        "allowedCudaVersions": list(spec.gpu.allowed_cuda_versions),
        "minCudaVersion": spec.gpu.min_cuda_version or None,
    }
    if spec.gpu.excluded_types:
        gpu["excludedTypes"] = list(spec.gpu.excluded_types)
    return {
        "id": endpoint.id,
        "name": spec.name,
        "type": rules.QUEUE,
        "requestUrls": _request_urls(endpoint, platform.options.base_url),
        "image": spec.image,
        "args": spec.args,
        "disk": spec.disk_gb,
        "ports": list(spec.ports),
        "env": dict(spec.env),
        "registry": spec.registry,
        "gpu": gpu,
        "workers": {"min": spec.workers_min, "max": spec.workers_max, "idleTimeout": spec.idle_timeout_s},
        "scaling": {"type": rules.QUEUE_DELAY, "queueDelay": spec.queue_delay_s},
        "dataCenterIds": list(spec.data_center_ids),
        "networkVolumes": [],
        "timeout": spec.timeout_ms,
        "flashboot": spec.flashboot,
        "createdAt": rfc3339(endpoint.created_at_s),
    }


def _request_urls(endpoint: Endpoint, base_url: str) -> dict[str, str]:
    root = f"{base_url}/v2/{endpoint.id}"
    return {
        "run": f"{root}/run",
        "runSync": f"{root}/runsync",
        "status": f"{root}/status/{JOB_ID}",
        "stream": f"{root}/stream/{JOB_ID}",
        "cancel": f"{root}/cancel/{JOB_ID}",
        "retry": f"{root}/retry/{JOB_ID}",
        "purgeQueue": f"{root}/purge-queue",
        "health": f"{root}/health",
    }


ROUTES: list[Route] = [
    management_route("/v2/serverless", {"GET": list_endpoints, "POST": create_endpoint}),
    management_route("/v2/serverless/{id}", {"GET": get_endpoint, "PATCH": update_endpoint, "DELETE": delete_endpoint}),
    management_route("/v2/serverless/{id}/workers", {"GET": list_workers}),
    management_route("/v2/serverless/{id}/releases", {"GET": list_releases}),
]
