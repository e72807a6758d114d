"""What the checks of the management API are made on: endpoints without a worker, named for the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from scripts.splat_cli.verify_live.accounts import Runpod
from scripts.splat_cli.verify_live.check import NotObserved

JSON = dict[str, Any]


@dataclass(kw_only=True)
class Endpoints:
    """name: of everything that is created. image: of the worker; it is resolved, but nothing starts it. gpus:
    every GPU type of the pool."""

    runpod: Runpod
    name: str
    image: str
    pool: str
    gpus: tuple[str, ...]

    def body(self, **changes: Any) -> JSON:
        """The least that a create needs, with changes. None takes a field out."""
        least = {
            "name": self.name,
            "type": "QUEUE",
            "image": self.image,
            "gpu": {"pools": [self.pool]},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
        } | changes
        return {key: value for key, value in least.items() if value is not None}

    def post(self, body: Any = None, **given: Any) -> httpx.Response:
        """A create that may be rejected. What it created is deleted at once."""
        answer = self.runpod.call("POST", "/serverless", **({"json": body} if body is not None else {}), **given)
        if answer.status_code == httpx.codes.CREATED:
            self.delete(str(answer.json()["id"]))
        return answer

    def rejected(self, **changes: Any) -> httpx.Response:
        """The answer to a create with these changes."""
        return self.post(self.body(**changes))

    @contextlib.contextmanager
    def endpoint(self, **changes: Any) -> Iterator[JSON]:
        """An endpoint that exists meanwhile. One worker at most, so that a small quota suffices."""
        answer = self.runpod.call("POST", "/serverless", json=self.body(**{"workers": {"max": 1}, **changes}))
        if answer.status_code != httpx.codes.CREATED:
            raise NotObserved(f"POST /serverless answered {answer.status_code}: {answer.text[:200]}")
        made: JSON = answer.json()
        try:
            yield made
        finally:
            self.delete(str(made["id"]))

    def get(self, identity: str) -> JSON:
        return dict(self.runpod.call("GET", f"/serverless/{identity}").json())

    def patch(self, identity: str, **changes: Any) -> httpx.Response:
        return self.runpod.call("PATCH", f"/serverless/{identity}", json=changes)

    def patched(self, identity: str, **changes: Any) -> JSON:
        """The endpoint after a change that must be accepted."""
        answer = self.patch(identity, **changes)
        if answer.status_code != httpx.codes.OK:
            raise ValueError(f"PATCH of {', '.join(changes)} answered {answer.status_code}: {answer.text[:200]}")
        return dict(answer.json())

    def delete(self, identity: str) -> httpx.Response:
        return self.runpod.call("DELETE", f"/serverless/{identity}")

    def releases(self, identity: str) -> JSON:
        return dict(self.runpod.call("GET", f"/serverless/{identity}/releases").json())
