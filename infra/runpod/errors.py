"""What can go wrong with RunPod's APIs, classed by what the caller can do about it.
Keeps the server's words and request id; never a key, a body that was sent, or a header."""

from __future__ import annotations

import re
from dataclasses import dataclass

TEXT_LIMIT = 600  # characters of a foreign answer shown at most
_SET_KEY = "run `pulumi config set --secret runpod:apiKey`, or set RUNPOD_API_KEY in the environment."


class MissingKey(Exception):
    """Neither the stack's configuration nor the environment holds a RunPod key."""

    def __init__(self) -> None:
        super().__init__(f"There is no RunPod API key: {_SET_KEY}")


class DeletionTimedOut(Exception):
    """RunPod accepted a deletion, and the object is still there or still in use."""


class RunPodError(Exception):
    """Any failed call. `str()` is whole sentences: what, where, the server's words, next step."""

    def __init__(self, what: str, *, call: str, advice: str = "") -> None:
        self.what = what
        self.call = call
        self.advice = advice
        super().__init__(what)

    def __str__(self) -> str:
        text = f"RunPod {self.call}: {self.what}"
        return f"{text}\nWhat to do: {self.advice}" if self.advice else text


class UnusableKey(RunPodError):
    """The key holds characters that no header can carry. The message does not show it."""

    def __init__(self) -> None:
        super().__init__(
            "the API key holds a blank, a line break or another character that no key has",
            call="(before any call)",
            advice=f"copy it again: {_SET_KEY}",
        )


class Unreachable(RunPodError):
    """No connection, so nothing happened there."""


class OutcomeUnknown(RunPodError):
    """A request was sent and no answer came: it may have taken effect. Look before any resend."""


class Refused(RunPodError):
    """The server answered with an error. Subclasses say which kind."""

    def __init__(
        self,
        *,
        call: str,
        status: int,
        title: str,
        detail: str,
        errors: tuple[str, ...] = (),
        request_id: str = "",
    ) -> None:
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        words = detail or title or "no explanation given"
        what = f"{status} {title}: {words}" if title and title != words else f"{status}: {words}"
        what += "".join(f"\n  - {entry}" for entry in errors)
        if request_id:
            what += f"\n  (request {request_id})"
        super().__init__(what, call=call, advice=advice_for(status, f"{title} {detail} {' '.join(errors)}"))


class NotFound(Refused):
    """404: gone, or not visible to this key."""


class Unauthorized(Refused):
    """401: the key is not valid."""


class Forbidden(Refused):
    """403: the key is valid but lacks the right."""


class Rejected(Refused):
    """400, 405, 409, 422: the request cannot be done as it is; a resend would fail again."""


class Busy(Refused):
    """429: too many requests. `retry_after_s` is what the server asked for."""

    retry_after_s: float = 0.0


class ServerError(Refused):
    """5xx: the server failed. On a write the effect is unknown. `retry_after_s` is what it asked for, or 0."""

    retry_after_s: float = 0.0


class UnexpectedAnswer(RunPodError):
    """The answer is not what the published document says."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    pattern: str
    advice: str


# Wording drifts (facts of 2026-09), so patterns name only the words that every seen version had.
_KNOWN: tuple[_Known, ...] = (
    _Known(
        pattern=r"max\w* workers|worker quota|workers across",
        advice="the max workers of all endpoints together exceed the account's quota. Lower photo-splat:workersMax, "
        "lower or delete another endpoint, or raise the quota by adding balance.",
    ),
    _Known(
        pattern=r"no longer any instances|no instances? (are )?available|no capacity|insufficient capacity",
        advice="no machine fits right now. Add GPUs to photo-splat:gpu, or leave photo-splat:dataCenters empty.",
    ),
    _Known(
        pattern=r"spend|\bbalance\b|insufficient funds|credit",
        advice="the account reached its spend cap or its balance: raise it in the RunPod console (billing).",
    ),
    _Known(
        pattern=r"image|manifest|registry",
        advice="RunPod cannot pull the image. Check photo-splat:image (repository@sha256:…), and for a private "
        "registry photo-splat:registryUsername and photo-splat:registryPassword.",
    ),
)


def advice_for(status: int, words: str) -> str:
    """The next step for a refusal, from its status and the server's words; "" when none is known."""
    if status == 401:
        return f"the API key is not valid: {_SET_KEY}"
    if status == 403:
        return "the API key lacks the right for this call: create one with read and write on Serverless endpoints."
    if status == 429:
        return "RunPod limits requests per minute, hour and day: wait, then run again."
    if status >= 500:
        return "RunPod failed. Run again: the marker finds what was created meanwhile, so nothing is created twice."
    for known in _KNOWN:
        if re.search(known.pattern, words, re.IGNORECASE):
            return known.advice
    return ""
