"""Deploys an image, checks the app's health, and rolls back to the last good image if it fails.
The workflow decides when and where."""

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
    """How a deployment ended. Covers the app, not running jobs."""

    DEPLOYED = "deployed"
    ROLLED_BACK = "rolled back"  # the new image failed, the last good one runs again
    FAILED = "failed"  # there was no good image to roll back to, or it failed as well


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """The result of a deployment. image: what runs now; reason: why the requested image does not run."""

    outcome: Outcome
    image: str
    reason: str = ""


class NotHealthy(Exception):
    """The deployed app does not pass its health check."""


def smoke(
    url: str, stack: str, *, limit_s: float = SMOKE_LIMIT_S, get: Callable[..., httpx.Response] = httpx.get
) -> None:
    """Wait until the app reports that it is healthy and belongs to this stack. Raises NotHealthy after `limit_s`."""
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
            raise NotHealthy(f"{url}/api/health is not healthy after {limit_s:.0f} s. Last answer: {seen}")
        time.sleep(SMOKE_PAUSE_S)


def deploy(engine: Engine, stack: str, image: str, *, check: Callable[[str, str], None] = smoke) -> Deployed:
    """Deploy `image` on `stack` and roll back if its deployment or its health check fails. Returns the outcome for
    both; does not raise."""
    last_good = str(engine.outputs(stack).get("imageReference", ""))
    try:
        _set_image(engine, stack, image, check)
    except (EngineFailed, NotHealthy) as problem:
        if not last_good or last_good == image:
            return Deployed(outcome=Outcome.FAILED, image=image, reason=str(problem))
        try:
            _set_image(engine, stack, last_good, check)
        except (EngineFailed, NotHealthy) as second:
            reason = f"{problem}\nThe last good image failed as well: {second}"
            return Deployed(outcome=Outcome.FAILED, image=last_good, reason=reason)
        return Deployed(outcome=Outcome.ROLLED_BACK, image=last_good, reason=str(problem))
    return Deployed(outcome=Outcome.DEPLOYED, image=image)


def _set_image(engine: Engine, stack: str, image: str, check: Callable[[str, str], None]) -> None:
    engine.run("config", "set", "--stack", stack, "--plaintext", "--", IMAGE_KEY, image)
    engine.run("up", "--stack", stack, "--refresh", "--yes", "--skip-preview")
    check(str(engine.outputs(stack)["appUrl"]), stack)
