"""Orphans without an engine: what is kept, what is deleted, and what is reported.
That the things of an interrupted run are found at all is in tests/stack/interrupted/test_every_step.py."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from infra.cloudflare.api import BucketNotEmpty, CloudflareApi, NotFound
from infra.lifecycle import orphans
from infra.lifecycle.orphans import OrphansProvider, delete_from_cloudflare, delete_from_runpod
from infra.runpod.client import RetryPolicy, RunPodClient
from infra.runpod.resources.credential import versioned_name

PROPS = {
    "accountId": "a" * 32,
    "deployment": "d1",
    "registryName": "photo-splat-dev",
    "script": "photo-splat-dev",
    "bucket": "photo-splat-dev",
    "jurisdiction": "eu",
    "keep": False,
    "scriptExisted": False,
    "bucketExisted": False,
}


def api(status: int, code: int, message: str) -> CloudflareApi:
    """An account without scripts, whose answers about buckets are given."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/workers/scripts"):
            return httpx.Response(200, json={"success": True, "result": []})
        assert request.headers["cf-r2-jurisdiction"] == "eu"
        body = {"success": status < 400, "errors": [{"code": code, "message": message}], "result": {}}
        return httpx.Response(status, json=body)

    return CloudflareApi(account_id="a" * 32, token="t" * 40, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("status", "says"),
    [(200, "deleted bucket photo-splat-dev"), (404, ""), (409, "kept bucket photo-splat-dev: it holds objects")],
)
def test_only_an_empty_bucket_is_deleted(status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    delete_from_cloudflare(api(status, 10008, "The bucket is not empty."), PROPS)
    printed = capsys.readouterr().out
    assert says in printed if says else printed == ""


def test_a_full_bucket_and_a_missing_bucket_are_different_errors() -> None:
    with pytest.raises(BucketNotEmpty, match="not empty"):
        api(409, 10008, "The bucket is not empty.").delete_bucket("b", jurisdiction="eu")
    with pytest.raises(NotFound):
        api(404, 10006, "The specified bucket does not exist.").delete_bucket("b", jurisdiction="eu")


def test_on_runpod_only_what_carries_the_deployments_marker_or_name_is_deleted() -> None:
    ours, other = versioned_name("photo-splat-dev", "d1", "u", "p"), versioned_name("photo-splat-dev-2", "d1", "u", "p")
    endpoints = {"e1": "d1.endpoint", "e2": "d1.check", "e3": "d2.endpoint", "e4": ""}
    registries = {"r1": ours, "r2": other, "r3": "photo-splat-dev"}

    def answer(request: httpx.Request) -> httpx.Response:
        [kind, *rest] = request.url.path.removeprefix("/v2/").split("/")
        held = endpoints if kind == "serverless" else registries
        if request.method == "DELETE":
            del held[rest[0]]
            return httpx.Response(204)
        if rest:
            return httpx.Response(404, json={})
        listed = [{"id": id_, "env": {"SPLAT_DEPLOYMENT": value}, "name": value} for id_, value in held.items()]
        return httpx.Response(200, json={"endpoints": listed, "registries": listed})

    client = RunPodClient(
        api_key="rpa_x", api_url="https://a/v2", transport=httpx.MockTransport(answer), retry=RetryPolicy(attempts=1)
    )
    delete_from_runpod(client, deployment="d1", registry_name="photo-splat-dev")
    assert (set(endpoints), set(registries)) == ({"e3", "e4"}, {"r2", "r3"})


class Account:
    """A Cloudflare account that remembers what was deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def scripts(self) -> tuple[Any, ...]:
        return (type("Script", (), {"name": "photo-splat-dev"})(),)

    def delete_script(self, name: str) -> None:
        self.deleted.append(f"script {name}")

    def delete_bucket(self, name: str, *, jurisdiction: str) -> None:
        self.deleted.append(f"bucket {name} in {jurisdiction}")


@pytest.mark.parametrize(
    ("more", "deleted"),
    [
        ({}, ["script photo-splat-dev", "bucket photo-splat-dev in eu"]),
        ({"scriptExisted": True}, ["bucket photo-splat-dev in eu"]),
        ({"bucketExisted": True}, ["script photo-splat-dev"]),
        ({"keep": True}, []),
    ],
)
def test_what_existed_before_or_is_protected_is_kept(
    more: dict[str, Any], deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    monkeypatch.setattr(orphans, "api_from_config", lambda _config, _account_id: account)
    monkeypatch.setattr(orphans, "client_from_config", lambda _config: None)
    monkeypatch.setattr(orphans, "delete_from_runpod", lambda _client, **_given: None)
    provider = OrphansProvider()
    provider.configure(SimpleNamespace(config=None))  # type: ignore[arg-type]
    provider.delete("d1", {**PROPS, **more})
    assert account.deleted == deleted


def test_another_name_is_queried_again_and_an_unchanged_name_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    queried: list[str] = []

    def query(_self: OrphansProvider, props: dict[str, Any]) -> dict[str, bool]:
        queried.append(str(props["script"]))
        return {"scriptExisted": True, "bucketExisted": False}

    monkeypatch.setattr(OrphansProvider, "_existed", query)
    kept = OrphansProvider().update("d1", PROPS, {**PROPS, "keep": True}).outs or {}
    assert (kept["scriptExisted"], kept["keep"], queried) == (False, True, [])
    renamed = OrphansProvider().update("d1", PROPS, {**PROPS, "script": "other"}).outs or {}
    assert (renamed["scriptExisted"], queried) == (True, ["other"])
