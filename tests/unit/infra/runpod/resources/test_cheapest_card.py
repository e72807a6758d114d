"""The provider of the cheapest card, on an account whose catalogue changes between runs."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra.runpod import errors
from infra.runpod.client import RetryPolicy, RunPodClient
from infra.runpod.resources.cheapest_card import CheapestCardProvider

ASKED: dict[str, Any] = {"label": "card", "architectures": ["86", "89"], "others": ["L40S"]}


def card(name: str, pool: str, memory: int, usd: float | None) -> dict[str, Any]:
    return {"id": f"NVIDIA {name}", "name": name, "pool": pool, "memory": memory, "price": {"serverless": usd}}


class Account:
    """Its catalogue, which a test changes. None: no answer."""

    def __init__(self) -> None:
        self.gpus: list[dict[str, Any]] | None = [
            card("RTX 3090", "AMPERE_24", 24, 0.68),
            card("RTX 4090", "ADA_24", 24, 1.12),
            card("L40S", "ADA_48_PRO", 48, 1.91),
            card("A100", "AMPERE_80", 80, 0.01),  # no kernels for it in the image
        ]

    def answer(self, _request: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if self.gpus is None else httpx.Response(200, json={"gpus": self.gpus})


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def provider(account: Account) -> CheapestCardProvider:
    made = CheapestCardProvider()
    made._client = RunPodClient(
        api_key="k", transport=httpx.MockTransport(account.answer), retry=RetryPolicy(attempts=1)
    )
    return made


def test_the_choice_and_its_price_are_inputs_and_the_plan_explains_them(
    provider: CheapestCardProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = provider.check({}, ASKED)
    assert checked.failures == []
    assert checked.inputs["names"] == ["RTX 3090", "L40S"]
    assert 0.01 < checked.inputs["usdPerJob"] < 0.05
    assert capsys.readouterr().out.startswith("cheapest is RTX 3090: $0.0")
    created = provider.create(checked.inputs)
    assert created.outs["names"] == ["RTX 3090", "L40S"]
    assert not provider.diff("card", created.outs, provider.check(checked.inputs, ASKED).inputs).changes


def test_a_small_change_of_prices_keeps_the_card_and_a_large_one_changes_it(
    provider: CheapestCardProvider, account: Account
) -> None:
    before = provider.check({}, ASKED).inputs
    assert account.gpus is not None
    account.gpus[0]["price"]["serverless"] = 0.80  # a job on a 4090 is now 2 % cheaper
    kept = provider.check(before, ASKED).inputs
    assert kept["card"] == "RTX 3090"
    assert kept["usdPerJob"] > before["usdPerJob"]
    account.gpus[0]["price"]["serverless"] = 0.95
    changed = provider.check(kept, ASKED).inputs
    assert changed["names"] == ["RTX 4090", "L40S"]


def test_without_the_catalogue_the_last_choice_is_valid_and_a_first_one_is_an_error(
    provider: CheapestCardProvider, account: Account
) -> None:
    before = provider.check({}, ASKED).inputs
    account.gpus = None
    assert provider.check(before, ASKED).inputs == before
    with pytest.raises(errors.ServerError):
        provider.check({}, ASKED)


def test_without_prices_the_key_is_refused_with_the_reason(provider: CheapestCardProvider, account: Account) -> None:
    account.gpus = [card("RTX 3090", "AMPERE_24", 24, None)]
    [failure] = provider.check({}, ASKED).failures
    assert failure.property == "names"
    assert failure.reason.startswith('photo-splat:gpu: "cheapest" cannot be resolved: RunPod publishes no serverless')
    assert "Name a card" in failure.reason
