"""What every management call goes through: the key, the rate limits, the headers of its answer, its body.
Knows no fields of a body."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local_cloud.runpod.api.http import (
    Handler,
    Verbs,
    bearer_token,
    body_of,
    platform_of,
    problem_response,
    request_id,
    same_key,
)
from local_cloud.runpod.api.management.bodies import B, parse_body
from local_cloud.runpod.api.rate_limits import ManagementLimiter
from local_cloud.runpod.core import limits
from local_cloud.runpod.core.problems import Problem, unauthorized


def management_route(path: str, handlers: Mapping[str, Handler]) -> Route:
    """A guarded route. A wrong verb is refused before the key is checked."""
    return Route(path, Verbs({verb: _guarded(handler) for verb, handler in handlers.items()}))


async def read_body(request: Request, model: type[B]) -> B:
    """The checked body of a call; 413 above the limit."""
    raw = await body_of(request, limits.MANAGEMENT_BODY_MAX_BYTES)
    if isinstance(raw, int):
        raise Problem(413, f"request body is {raw} bytes, allowed {limits.MANAGEMENT_BODY_MAX_BYTES}")
    return parse_body(model, raw)


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        platform = platform_of(request)
        headers = request_id()
        try:
            key = bearer_token(request, bare_allowed=False)
            if platform.settings.key_revoked or not same_key(key, platform.options.api_key):
                raise unauthorized("invalid bearer token")
            limiter: ManagementLimiter = request.app.state.limiter
            verdict = limiter.count(platform.settings, platform.clock.now())
            headers |= verdict.headers
            if verdict.refused is not None:
                raise Problem(
                    429,
                    f"rate limit exceeded for the {verdict.refused} window",
                    headers={"Retry-After": str(verdict.retry_after_s)},
                )
            response = await handler(request)
        except Problem as problem:
            response = problem_response(problem)
        response.headers.update(headers)
        return response

    return guarded
