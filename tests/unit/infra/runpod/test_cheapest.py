"""What `gpu: cheapest` means: the choice as a table of prices, kept until another card is clearly cheaper."""

from __future__ import annotations

from dataclasses import replace

import pytest

from infra.runpod.catalog import GpuType, NotOffered
from infra.runpod.cheapest import MARGIN, Offer, choose, offers, sentence
from infra.runpod.job_model import recorded_model

from .test_catalog import CATALOG

MODEL = recorded_model()


def priced(**usd_per_h: float | None) -> tuple[GpuType, ...]:
    """The catalogue with other prices, by the card's name with _ for a space."""
    changed = {name.replace("_", " "): usd for name, usd in usd_per_h.items()}
    return tuple(replace(one, usd_per_h=changed.get(one.name, one.usd_per_h)) for one in CATALOG)


@pytest.mark.parametrize(
    ("catalog", "card"),
    [
        pytest.param(CATALOG, "RTX 3090", id="by the price of a job, neither of an hour nor by speed"),
        pytest.param(priced(RTX_3090=1.0), "RTX 4090", id="another card when its rate rises"),
        pytest.param(priced(RTX_3090=None, RTX_4090=None), "RTX A5000", id="a card without a price is left out"),
        pytest.param(priced(H100_SXM=0.5), "H100 SXM", id="a large card when it is cheap enough"),
        pytest.param(priced(RTX_A4000=0.01), "RTX 3090", id="never a card with less memory than the default card"),
    ],
)
def test_the_card_with_the_lowest_price_per_job_is_chosen(catalog: tuple[GpuType, ...], card: str) -> None:
    found = offers(catalog, MODEL)
    assert choose(found, last=None).card == card
    assert [one.usd_per_job for one in found] == sorted(one.usd_per_job for one in found)


def test_a_card_without_kernels_in_the_image_is_left_out() -> None:
    assert choose(offers(CATALOG, MODEL, fits=lambda card: "3090" not in card), last=None).card == "RTX 4090"


A, B = Offer(card="A", usd_per_job=0.02), Offer(card="B", usd_per_job=0.0201)
CLEARLY = Offer(card="C", usd_per_job=0.02 * (1 - MARGIN) - 1e-6)


@pytest.mark.parametrize(
    ("found", "last", "card"),
    [
        pytest.param([A, B], None, "A", id="at first the cheapest"),
        pytest.param([A, B], "B", "B", id="the last choice stays within the margin"),
        pytest.param([CLEARLY, A, B], "A", "C", id="until another is cheaper by the margin"),
        pytest.param([A, B], "gone", "A", id="a card that is not offered any more is not kept"),
        pytest.param([A], "A", "A", id="the only one stays"),
    ],
)
def test_the_last_choice_is_kept_unless_it_is_clearly_beaten(found: list[Offer], last: str | None, card: str) -> None:
    assert choose(found, last=last).card == card


def test_prices_that_swing_within_the_margin_never_change_the_card() -> None:
    last = choose(offers(CATALOG, MODEL), last=None).card
    for factor in (1.05, 0.96, 1.1, 0.9, 1.0):
        last = choose(offers(priced(RTX_3090=0.68 * factor), MODEL), last=last).card
        assert last == "RTX 3090"


@pytest.mark.parametrize(
    ("catalog", "reason"),
    [
        (tuple(replace(one, usd_per_h=None) for one in CATALOG), "publishes no serverless price"),
        (tuple(replace(one, memory_gb=8) for one in CATALOG), "offers no card of 24 GB or more"),
        ((), "offers no card of 24 GB or more"),
    ],
)
def test_without_prices_or_cards_the_reason_and_a_way_out_are_given(catalog: tuple[GpuType, ...], reason: str) -> None:
    with pytest.raises(NotOffered, match=reason) as refused:
        offers(catalog, MODEL)
    assert "Name a card, for example RTX 4090" in str(refused.value)


def test_the_plan_explains_the_choice() -> None:
    assert sentence(A, [A, B]) == "cheapest is A: $0.0200 for a job of 50 photos, preset standard. Next is B ($0.0201)"
    assert sentence(B, [A, B]).endswith("Kept, since A ($0.0200) is less than 10% cheaper")
    assert sentence(A, [A]).endswith("preset standard")
