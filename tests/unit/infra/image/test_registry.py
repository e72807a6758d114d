"""The queries to a registry and its answers. tests/docker runs them on a real registry."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from infra.image.registry import InspectedImage, Login, NoAnswer, NoSuchImage, inspect

INDEX, MANIFEST, CONFIG = ("sha256:" + letter * 64 for letter in "abc")
LOGIN = Login(username="robot", password="pa55-word")
LABELS = {"splat.cuda": "13.0"}


class Registry:
    """Holds team/worker:1, an index with one image for linux/amd64 and an attestation."""

    def __init__(self, *, wants: str = "") -> None:
        self.wants = wants
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if request.url.path == "/token":
            ok = request.headers.get("authorization") == "Basic " + base64.b64encode(b"robot:pa55-word").decode()
            return httpx.Response(200, json={"token": "t0ken"}) if ok else httpx.Response(401)
        if self.wants and request.headers.get("authorization") != self.wants:
            challenge = 'Bearer realm="https://auth.example/token",service="reg",scope="repository:team/worker:pull"'
            return httpx.Response(
                401, headers={"www-authenticate": challenge if "Bearer" in self.wants else 'Basic realm="reg"'}
            )
        match request.url.path.removeprefix("/v2/team/worker/"):
            case "manifests/1":
                entries = [
                    {"digest": "sha256:" + "9" * 64, "platform": {"os": "unknown", "architecture": "unknown"}},
                    {"digest": MANIFEST, "platform": {"os": "linux", "architecture": "amd64"}},
                ]
                return httpx.Response(200, json={"manifests": entries}, headers={"docker-content-digest": INDEX})
            case path if path == f"manifests/{MANIFEST}":
                return httpx.Response(200, json={"config": {"digest": CONFIG}})
            case path if path == f"blobs/{CONFIG}":
                return httpx.Response(200, json={"config": {"Labels": LABELS}})
        return httpx.Response(404)


def ask(
    registry: Callable[[httpx.Request], httpx.Response],
    reference: str = "ghcr.io/team/worker:1",
    login: Login | None = None,
) -> InspectedImage:
    return inspect(reference, login, transport=httpx.MockTransport(registry))


def test_a_tag_resolves_to_its_current_digest_and_labels() -> None:
    assert ask(Registry()) == InspectedImage(digest=INDEX, labels=LABELS)


def test_a_digest_stays_the_same() -> None:
    assert ask(Registry(), f"ghcr.io/team/worker@{MANIFEST}") == InspectedImage(digest=MANIFEST, labels=LABELS)


@pytest.mark.parametrize("wants", ["Bearer t0ken", "Basic " + base64.b64encode(b"robot:pa55-word").decode()])
def test_a_private_image_is_queried_with_the_login(wants: str) -> None:
    registry = Registry(wants=wants)
    assert ask(registry, login=LOGIN).digest == INDEX
    assert all("pa55-word" not in str(request.url) for request in registry.asked)


@pytest.mark.parametrize("login", [None, Login(username="robot", password="wrong")])
def test_an_inaccessible_image_names_the_keys_to_set(login: Login | None) -> None:
    with pytest.raises(NoSuchImage, match="registryUsername") as refused:
        ask(Registry(wants="Bearer t0ken"), login=login)
    assert "wrong" not in str(refused.value)


def test_a_missing_image_is_reported() -> None:
    with pytest.raises(NoSuchImage, match=r"is not in its registry\. Push it"):
        ask(Registry(), "ghcr.io/team/worker:2")


def test_an_image_for_another_platform_is_rejected() -> None:
    def registry(_: httpx.Request) -> httpx.Response:
        entry = {"digest": MANIFEST, "platform": {"os": "linux", "architecture": "arm64"}}
        return httpx.Response(200, json={"manifests": [entry]}, headers={"docker-content-digest": INDEX})

    with pytest.raises(NoSuchImage, match="no image for linux/amd64"):
        ask(registry)


def test_an_unreachable_registry_is_not_a_missing_image() -> None:
    def unreachable(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    for registry in (unreachable, lambda _: httpx.Response(503)):
        with pytest.raises(NoAnswer):
            ask(registry)


@pytest.mark.parametrize("reference", ["worker", "team/", "ghcr.io/team/worker@sha256:12"])
def test_a_malformed_reference_is_rejected(reference: str) -> None:
    with pytest.raises(NoSuchImage, match="not an image reference"):
        ask(Registry(), reference)


def test_no_login_is_in_a_representation() -> None:
    assert "pa55-word" not in repr(LOGIN)
