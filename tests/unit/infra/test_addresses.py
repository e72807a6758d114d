"""Plain http is for this machine only, in the settings and in the clients that send a key.
The app calls public hosts only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.addresses import encrypted, public_receiver
from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import RunPodClient
from infra.settings.load import SettingsError, alert_webhook, read_settings

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


RECEIVERS = json.loads((Path(__file__).parents[3] / "docs/contracts/alert-webhook.json").read_text())


@pytest.mark.parametrize(("url", "app"), RECEIVERS["accepted"])
def test_a_public_receiver_of_alerts_is_accepted_and_one_on_this_machine_by_a_local_stack(url: str, app: str) -> None:
    assert public_receiver(url, app_url=app) == url


@pytest.mark.parametrize(("url", "app", "why"), RECEIVERS["refused"])
def test_another_receiver_is_refused_as_the_app_refuses_it(url: str, app: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        public_receiver(url, app_url=app)


@pytest.mark.parametrize("url", [*RECEIVERS["never_accepted"], "https://host.example:99999/x", "https://[::1/x"])
def test_an_address_of_this_machine_in_disguise_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"^is "):
        public_receiver(url, app_url="https://splat.example.org")


def test_a_refused_receiver_names_the_key_and_not_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERT_WEBHOOK", "https://10.0.0.7/secret-path")
    with pytest.raises(SettingsError) as caught:
        alert_webhook("https://splat.example.org")
    assert "photo-splat:alertWebhook is an IP address" in str(caught.value)
    assert "secret-path" not in str(caught.value)


def test_without_a_receiver_there_is_no_alert_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALERT_WEBHOOK", raising=False)
    assert alert_webhook("https://splat.example.org") is None
