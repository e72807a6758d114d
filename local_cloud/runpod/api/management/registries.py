"""Routes of registry credentials. User name and password come in and never go out again.
Deletion is refused only while a pod uses one (spec), and there are no pods here; endpoints lose the reference."""

from __future__ import annotations

import dataclasses

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.account.state import Registry
from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management.bodies import CreateRegistry
from local_cloud.runpod.api.management.guard import management_route, read_body
from local_cloud.runpod.core.problems import bad_request, not_found, not_modelled


async def list_registries(request: Request) -> Response:
    registries = platform_of(request).account.registries.values()
    return JSONResponse({"registries": [_to_wire(registry) for registry in registries]})


async def create_registry(request: Request) -> Response:
    platform = platform_of(request)
    body = await read_body(request, CreateRegistry)
    registries = platform.account.registries
    if any(registry.name == body.name for registry in registries.values()):
        raise bad_request(f"a registry credential named {body.name!r} already exists")
    made = Registry(id=platform.new_id(), name=body.name, username=body.username, password=body.password)
    registries[made.id] = made
    platform.save()
    return JSONResponse(_to_wire(made), status_code=201)


async def get_registry(request: Request) -> Response:
    return JSONResponse(_to_wire(_find(request)))


async def delete_registry(request: Request) -> Response:
    platform, registry = platform_of(request), _find(request)
    del platform.account.registries[registry.id]
    for endpoint in tuple(platform.account.endpoints.values()):
        if endpoint.spec.registry == registry.id:
            spec = dataclasses.replace(endpoint.spec, registry=None)
            platform.put_endpoint(dataclasses.replace(endpoint, spec=spec))
    platform.save()
    return Response(status_code=204)


async def no_delegations(_: Request) -> Response:
    """Without this route an ECR delegation would look like the id of a registry."""
    raise not_modelled("ECR delegations", status=404)


def _find(request: Request) -> Registry:
    registry = platform_of(request).account.registries.get(request.path_params["id"])
    if registry is None:
        raise not_found("registry")
    return registry


def _to_wire(registry: Registry) -> dict[str, str]:
    return {"id": registry.id, "name": registry.name}


ROUTES: list[Route] = [
    management_route("/v2/registries/delegations", {"GET": no_delegations, "POST": no_delegations}),
    management_route("/v2/registries", {"GET": list_registries, "POST": create_registry}),
    management_route("/v2/registries/{id}", {"GET": get_registry, "DELETE": delete_registry}),
]
