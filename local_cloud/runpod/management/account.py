"""Routes of registry credentials, account secrets and account limits.
Passwords and secret values come in and never go out again."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import limits
from ..clock import rfc3339
from ..http import platform_of
from ..problems import Problem, bad_request, not_found, unprocessable
from ..state import Registry, Secret
from .guard import management_route, read_body
from .wire import CreateRegistry, CreateSecret, UpdateSecret

RESERVED_PREFIX = "RUNPOD"


async def list_registries(request: Request) -> Response:
    registries = platform_of(request).account.registries.values()
    return JSONResponse({"registries": [_registry_to_wire(one) for one in registries]})


async def create_registry(request: Request) -> Response:
    platform = platform_of(request)
    body = await read_body(request, CreateRegistry)
    if any(one.name == body.name for one in platform.account.registries.values()):
        raise bad_request(f"a registry credential named {body.name!r} already exists")
    registry = Registry(id=platform.new_id(), name=body.name, username=body.username, password=body.password)
    platform.account.registries[registry.id] = registry
    platform.save()
    return JSONResponse(_registry_to_wire(registry), status_code=201)


async def get_registry(request: Request) -> Response:
    return JSONResponse(_registry_to_wire(_registry(request)))


async def delete_registry(request: Request) -> Response:
    """Refused only while a pod uses it (spec), and there are no pods here; endpoints lose the reference."""
    platform = platform_of(request)
    registry = _registry(request)
    del platform.account.registries[registry.id]
    for endpoint in tuple(platform.account.endpoints.values()):
        if endpoint.spec.registry == registry.id:
            spec = dataclasses.replace(endpoint.spec, registry=None)
            platform.put_endpoint(dataclasses.replace(endpoint, spec=spec))
    platform.save()
    return Response(status_code=204)


def _registry(request: Request) -> Registry:
    registry = platform_of(request).account.registries.get(request.path_params["id"])
    if registry is None:
        raise not_found("registry")
    return registry


def _registry_to_wire(registry: Registry) -> dict[str, str]:
    return {"id": registry.id, "name": registry.name}


async def list_secrets(request: Request) -> Response:
    """`?name=` narrows to one name, whatever its case."""
    wanted = request.query_params.get("name")
    secrets = platform_of(request).account.secrets.values()
    return JSONResponse(
        {"secrets": [_secret_to_wire(one) for one in secrets if wanted is None or one.name.lower() == wanted.lower()]}
    )


async def create_secret(request: Request) -> Response:
    platform = platform_of(request)
    body = await read_body(request, CreateSecret)
    if body.name.upper().startswith(RESERVED_PREFIX):
        raise unprocessable([f"$.name: names beginning with {RESERVED_PREFIX} are reserved"])
    if any(one.name == body.name for one in platform.account.secrets.values()):
        raise Problem(409, f"a secret named {body.name!r} already exists")
    now_s = platform.clock.now()
    secret = Secret(
        id=platform.new_id(),
        name=body.name,
        value=body.value,
        description=body.description,
        created_at_s=now_s,
        value_updated_at_s=now_s,
    )
    platform.account.secrets[secret.id] = secret
    platform.save()
    return JSONResponse(_secret_to_wire(secret), status_code=201)


async def get_secret(request: Request) -> Response:
    return JSONResponse(_secret_to_wire(_secret(request)))


async def update_secret(request: Request) -> Response:
    """Running workers keep the old value; the next boot gets the new one."""
    platform = platform_of(request)
    secret = _secret(request)
    body = await read_body(request, UpdateSecret)
    sent = body.model_fields_set
    if not sent:
        raise unprocessable(["$: minProperties: got 0, want 1"])
    if "value" in sent:
        secret = dataclasses.replace(secret, value=body.value, value_updated_at_s=platform.clock.now())
    if "description" in sent:
        secret = dataclasses.replace(secret, description=body.description)
    platform.account.secrets[secret.id] = secret
    platform.save()
    return JSONResponse(_secret_to_wire(secret))


async def delete_secret(request: Request) -> Response:
    platform = platform_of(request)
    del platform.account.secrets[_secret(request).id]
    platform.save()
    return Response(status_code=204)


def _secret(request: Request) -> Secret:
    secret = platform_of(request).account.secrets.get(request.path_params["id"])
    if secret is None:
        raise not_found("secret")
    return secret


def _secret_to_wire(secret: Secret) -> dict[str, Any]:
    return {
        "id": secret.id,
        "name": secret.name,
        "description": secret.description or None,
        "createdAt": rfc3339(secret.created_at_s),
        "valueLastUpdatedAt": rfc3339(secret.value_updated_at_s),
    }


async def get_limits(request: Request) -> Response:
    """The two objects are documented (2026-11-18), their fields are not: `limit` and `used` are guesses."""
    platform = platform_of(request)
    spend_usd_per_s = sum(
        one.placement.gpu_usd_per_s + one.placement.cpu_usd_per_s
        for one in platform.fleet.all()
        if one.billed_from_s is not None
    )
    return JSONResponse(
        {
            "spendRate": {
                "limit": limits.SPEND_RATE_LIMIT_USD_PER_H,
                "used": round(spend_usd_per_s * 3600, 6),
            },
            "serverlessWorkers": {
                "limit": platform.settings.worker_quota,
                "used": sum(one.spec.workers_max for one in platform.account.endpoints.values()),
            },
        }
    )


async def no_delegations(_: Request) -> Response:
    """ECR delegations (beta) are not rebuilt; without this they would look like a registry's id."""
    raise not_found("delegation")


ROUTES: list[Route] = [
    management_route("/v2/registries/delegations", {"GET": no_delegations, "POST": no_delegations}),
    management_route("/v2/registries", {"GET": list_registries, "POST": create_registry}),
    management_route("/v2/registries/{id}", {"GET": get_registry, "DELETE": delete_registry}),
    management_route("/v2/account/secrets", {"GET": list_secrets, "POST": create_secret}),
    management_route("/v2/account/secrets/{id}", {"GET": get_secret, "PATCH": update_secret, "DELETE": delete_secret}),
    management_route("/v2/account/limits", {"GET": get_limits}),
]
