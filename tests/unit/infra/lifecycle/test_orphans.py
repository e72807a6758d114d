"""Claims of the sweep of leftovers that need no engine: what stays, what goes, and what is told.
That a cut-off run's things are found at all is in tests/stack/test_every_step.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra import leftovers
from infra.cloudflare_api import BucketNotEmpty, CloudflareApi, NotThere
from infra.leftovers import LeftoversProvider, _sweep_bucket

PROPS = {
    "accountId": "a" * 32,
    "deployment": "d1",
    "registryName": "photo-splat-dev",
    "script": "photo-splat-dev",
    "bucket": "photo-splat-dev",
    "jurisdiction": "eu",
    "keep": False,
}


def api(status: int, code: int, message: str) -> CloudflareApi:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["cf-r2-jurisdiction"] == "eu"
        body = {"success": status < 400, "errors": [{"code": code, "message": message}], "result": {}}
        return httpx.Response(status, json=body)

    return CloudflareApi(account_id="a" * 32, token="t" * 40, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("status", "says"),
    [(200, "deleted bucket photo-splat-dev"), (404, ""), (409, "holds objects: it stays; delete it by hand")],
)
def test_only_an_empty_bucket_goes(status: int, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    _sweep_bucket(api(status, 10008, "The bucket is not empty."), "photo-splat-dev", jurisdiction="eu")
    said = capsys.readouterr().out
    assert says in said if says else said == ""


def test_the_api_tells_a_full_bucket_from_one_that_is_not_there() -> None:
    with pytest.raises(BucketNotEmpty, match="not empty"):
        api(409, 10008, "The bucket is not empty.").delete_bucket("b", jurisdiction="eu")
    with pytest.raises(NotThere):
        api(404, 10006, "The specified bucket does not exist.").delete_bucket("b", jurisdiction="eu")


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
        ({"scriptWasThere": True}, ["bucket photo-splat-dev in eu"]),
        ({"bucketWasThere": True}, ["script photo-splat-dev"]),
        ({"keep": True}, []),
    ],
)
def test_what_was_there_before_or_is_kept_stays(
    more: dict[str, Any], deleted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account()
    monkeypatch.setattr(leftovers, "api_from", lambda _config, _account_id: account)
    monkeypatch.setattr(LeftoversProvider, "_sweep_runpod", lambda _self, **_given: None)
    provider = LeftoversProvider()
    provider._config = None
    provider.delete("d1", {**PROPS, "scriptWasThere": False, "bucketWasThere": False, **more})
    assert account.deleted == deleted


def test_under_another_name_it_looks_again_and_otherwise_keeps_what_it_knew(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(_self: LeftoversProvider, props: dict[str, Any]) -> dict[str, bool]:
        looked.append(str(props["script"]))
        return {"scriptWasThere": True, "bucketWasThere": False}

    monkeypatch.setattr(LeftoversProvider, "_looked", look)
    olds = {**PROPS, "scriptWasThere": False, "bucketWasThere": False}
    kept = LeftoversProvider().update("d1", olds, {**PROPS, "keep": True}).outs or {}
    assert (kept["scriptWasThere"], kept["keep"], looked) == (False, True, [])
    renamed = LeftoversProvider().update("d1", olds, {**PROPS, "script": "other"}).outs or {}
    assert (renamed["scriptWasThere"], looked) == (True, ["other"])
