"""Route of the account limits: spend rate and worker quota, with what is used of each."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.api.http import platform_of
from local_cloud.runpod.api.management.guard import management_route
from local_cloud.runpod.core import limits


async def get_limits(request: Request) -> Response:
    """The two objects are documented (2026-11-18), their fields `limit` and `used` are guesses."""
    platform = platform_of(request)
    spend_usd_per_s = sum(
        worker.placement.gpu_usd_per_s for worker in platform.fleet.all() if worker.billed_from_s is not None
    )
    return JSONResponse(
        {
            "spendRate": {
                "limit": limits.SPEND_RATE_LIMIT_USD_PER_H,
                "used": round(spend_usd_per_s * 3600, 6),
            },
            "serverlessWorkers": {
                "limit": platform.settings.worker_quota,
                "used": sum(endpoint.spec.workers_max for endpoint in platform.account.endpoints.values()),
            },
        }
    )


ROUTES: list[Route] = [management_route("/v2/account/limits", {"GET": get_limits})]
