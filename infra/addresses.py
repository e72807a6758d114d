"""Which addresses a key may be sent to: https anywhere, plain http on this machine only. And which ones the app calls
on an operator's behalf: public host names."""

from __future__ import annotations

import ipaddress
import re
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


# Top-level names that only private networks use (RFC 6761, RFC 6762, RFC 8375, ICANN 2024).
_PRIVATE_ZONES = frozenset({"local", "localhost", "internal", "lan", "home", "corp", "test", "invalid", "arpa"})


def public_receiver(url: str, *, app_url: str) -> str:
    """The same address. Raises ValueError, without the address, if the app must not call it: the rules of
    edge_worker/src/outgoing.ts, for the same list (docs/contracts/alert-webhook.json)."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    host = (parts.hostname or "").rstrip(".")
    if not parts.scheme or not host:
        raise ValueError("is not an address")
    if parts.username or parts.password:
        raise ValueError("contains a user name or a password")
    if _is_loopback(host):
        if parts.scheme in {"http", "https"} and _is_loopback(urlsplit(app_url).hostname or ""):
            return url
        raise ValueError("is an address of the machine itself")
    if parts.scheme != "https":
        raise ValueError("does not use https")
    # Browsers and Workers read a name that ends in a number (127.1, 0x7f000001) as an IP address.
    last = host.rpartition(".")[2]
    if ":" in host or re.fullmatch(r"\d+|0x[0-9a-f]*", last):
        raise ValueError("is an IP address, not a host name")
    if "." not in host or last in _PRIVATE_ZONES:
        raise ValueError("is not a public host name")
    return url
