"""Errors of the command line: each says what, value, allowed, and ends in a next step.
Exit codes: 1 the user's to mend, 2 ours or a service's, 130 stopped."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with a sentence and a `hint:` line; never shown with a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class ServiceError(CommandError):
    """The service or a tool failed although the request was right."""

    exit_code = 2
