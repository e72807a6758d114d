"""Client of the runtime's control API (docs/contracts.md, local cloud).
The provider double decides what to send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

TIMEOUT_S = 60.0  # applying a script waits until workerd serves it
Props = dict[str, Any]


class ControlError(Exception):
    """The runtime rejected the call, failed, or does not run. `str()` is for people."""


class Control:
    """One runtime. Safe to share between threads."""

    def __init__(self, *, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self._url, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT_S, trust_env=False
        )

    def put(self, kind: str, identity: str, props: Mapping[str, Any]) -> Props:
        return self._answer("PUT", kind, identity, json={"props": dict(props)})

    def get(self, kind: str, identity: str) -> Props | None:
        """The stored props; None when the resource does not exist."""
        response = self._send("GET", kind, identity)
        return None if response.status_code == 404 else self._props(response, f"GET {kind} {identity}")

    def delete(self, kind: str, identity: str) -> None:
        response = self._send("DELETE", kind, identity)
        if response.status_code != 404:
            self._refuse(response, f"DELETE {kind} {identity}")

    def _answer(self, method: str, kind: str, identity: str, **given: Any) -> Props:
        return self._props(self._send(method, kind, identity, **given), f"{method} {kind} {identity}")

    def _send(self, method: str, kind: str, identity: str, **given: Any) -> httpx.Response:
        try:
            return self._http.request(method, f"/resources/{kind}/{quote(identity, safe='')}", **given)
        except httpx.TransportError as problem:
            raise ControlError(
                f"no local Cloudflare runtime answers at {self._url} ({type(problem).__name__}). "
                "Start the local cloud with `make up`."
            ) from None

    def _props(self, response: httpx.Response, call: str) -> Props:
        self._refuse(response, call)
        props: Props = response.json()["props"]
        return props

    @staticmethod
    def _refuse(response: httpx.Response, call: str) -> None:
        if response.is_success:
            return
        try:
            error = response.json()["error"]
            text = f"{error['code']}: {error['message']}"
        except (ValueError, KeyError, TypeError):
            text = f"answered {response.status_code}"
        raise ControlError(f"{call}: {text}")
