"""Routes of registry credentials. User name and password come in and never go out again.
Deletion is refused only while a pod uses one (spec), and there are no pods here; endpoints lose the reference."""

from __future__ import annotations

import dataclasses

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..platform import Platform
from ..problems import bad_request, not_found
from ..state import Registry
from .guard import management_route
from .kinds import Kind
from .wire import Body, CreateRegistry


def make(platform: Platform, body: CreateRegistry) -> Registry:
    if any(one.name == body.name for one in platform.account.registries.values()):
        raise bad_request(f"a registry credential named {body.name!r} already exists")
    return Registry(id=platform.new_id(), name=body.name, username=body.username, password=body.password)


def let_go(platform: Platform, registry: Registry) -> None:
    for endpoint in tuple(platform.account.endpoints.values()):
        if endpoint.spec.registry == registry.id:
            spec = dataclasses.replace(endpoint.spec, registry=None)
            platform.put_endpoint(dataclasses.replace(endpoint, spec=spec))


async def no_delegations(_: Request) -> Response:
    """ECR delegations (beta) are not rebuilt; without this they would look like a registry's id."""
    raise not_found("delegation")


REGISTRIES = Kind(
    path="/v2/registries",
    listed_as="registries",
    noun="registry",
    held=lambda account: account.registries,
    to_wire=lambda one: {"id": one.id, "name": one.name},
    body_of_post=CreateRegistry,
    make=make,
    body_of_patch=Body,
    let_go=let_go,
)
ROUTES: list[Route] = [
    management_route("/v2/registries/delegations", {"GET": no_delegations, "POST": no_delegations}),
    *REGISTRIES.routes(),
]
