"""Every refusal of the stand-in: its status, its words, the form of its body.
Rules and routes raise; api/http.py turns the exception into an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus


class Problem(Exception):
    """A refusal of the management API, answered as application/problem+json (spec: ErrorResponse)."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.title = HTTPStatus(status).phrase
        if status == HTTPStatus.UNPROCESSABLE_ENTITY:
            self.title = "Unprocessable Entity"  # Python 3.13 renamed the phrase; the spec keeps this one
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def body(self) -> dict[str, object]:
        body: dict[str, object] = {"title": self.title, "status": self.status, "detail": self.detail}
        if self.errors:
            body["errors"] = list(self.errors)
        return body


class JobApiError(Exception):
    """A refusal of the job API or worker protocol: `{"error": text}` (form guessed, status documented)."""

    def __init__(self, status: int, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def bad_request(detail: str) -> Problem:
    return Problem(400, detail)


def unauthorized(detail: str) -> Problem:
    return Problem(401, detail)


def not_found(what: str) -> Problem:
    return Problem(404, f"{what} not found")


def not_modelled(what: str, *, status: int = 400) -> Problem:
    """What exists on the platform and not here. Words of ours in the platform's form."""
    return Problem(status, f"the stand-in does not model {what}")


def unprocessable(errors: Sequence[str]) -> Problem:
    """Schema violations: generic `detail`, the pointers in `errors` (migration skill, 2026-08-18)."""
    return Problem(422, "Request validation failed.", errors=errors)
