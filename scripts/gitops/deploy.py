"""Deployment with a way back: a new image goes up, is tried, and the last good one returns when it fails.
Decides nothing about when or where; the workflow does."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import httpx

from scripts.gitops.engine import Engine, EngineFailed
from scripts.gitops.plan import IMAGE_KEY

SMOKE_LIMIT_S = 90.0
SMOKE_PAUSE_S = 3.0


class Outcome(StrEnum):
    """How a deployment ended. Says nothing about jobs that run."""

    DEPLOYED = "deployed"
    RETURNED = "returned"  # the new image failed, the last good one runs again
    FAILED = "failed"  # it failed and there was nothing to return to, or that failed too


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The end of a deployment, with the image that runs now and why it is not the asked one."""

    outcome: Outcome
    image: str
    reason: str = ""


class NotHealthy(Exception):
    """The deployed app does not answer as it should."""


def smoke(
    url: str, stack: str, *, limit_s: float = SMOKE_LIMIT_S, get: Callable[..., httpx.Response] = httpx.get
) -> None:
    """The app answers, and says that it is this stack's. Raises NotHealthy after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            answer = get(f"{url}/api/health", timeout=10)
            body = answer.json() if answer.status_code == httpx.codes.OK else {}
            if body.get("status") == "ok" and body.get("stack") == stack:
                return
            seen = f"{answer.status_code} {str(body)[:200]}"
        except (httpx.HTTPError, ValueError) as problem:
            seen = type(problem).__name__
        if time.monotonic() > deadline:
            raise NotHealthy(f"{url}/api/health is not healthy after {limit_s:.0f} s: {seen}")
        time.sleep(SMOKE_PAUSE_S)


def deploy(engine: Engine, stack: str, image: str, *, check: Callable[[str, str], None] = smoke) -> Deployed:
    """Put `image` on `stack`, try it, and go back to what ran before when it fails. Never raises for a stack that
    ends ill: the outcome says so."""
    last_good = str(engine.outputs(stack).get("imageReference", ""))
    try:
        _put(engine, stack, image, check)
    except (EngineFailed, NotHealthy) as problem:
        if not last_good or last_good == image:
            return Deployed(outcome=Outcome.FAILED, image=image, reason=str(problem))
        try:
            _put(engine, stack, last_good, check)
        except (EngineFailed, NotHealthy) as second:
            reason = f"{problem}\nand the last good image failed too: {second}"
            return Deployed(outcome=Outcome.FAILED, image=last_good, reason=reason)
        return Deployed(outcome=Outcome.RETURNED, image=last_good, reason=str(problem))
    return Deployed(outcome=Outcome.DEPLOYED, image=image)


def _put(engine: Engine, stack: str, image: str, check: Callable[[str, str], None]) -> None:
    engine.run("config", "set", "--stack", stack, "--plaintext", "--", IMAGE_KEY, image)
    engine.run("up", "--stack", stack, "--yes", "--skip-preview")
    check(str(engine.outputs(stack)["appUrl"]), stack)
