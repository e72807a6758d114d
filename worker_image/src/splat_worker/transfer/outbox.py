"""Signed progress messages to the edge, sent from a thread of their own.
A lost message never fails a job. Logs never contain an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from splat_worker.background import Latest
from splat_worker.transfer.transfer import Gone


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """`webhook-signature` of Standard Webhooks. secret: `whsec_` + base64 of the key."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{message_id}.{timestamp_s}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


class Outbox:
    """Sends the newest message through post(body, headers); a slow receiver misses messages instead of delaying the
    job. A waiting preview is kept when a message without one replaces it.

    on_gone: called, from the thread that sends, when the receiver answers that the attempt has ended."""

    def __init__(
        self,
        post: Callable[[bytes, dict[str, str]], None],
        secret: str | None,
        prefix: str,
        on_gone: Callable[[], None] = lambda: None,
    ) -> None:
        self._post, self._secret, self._prefix, self._on_gone = post, secret, prefix, on_gone
        self._latest = Latest("progress message", self._send, merge=_keep_preview)

    def put(self, message: dict[str, Any]) -> None:
        self._latest.offer(message)

    def close(self, timeout_s: float = 3.0) -> None:
        """Send the waiting message, but wait no longer than this."""
        self._latest.close(finish=True, timeout_s=timeout_s)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        message_id, timestamp_s = f"{self._prefix}.{message['seq']}", int(time.time())
        headers = {"content-type": "application/json"}
        if self._secret:
            headers |= {
                "webhook-id": message_id,
                "webhook-timestamp": str(timestamp_s),
                "webhook-signature": sign(self._secret, message_id, timestamp_s, body),
            }
        try:
            self._post(body, headers)
        except Gone:
            self._on_gone()


def _keep_preview(waiting: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return new if new["preview"] is not None else {**new, "preview": waiting["preview"]}
