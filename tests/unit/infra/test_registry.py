"""What is asked of a registry and how its answers are read; a real registry answers in tests/docker."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

from infra.registry import Found, Login, NoAnswer, NoSuchImage, look_up

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
) -> Found:
    return look_up(reference, login, transport=httpx.MockTransport(registry))


def test_a_tag_becomes_the_digest_of_this_moment_with_its_labels() -> None:
    assert ask(Registry()) == Found(digest=INDEX, labels=LABELS)


def test_a_digest_stays_what_it_is() -> None:
    assert ask(Registry(), f"ghcr.io/team/worker@{MANIFEST}") == Found(digest=MANIFEST, labels=LABELS)


@pytest.mark.parametrize("wants", ["Bearer t0ken", "Basic " + base64.b64encode(b"robot:pa55-word").decode()])
def test_a_private_image_is_asked_for_with_the_login(wants: str) -> None:
    registry = Registry(wants=wants)
    assert ask(registry, login=LOGIN).digest == INDEX
    assert all("pa55-word" not in str(request.url) for request in registry.asked)


@pytest.mark.parametrize("login", [None, Login(username="robot", password="wrong")])
def test_an_image_that_is_not_given_to_us_says_which_keys_to_set(login: Login | None) -> None:
    with pytest.raises(NoSuchImage, match="registryUsername") as refused:
        ask(Registry(wants="Bearer t0ken"), login=login)
    assert "wrong" not in str(refused.value)


def test_an_image_that_is_not_there_says_so() -> None:
    with pytest.raises(NoSuchImage, match="is not in its registry: push it"):
        ask(Registry(), "ghcr.io/team/worker:2")


def test_an_image_for_another_processor_only_is_refused() -> None:
    def registry(_: httpx.Request) -> httpx.Response:
        entry = {"digest": MANIFEST, "platform": {"os": "linux", "architecture": "arm64"}}
        return httpx.Response(200, json={"manifests": [entry]}, headers={"docker-content-digest": INDEX})

    with pytest.raises(NoSuchImage, match="no image for linux/amd64"):
        ask(registry)


def test_a_registry_that_is_away_or_broken_is_not_an_image_that_is_missing() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    for registry in (away, lambda _: httpx.Response(503)):
        with pytest.raises(NoAnswer):
            ask(registry)


@pytest.mark.parametrize("reference", ["worker", "team/", "ghcr.io/team/worker@sha256:12"])
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(NoSuchImage, match="no image reference"):
        ask(Registry(), reference)


def test_no_login_is_in_a_representation() -> None:
    assert "pa55-word" not in repr(LOGIN)
