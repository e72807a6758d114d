"""Progress as one typed event, thinned to one a second, and its signed way to the edge.
A lost message never fails a job: senders log the kind of failure, never an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from splat_worker.errors import Stage

log = logging.getLogger(__name__)

INTERVAL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A new picture of the growing scene has been uploaded; seq counts from 1."""

    artifact: str
    seq: int


@dataclass(frozen=True, kw_only=True)
class Event:
    """Where a job is. fraction: 0 to 1 of this stage; eta_s: seconds left of this stage, if known."""

    stage: Stage
    fraction: float
    message: str
    eta_s: float | None = None
    preview: Preview | None = None

    def wire(self, *, project_id: str, attempt: int, seq: int) -> dict[str, Any]:
        """The message of docs/contracts/progress.json."""
        eta_s = None if self.eta_s is None else max(0, round(self.eta_s))
        return {
            "project_id": project_id,
            "attempt": attempt,
            "seq": seq,
            "stage": self.stage.value,
            "fraction": round(min(1.0, max(0.0, self.fraction)), 3),
            "message": self.message,
            "eta_s": eta_s,
            "preview": asdict(self.preview) if self.preview else None,
        }


OnEvent = Callable[[Event], None]


def silent(*_: object) -> None:
    """A listener that does not care."""


class Throttle:
    """Lets an event through if it is the first of its stage, carries a preview, or a second has passed."""

    def __init__(
        self, send: OnEvent, *, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._send, self._interval_s, self._clock = send, interval_s, clock
        self._stage: Stage | None = None
        self._last = float("-inf")

    def __call__(self, event: Event) -> None:
        now = self._clock()
        if event.stage == self._stage and event.preview is None and now - self._last < self._interval_s:
            return
        self._stage, self._last = event.stage, now
        self._send(event)


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """`webhook-signature` of the Standard Webhooks form. secret: `whsec_` + base64 of the key."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp_s}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Outbox:
    """Sends the newest message from a thread of its own; a slow receiver makes us skip, not wait.

    post(body, headers) does the sending. A message with a preview is never overwritten by one without.
    """

    def __init__(self, post: Callable[[bytes, dict[str, str]], None], secret: str | None, prefix: str) -> None:
        self._post, self._secret, self._prefix = post, secret, prefix
        self._next: dict[str, Any] | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self._thread.start()

    def put(self, message: dict[str, Any]) -> None:
        with self._changed:
            if self._next is not None and message["preview"] is None:
                message = {**message, "preview": self._next["preview"]}
            self._next = message
            self._changed.notify()

    def close(self, timeout_s: float = 3.0) -> None:
        """Send what is left, but wait no longer than this."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next is not None or self._closed)
                message, self._next = self._next, None
            if message is None:
                return
            try:
                self._deliver(message)
            except Exception as error:  # whatever the transport raises, the job goes on
                log.warning("progress message %s was lost: %s", message["seq"], type(error).__name__)

    def _deliver(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        message_id, timestamp_s = f"{self._prefix}.{message['seq']}", int(time.time())
        headers = {"content-type": "application/json"}
        if self._secret:
            headers |= {
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp_s),
                "webhook-signature": sign(self._secret, message_id, timestamp_s, body),
            }
        self._post(body, headers)
