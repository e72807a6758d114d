"""The reasons to leave a photo out, and how a check says one.
Decides nothing: each check knows its own rule and its own words.
"""

from __future__ import annotations

from enum import StrEnum


class Reject(StrEnum):
    """Why a photo is left out before any camera is looked for. Not a job failure: see errors.Code."""

    EMPTY = "EMPTY"
    NOT_A_PHOTO = "NOT_A_PHOTO"
    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    PANORAMA = "PANORAMA"
    PLAIN = "PLAIN"
    DUPLICATE = "DUPLICATE"
    BLURRED = "BLURRED"


class Refused(Exception):
    """This photo is left out; never leaves the room."""

    def __init__(self, code: Reject, reason: str) -> None:
        self.code, self.reason = code, reason
