"""Routes of account secrets and account limits. A secret's value comes in and never goes out again.
`?name=` narrows the list to one name, whatever its case; running workers keep the value they booted with."""

from __future__ import annotations

import dataclasses
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import limits
from ..clock import rfc3339
from ..http import platform_of
from ..platform import Platform
from ..problems import Problem, unprocessable
from ..state import Secret
from .guard import management_route
from .kinds import Kind
from .wire import CreateSecret, UpdateSecret

RESERVED_PREFIX = "RUNPOD"


def make(platform: Platform, body: CreateSecret) -> Secret:
    if body.name.upper().startswith(RESERVED_PREFIX):
        raise unprocessable([f"$.name: names beginning with {RESERVED_PREFIX} are reserved"])
    if any(one.name == body.name for one in platform.account.secrets.values()):
        raise Problem(409, f"a secret named {body.name!r} already exists")
    now_s = platform.clock.now()
    return Secret(
        id=platform.new_id(),
        name=body.name,
        value=body.value,
        description=body.description,
        created_at_s=now_s,
        value_updated_at_s=now_s,
    )


def change(platform: Platform, secret: Secret, body: UpdateSecret) -> Secret:
    if "value" in body.model_fields_set:
        secret = dataclasses.replace(secret, value=body.value, value_updated_at_s=platform.clock.now())
    if "description" in body.model_fields_set:
        secret = dataclasses.replace(secret, description=body.description)
    return secret


def wanted(request: Request, secret: Secret) -> bool:
    name = request.query_params.get("name")
    return name is None or secret.name.lower() == name.lower()


def to_wire(secret: Secret) -> dict[str, Any]:
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


SECRETS = Kind(
    path="/v2/account/secrets",
    listed_as="secrets",
    noun="secret",
    held=lambda account: account.secrets,
    to_wire=to_wire,
    body_of_post=CreateSecret,
    make=make,
    body_of_patch=UpdateSecret,
    change=change,
    wanted=wanted,
)
ROUTES: list[Route] = [*SECRETS.routes(), management_route("/v2/account/limits", {"GET": get_limits})]
