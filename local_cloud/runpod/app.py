"""The whole HTTP surface of the stand-in on one port: which path goes to which room.
Never holds state or rules."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from . import balancer, control, worker_protocol
from .faulty_transport import FaultyTransport
from .http import problem_response
from .jobs import routes as jobs
from .management import account, billing_routes, catalog_routes, endpoints, logs, registries, volumes
from .platform import Platform
from .problems import Problem
from .rate_limits import ManagementLimiter


async def _unknown(request: Request, error: Exception) -> Response:
    """Paths of no route, among them RunPod's REST v1, GraphQL and the products that are not rebuilt here."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return problem_response(Problem(status, f"{request.url.path} is not a path of this API"))


def make_app(platform: Platform) -> ASGIApp:
    # Management paths come first: the job API's pattern would take `/v2/serverless/...` for an endpoint id.
    app = Starlette(
        routes=[
            *control.ROUTES,
            *endpoints.ROUTES,
            *logs.ROUTES,
            *registries.ROUTES,
            *account.ROUTES,
            *volumes.ROUTES,
            *catalog_routes.ROUTES,
            *billing_routes.ROUTES,
            *jobs.ROUTES,
            *worker_protocol.ROUTES,
            *balancer.ROUTES,
        ],
        exception_handlers={HTTPException: _unknown},
    )
    app.router.redirect_slashes = False
    app.state.platform = platform
    app.state.limiter = ManagementLimiter()
    app.state.job_limiter = jobs.JobLimiter()
    return FaultyTransport(balancer.OwnHosts(app), platform.faults)
