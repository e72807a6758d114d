"""The whole HTTP surface of the stand-in on one port: which path goes to which module.
Holds no state and no rules."""

from __future__ import annotations

from http import HTTPStatus

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from local_cloud.runpod.api import control, job_api, worker_protocol
from local_cloud.runpod.api.http import problem_response
from local_cloud.runpod.api.management import account_limits, billing, catalog, endpoints, logs, registries
from local_cloud.runpod.api.rate_limits import JobLimiter, ManagementLimiter
from local_cloud.runpod.core.problems import Problem, not_modelled
from local_cloud.runpod.faults.transport import FaultyTransport
from local_cloud.runpod.platform import Platform

# Paths that guides name for what REST v2 calls otherwise.
OTHER_NAMES = {
    "/v2/endpoints": ": REST v2 calls endpoints /v2/serverless",
    "/v1/endpoints": ": REST v1 has ended, use /v2/serverless",
    "/graphql": ": the GraphQL API has no place in this program, use /v2/serverless",
}


async def _unknown(request: Request, error: Exception) -> Response:
    """Paths without a route: REST v1, GraphQL, and every product that this stand-in does not model."""
    if isinstance(error, HTTPException) and error.status_code != HTTPStatus.NOT_FOUND:
        return problem_response(Problem(error.status_code, error.detail))
    path = request.url.path
    hint = OTHER_NAMES.get("/".join(path.split("/")[:3]), "")
    return problem_response(not_modelled(path + hint, status=HTTPStatus.NOT_FOUND))


def make_app(platform: Platform) -> ASGIApp:
    # Management paths come first: the job API's pattern would take `/v2/serverless/...` for an endpoint id.
    app = Starlette(
        routes=[
            *control.ROUTES,
            *endpoints.ROUTES,
            *logs.ROUTES,
            *registries.ROUTES,
            *account_limits.ROUTES,
            *catalog.ROUTES,
            *billing.ROUTES,
            *job_api.ROUTES,
            *worker_protocol.ROUTES,
        ],
        exception_handlers={HTTPException: _unknown},
    )
    app.router.redirect_slashes = False
    app.state.platform = platform
    app.state.limiter = ManagementLimiter()
    app.state.job_limiter = JobLimiter()
    return FaultyTransport(app, platform.faults)
