"""Connections protected against server-side request forgery: the IP address is checked after DNS, then used.
Follows no redirect, reads no proxy variables, puts no URL into an error.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Iterable, Iterator

import httpcore
import httpx

ALLOW_VARIABLE = "SPLAT_ALLOW_PRIVATE_ADDRESSES"

Resolve = Callable[[str, int], list[str]]


class Refused(Exception):
    """An address that a worker must not connect to. The text names the rule and no URL."""


def private_addresses_allowed() -> bool:
    """True with SPLAT_ALLOW_PRIVATE_ADDRESSES=true, which the local stack sets."""
    return os.environ.get(ALLOW_VARIABLE, "").strip().lower() in ("1", "true", "yes")


_PUBLIC_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_NOT_HOSTS = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""Protocol assignments, 6to4 relays and IPv6 documentation. `is_global` does not know all of them."""
_CLOUD_SERVICES = tuple(
    map(ipaddress.ip_network, ("168.63.129.16/32", "161.26.0.0/16", "166.8.0.0/14", "192.80.8.124/32"))
)
"""Addresses that look public and reach a cloud's own services from inside: Azure's host (metadata and keys of the
machine), IBM Cloud's service endpoints, Equinix Metal's metadata. The others use link-local or shared addresses."""


def check_address(text: str) -> None:
    """Raise Refused unless the IP address is public. Loopback, private, link-local (cloud metadata services), shared,
    multicast and reserved ranges are not, nor are IPv6 addresses that embed one of them.

    IPv6 counts only within 2000::/3 (RFC 4291), besides IPv4 behind NAT64. The rest has old forms such as ::10.0.0.1
    and fec0::1, which `is_global` calls public.
    """
    address = ipaddress.ip_address(text.split("%", maxsplit=1)[0])
    inner = [address]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            inner = [address.ipv4_mapped]
        elif address in _NAT64:
            inner = [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
        elif address not in _PUBLIC_V6:
            raise Refused(_INSIDE)
        inner += [a for a in (address.sixtofour, *(address.teredo or ())) if a is not None]
    for a in inner:
        known = any(a.version == net.version and a in net for net in (*_NOT_HOSTS, *_CLOUD_SERVICES))
        if known or not a.is_global or a.is_multicast:
            raise Refused(_INSIDE)


_INSIDE = "the address is private, link-local or reserved"


class _UnknownHost(httpcore.ConnectError):
    """The host name has no address. Name servers can fail briefly, so a retry may succeed."""


def resolve(host: str, port: int) -> list[str]:
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _GuardedBackend(httpcore.NetworkBackend):
    """Opens TCP to the checked address, so that a second DNS answer cannot replace it."""

    def __init__(self, allow_private: bool, resolver: Resolve) -> None:
        self._allow_private, self._resolve = allow_private, resolver
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except OSError as error:
            raise _UnknownHost("the host name is unknown") from error
        if not self._allow_private:
            for address in addresses:
                check_address(address)
        last: Exception = httpcore.ConnectError("the host name has no address")
        for address in addresses:
            try:
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last


class GuardedTransport(httpx.BaseTransport):
    """httpx over httpcore with the guarded backend. https only, unless private addresses are allowed."""

    def __init__(self, *, allow_private: bool, connections: int, resolver: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            network_backend=_GuardedBackend(allow_private, resolver),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.scheme != "https" and not self._allow_private:
            raise Refused("only https URLs are allowed")
        try:
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=request.url.raw_scheme,
                        host=request.url.raw_host,
                        port=request.url.port,
                        target=request.url.raw_path,
                    ),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except _UnknownHost as error:
            raise httpx.TransportError(str(error)) from error
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise httpx.TransportError(type(error).__name__) from error
        return httpx.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Stream(answer),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise httpx.TransportError(type(error).__name__) from error

    def close(self) -> None:
        self._answer.close()
