"""Progress messages: signed, the newest first, and never delaying the job."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time

from splat_worker.transfer.outbox import Outbox, sign

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


def test_the_signature_follows_standard_webhooks() -> None:
    body = b'{"a":1}'
    expected = hmac.new(b"k" * 24, b"msg_1.1700000000." + body, hashlib.sha256).digest()
    assert sign(SECRET, "msg_1", 1700000000, body) == "v1," + base64.b64encode(expected).decode()


def test_a_known_answer_of_the_standard_webhooks_libraries() -> None:
    """Vector of the reference implementations (standard-webhooks, spec repository, 2023)."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def message(seq: int, preview: dict[str, object] | None = None) -> dict[str, object]:
    return {"seq": seq, "preview": preview}


def test_the_outbox_sends_the_newest_message_and_keeps_an_overtaken_preview() -> None:
    sent: list[dict[str, object]] = []
    first, go = threading.Event(), threading.Event()

    def slow(body: bytes, headers: dict[str, str]) -> None:
        sent.append(json.loads(body))
        assert headers["webhook-id"] == f"p.1.{sent[-1]['seq']}"
        first.set()
        go.wait(5)

    outbox = Outbox(slow, SECRET, "p.1")
    outbox.put(message(1))
    assert first.wait(5)
    outbox.put(message(2, {"artifact": "preview.sog", "seq": 1}))
    outbox.put(message(3))
    go.set()
    outbox.close()
    assert sent == [message(1), message(3, {"artifact": "preview.sog", "seq": 1})]


def test_a_failing_or_hanging_receiver_delays_nothing() -> None:
    def fails(body: bytes, headers: dict[str, str]) -> None:
        raise ConnectionError("HTTP 500")

    outbox = Outbox(fails, None, "p.1")
    outbox.put(message(1))
    outbox.put(message(2))
    outbox.close()

    never = threading.Event()
    hanging = Outbox(lambda body, headers: never.wait(30) and None, None, "p.1")
    hanging.put(message(1))
    began = time.monotonic()
    hanging.close(timeout_s=0.2)
    assert time.monotonic() - began < 2
    never.set()
