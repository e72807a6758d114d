"""What the plan of an endpoint refuses before anything is created: a tag, a quota that is too small, an adoption that
cannot be. Pure functions over props and answers. Bounds of single settings stand in infra/settings/model.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from infra.dynamic import has_unknown
from infra.runpod.model import MARKER

Props = Mapping[str, Any]


def fixed_image(news: Props) -> str | None:
    """A reason to refuse `image`: RunPod must never see a tag."""
    image = news["image"]
    if has_unknown(image) or "@sha256:" in image:
        return None
    return f"image is {image!r}, which can change under a running endpoint. Use repository@sha256:digest"


def raises_workers(olds: Props, news: Props) -> bool:
    """Whether the endpoint asks for more workers than before; only then can it exceed a quota."""
    workers = news["workers"]
    return not has_unknown(workers) and workers["max"] > (olds.get("workers") or {}).get("max", 0)


def within_quota(news: Props, endpoints: Iterable[Props], limits: Props) -> str | None:
    """A reason to refuse `workers.max`: all endpoints together would exceed the account's quota."""
    quota = _quota(limits)
    if quota is None:
        return None
    marker = marker_of(news)
    others = sum(
        _workers_max(endpoint)
        for endpoint in endpoints
        if marker_of(endpoint) != marker and endpoint.get("id") != news.get("adoptId")
    )
    asked = int(news["workers"]["max"])
    if others + asked <= quota:
        return None
    return (
        f"photo-splat:workersMax is {asked}, but the account has room for {max(0, quota - others)}: its quota is "
        f"{quota} workers, and other endpoints use {others}. Lower workersMax, or raise the quota by adding balance"
    )


def _workers_max(endpoint: Props) -> int:
    """0 where the API gives it in a way that is not published."""
    workers = endpoint.get("workers")
    most = workers.get("max") if isinstance(workers, Mapping) else None
    return int(most) if isinstance(most, int | float) else 0


def _quota(limits: Props) -> int | None:
    """The page of 2026-11-18 names the object `serverlessWorkers`, but its stored copy not the fields inside. So this
    tries the usual words, and returns None when none is there."""
    workers = limits.get("serverlessWorkers")
    if isinstance(workers, Mapping):
        for key in ("limit", "max", "quota"):
            if isinstance(workers.get(key), int | float):
                return int(workers[key])
    return None


def adopts_another(id_: str, olds: Props, news: Props) -> bool:
    """Whether `adoptId` newly names an endpoint that is not this one."""
    named = news.get("adoptId")
    return bool(named) and named not in (olds.get("adoptId"), id_)


def adoptable(news: Props, found: Props | None) -> str | None:
    """A reason to refuse `adoptId`: `found` does not exist, or the `destroy` of another stack would delete it."""
    named = news["adoptId"]
    if found is None:
        return (
            f"photo-splat:adoptEndpointId is {named}, but the account of runpod:apiKey has no such endpoint. Correct "
            "the key, or remove it if the stack already has its endpoint"
        )
    # An unknown marker does not exist yet, so no endpoint can carry it.
    if marker_of(found) and marker_of(found) != marker_of(news):
        return (
            f"photo-splat:adoptEndpointId is {named}, which belongs to another stack of this project. Remove it "
            f"from that stack's state (pulumi state delete) and delete its variable {MARKER}, or destroy that stack"
        )
    return None


def marker_of(endpoint: Props) -> str | None:
    """The marker in an endpoint's environment, from props or an API answer."""
    env = endpoint.get("env")
    return env.get(MARKER) if isinstance(env, Mapping) else None
