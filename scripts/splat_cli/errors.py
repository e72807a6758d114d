"""Errors of the command line: what failed, with the value and the reason, and the next step.
Exit codes: 1 for the user to fix, 2 a service or we failed, 130 interrupted."""

from __future__ import annotations


class CommandError(Exception):
    """Ends the command with a message and a `hint:` line, without a traceback."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class ServiceError(CommandError):
    """A service or a tool failed although the request was right."""

    exit_code = 2
