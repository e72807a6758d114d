"""Why a photo is left out, as a code and a sentence for the person who took it."""

from __future__ import annotations

from enum import StrEnum


class Reject(StrEnum):
    """Why validation leaves a photo out. For the failure of a job see errors.Code."""

    EMPTY = "EMPTY"
    NOT_A_PHOTO = "NOT_A_PHOTO"
    UNREADABLE = "UNREADABLE"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    PANORAMA = "PANORAMA"
    PLAIN = "PLAIN"
    DUPLICATE = "DUPLICATE"
    BLURRED = "BLURRED"
    MASK = "MASK"


class Refused(Exception):
    """This photo is left out. Caught by photos.validation."""

    def __init__(self, code: Reject, reason: str) -> None:
        self.code, self.reason = code, reason
