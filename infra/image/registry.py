"""Queries a container registry for the digest and the labels of one image, without Docker.
Reads only; never logs or stores a credential. Raises NoAnswer or NoSuchImage, with the reference and the next step.

The protocol is OCI distribution 1.1: a manifest by tag or digest, a configuration blob by digest, and a bearer token
from the address that a 401 names (Docker Hub, GHCR and Debian's registry all work this way)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
REFERENCE = re.compile(
    r"^(?P<host>[^/@]+)/(?P<name>[^@:]+)(?::(?P<tag>[\w.-]{1,128}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
HUB = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}
TIMEOUT_S = 15.0
PLATFORM = {"os": "linux", "architecture": "amd64"}


class RegistryError(Exception):
    """The query failed."""


class NoAnswer(RegistryError):
    """The registry cannot be reached, or failed: nothing is known about the image."""


class NoSuchImage(RegistryError):
    """The registry answered, but does not have this image or does not show it to us."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """User and password (or token) of a private registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class InspectedImage:
    """digest: of the manifest or index that the reference names; labels: of the image for linux/amd64."""

    digest: str
    labels: Mapping[str, str]


def inspect(
    reference: str, login: Login | None = None, *, transport: httpx.BaseTransport | None = None
) -> InspectedImage:
    """`host/name:tag` or `host/name@sha256:…`. Raises NoAnswer, NoSuchImage."""
    parts = REFERENCE.match(reference)
    if parts is None:
        raise NoSuchImage(f"{reference} is not an image reference. Use host/name:tag or host/name@sha256:digest")
    host = HUB.get(parts["host"], parts["host"])
    scheme = "http" if host.split(":")[0] in ("127.0.0.1", "localhost") else "https"
    with httpx.Client(
        base_url=f"{scheme}://{host}/v2/{parts['name']}/", timeout=TIMEOUT_S, transport=transport
    ) as http:
        query = _Query(http, reference, login)
        manifest, digest = query.manifest(parts["digest"] or parts["tag"] or "latest")
        if "manifests" in manifest:
            manifest, _ = query.manifest(_for_our_platform(manifest, reference))
        config = query.json(f"blobs/{manifest['config']['digest']}")
    labels = (config.get("config") or {}).get("Labels") or {}
    return InspectedImage(digest=digest, labels={str(key): str(value) for key, value in labels.items()})


def _for_our_platform(index: Mapping[str, Any], reference: str) -> str:
    for entry in index["manifests"]:
        platform = entry.get("platform") or {}
        if all(platform.get(key) == value for key, value in PLATFORM.items()):
            return str(entry["digest"])
    raise NoSuchImage(f"{reference} has no image for linux/amd64, the platform of workers. Build it for linux/amd64")


class _Query:
    """One repository, with the token that it issued."""

    def __init__(self, http: httpx.Client, reference: str, login: Login | None) -> None:
        self._http, self._reference, self._login = http, reference, login
        self._token = ""

    def manifest(self, which: str) -> tuple[dict[str, Any], str]:
        answer = self._get(f"manifests/{which}", {"Accept": ", ".join(MANIFESTS)})
        digest = answer.headers.get("docker-content-digest", which)
        if not digest.startswith("sha256:"):
            raise NoAnswer(f"{self._reference}: the answer has no digest. Is it a registry?")
        return dict(answer.json()), digest

    def json(self, path: str) -> dict[str, Any]:
        return dict(self._get(path, {}).json())

    def _get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        try:
            answer = self._http.get(path, headers=self._authorised(headers))
            if answer.status_code == 401 and not self._token:
                self._token = self._sign_in(answer.headers.get("www-authenticate", ""))
                answer = self._http.get(path, headers=self._authorised(headers))
            if answer.is_redirect:
                # Blobs are on another host, and our credential is not for that host.
                answer = httpx.get(answer.headers["location"], timeout=TIMEOUT_S, follow_redirects=True)
        except httpx.HTTPError as problem:
            raise NoAnswer(
                f"{self._reference}: no answer from {self._http.base_url.host} ({type(problem).__name__})"
            ) from None
        if answer.status_code in (401, 403):
            raise NoSuchImage(
                f"The registry refuses access to {self._reference} ({answer.status_code}). Set "
                "photo-splat:registryUsername and registryPassword to a login that may pull it"
            )
        if answer.status_code == 404:
            raise NoSuchImage(f"{self._reference} is not in its registry. Push it, or correct photo-splat:image")
        if not answer.is_success:
            raise NoAnswer(f"{self._reference}: the registry answered {answer.status_code}. Try again later")
        return answer

    def _authorised(self, headers: dict[str, str]) -> dict[str, str]:
        return {**headers, "Authorization": self._token} if self._token else headers

    def _sign_in(self, challenge: str) -> str:
        """The header that answers the registry's challenge; empty when there is no answer."""
        kind, _, rest = challenge.partition(" ")
        login = (self._login.username, self._login.password) if self._login else None
        if kind.lower() == "basic":
            return "Basic " + base64.b64encode(":".join(login).encode()).decode() if login else ""
        fields = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if kind.lower() != "bearer" or not fields.get("realm", "").startswith("https://"):
            return ""
        asked = {key: fields[key] for key in ("service", "scope") if key in fields}
        answer = self._http.get(fields["realm"], params=asked, auth=login)
        if not answer.is_success:
            return ""
        return f"Bearer {answer.json().get('token') or answer.json().get('access_token', '')}"
