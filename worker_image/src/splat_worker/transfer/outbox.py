"""Progress on its signed way to the edge: the newest message, from a thread of its own.
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
from typing import Any

log = logging.getLogger(__name__)


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
