"""The control API under /_control: health, clock, settings, faults, workers, reset.
For tests and operators of the stand-in; the platform has nothing like it."""

from __future__ import annotations

import signal
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local_cloud.runpod.api.http import Handler, Verbs, bearer_token, platform_of, same_key
from local_cloud.runpod.api.management.bodies import parse_json
from local_cloud.runpod.core.clock import rfc3339
from local_cloud.runpod.core.problems import Problem, not_found, unauthorized, unprocessable
from local_cloud.runpod.core.settings import Settings
from local_cloud.runpod.faults.scripted import Armed, Fault
from local_cloud.runpod.jobs.wire import webhook_body

LATEST_S = 250_000_000_000.0  # the year 9892: billing needs the next whole year, and Python's dates end in 9999


class ClockChange(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    speed: float | None = Field(default=None, gt=0, le=100_000)
    advance_s: float = Field(default=0.0, ge=0)


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def get_clock(request: Request) -> Response:
    clock = platform_of(request).clock
    return JSONResponse({"now": rfc3339(clock.now()), "now_s": clock.now(), "speed": clock.speed})


async def patch_clock(request: Request) -> Response:
    """`{"speed": 60}` and/or `{"advance_s": 3600}`."""
    clock = platform_of(request).clock
    change = _parse(ClockChange, await request.body())
    if clock.now() + change.advance_s > LATEST_S:
        raise unprocessable(
            [f"advance_s: {change.advance_s} leads beyond {rfc3339(LATEST_S)}, the last supported date"]
        )
    if change.speed is not None:
        clock.set_speed(change.speed)
    clock.advance(change.advance_s)
    platform_of(request).tick()
    return await get_clock(request)


async def get_settings(request: Request) -> Response:
    return JSONResponse(platform_of(request).settings.model_dump())


async def patch_settings(request: Request) -> Response:
    """Any subset of the settings; nothing changes when one of them is refused."""
    settings = platform_of(request).settings
    changes = parse_json(await request.body())
    if not isinstance(changes, dict):
        raise unprocessable(["$: want object"])
    try:
        merged = Settings.model_validate({**settings.model_dump(), **changes})
    except ValidationError as error:
        raise _unprocessable(error) from error
    for name in changes:
        setattr(settings, name, getattr(merged, name))
    return await get_settings(request)


async def list_faults(request: Request) -> Response:
    return JSONResponse({"faults": [_fault_to_wire(one) for one in platform_of(request).faults]})


async def add_fault(request: Request) -> Response:
    armed = platform_of(request).faults.add(_parse(Fault, await request.body()))
    return JSONResponse(_fault_to_wire(armed), status_code=201)


async def clear_faults(request: Request) -> Response:
    platform_of(request).faults.clear()
    return Response(status_code=204)


async def remove_fault(request: Request) -> Response:
    if not platform_of(request).faults.remove(request.path_params["id"]):
        raise not_found("fault")
    return Response(status_code=204)


async def list_workers(request: Request) -> Response:
    """All workers with their processes, also parked and ending workers."""
    return JSONResponse(
        {
            "workers": [
                {
                    "id": one.id,
                    "endpoint_id": one.endpoint_id,
                    "phase": one.phase.value,
                    "version": one.version,
                    "jobs": sorted(one.jobs),
                    "pid": one.process.pid if one.process else None,
                }
                for one in platform_of(request).fleet.all()
            ]
        }
    )


async def worker_log(request: Request) -> Response:
    """The captured output as plain text."""
    worker = platform_of(request).fleet.get(request.path_params["id"])
    if worker is None:
        raise not_found("worker")
    lines = "".join(f"{one.source} | {one.line}\n" for one in worker.log.lines)
    return Response(lines, media_type="text/plain; charset=utf-8")


async def get_job(request: Request) -> Response:
    """A job as its webhook would carry it, with input and webhook."""
    platform = platform_of(request)
    for endpoint_id in platform.account.endpoints:
        job = platform.dispatcher.queue(endpoint_id).get(request.path_params["id"])
        if job is not None:
            return JSONResponse(webhook_body(job, now_s=platform.clock.now()))
    raise not_found("job")


async def kill_worker(request: Request) -> Response:
    """SIGKILL to the whole process group, as if the host died."""
    worker = platform_of(request).fleet.get(request.path_params["id"])
    if worker is None or worker.process is None:
        raise not_found("running worker")
    worker.process.signal_group(signal.SIGKILL)
    return Response(status_code=204)


async def reset(request: Request) -> Response:
    """An empty account, default settings, no faults, no workers."""
    await platform_of(request).reset()
    return Response(status_code=204)


def _fault_to_wire(armed: Armed) -> dict[str, Any]:
    return {"id": armed.id, "matched": armed.matched, "struck": armed.struck} | armed.fault.model_dump(mode="json")


M = TypeVar("M", bound=BaseModel)


def _parse(model: type[M], raw: bytes) -> M:
    try:
        return model.model_validate(parse_json(raw))
    except ValidationError as error:
        raise _unprocessable(error) from error


def _unprocessable(error: ValidationError) -> Problem:
    return unprocessable([f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()])


def _route(path: str, handlers: dict[str, Handler]) -> Route:
    return Route(f"/_control/{path}", Verbs({verb: _guarded(one) for verb, one in handlers.items()}))


def _guarded(handler: Handler) -> Handler:
    async def guarded(request: Request) -> Response:
        if not same_key(bearer_token(request, bare_allowed=False), platform_of(request).options.api_key):
            raise unauthorized("invalid bearer token")
        return await handler(request)

    return guarded


ROUTES: list[Route] = [
    Route("/_control/health", Verbs({"GET": health})),  # open: the supervisor waits for it
    _route("clock", {"GET": get_clock, "PATCH": patch_clock}),
    _route("settings", {"GET": get_settings, "PATCH": patch_settings}),
    _route("faults", {"GET": list_faults, "POST": add_fault, "DELETE": clear_faults}),
    _route("faults/{id:int}", {"DELETE": remove_fault}),
    _route("jobs/{id}", {"GET": get_job}),
    _route("workers", {"GET": list_workers}),
    _route("workers/{id}/log", {"GET": worker_log}),
    _route("workers/{id}/kill", {"POST": kill_worker}),
    _route("reset", {"POST": reset}),
]
