"""Takes keys, ids and addresses out of what is recorded, so that the file can be committed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

# Texts that are secret or name an account, wherever they come from. The first that fits replaces.
PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"rpa_[A-Za-z0-9]+"), "<key>"),
    (re.compile(r"(?i)bearer\s+[\w.~+/=-]{8,}"), "<key>"),
    (re.compile(r"(?i)(x-amz-[a-z-]+=)[^&\s\"']+"), r"\1<masked>"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), "<token>"),
    (re.compile(r"https?://[^\s\"'<>\\)]+"), "<address>"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+"), "<email>"),
    (re.compile(r"\b[\w-]+\.(?:[\w-]+\.)*(?:workers\.dev|cloudflarestorage\.com|runpod\.(?:ai|io|net))\b"), "<host>"),
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "<ip>"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:-\w+)?\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{24,}\b", re.IGNORECASE), "<id>"),
    # RunPod's ids: 14 of a-z and 0-9, with both.
    (re.compile(r"\b(?=[a-z]*\d)(?=\d*[a-z])[a-z0-9]{14}\b"), "<id>"),
)
SHORTEST = 4  # of a value that is replaced wherever it stands


def masked(value: Any, secrets: Iterable[str] = ()) -> Any:
    """A JSON value without secrets. secrets: values of this run that no pattern could know, such as an account's
    subdomain. Keys of objects are masked, too."""
    known = sorted({one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True)
    return _masked(value, known)


def _masked(value: Any, known: list[str]) -> Any:
    if isinstance(value, str):
        return _text(value, known)
    if isinstance(value, list):
        return [_masked(one, known) for one in value]
    if isinstance(value, dict):
        return {_text(str(key), known): _masked(one, known) for key, one in value.items()}
    return value


def _text(text: str, known: list[str]) -> str:
    for secret in known:
        text = text.replace(secret, "<masked>")
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return text
