"""Plain http is for this machine only, in the settings and in the clients that send a key."""

from __future__ import annotations

import pytest

from infra.addresses import encrypted
from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import RunPodClient
from infra.settings.load import SettingsError, read_settings

HERE = [
    "http://127.0.0.1:8750/v2",
    "http://127.9.9.9/v2",
    "http://localhost:1/v2",
    "http://[::1]:1/v2",
    "https://api.example/v2",
]
ELSEWHERE = [
    "http://api.example/v2",
    "http://10.0.0.1/v2",
    "http://127.0.0.1.example/v2",
    "http://localhost.example/v2",
    "http://127.0.0.1@api.example/v2",
    "http://0.0.0.0/v2",
]


@pytest.mark.parametrize("url", HERE)
def test_https_and_this_machine_are_accepted(url: str) -> None:
    assert encrypted(url) == url
    RunPodClient(api_key="k", api_url=url, job_url=url).close()


@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_key_is_never_sent_to_another_machine_in_plain_http(url: str) -> None:
    with pytest.raises(ValueError, match="plain http"):
        RunPodClient(api_key="k", api_url=url)
    with pytest.raises(ValueError, match="plain http"):
        RunPodClient(api_key="k", job_url=url)
    with pytest.raises(ValueError, match="plain http"):
        CloudflareApi(account_id="a", token="t", api_url=url)


@pytest.mark.parametrize("key", ["runpod:apiUrl", "runpod:jobUrl", "photo-splat:s3Endpoint", "photo-splat:appUrl"])
def test_a_stack_with_a_plain_address_is_refused_with_the_key(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({key: "http://api.example/v2"})
    assert f"{key} is http://api.example/v2: plain http is accepted only for this machine" in str(caught.value)
