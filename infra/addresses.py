"""Which addresses a key may be sent to: https anywhere, plain http on this machine only."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def encrypted(url: str) -> str:
    """The same address. Raises ValueError for plain http to another machine, where anybody on the way reads the key."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise ValueError("plain http is accepted only for this machine (127.0.0.1, localhost, [::1]); use https")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
