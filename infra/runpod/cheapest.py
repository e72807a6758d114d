"""Which card `gpu: cheapest` means: the lowest price of a typical job, by the job model and the catalogue's prices.
Pure. Keeps the last choice unless another card is clearly cheaper, so that small price changes replace no workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from infra.runpod.catalog import GpuType, NotOffered
from infra.runpod.job_model import Model, slowness

CHEAPEST = "cheapest"  # in place of a card's name
# The recorded job of bench/gpu.json that is nearest to everyday use. Ratios between cards hardly depend on it.
PRESET, PHOTOS = "standard", 50
# A change of card replaces every worker and costs an image check, and the model is not exact.
MARGIN = 0.1
MEMORY_GB_MIN = 24  # as much as the default card has; what the largest photo sets need was not measured


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A card and the price of a typical job on it."""

    card: str
    usd_per_job: float


def offers(catalog: Iterable[GpuType], model: Model, *, fits: Callable[[str], bool] = lambda _: True) -> list[Offer]:
    """Cards that may be chosen, cheapest job first. fits: whether the image has kernels for a card. Raises NotOffered
    when there is none."""
    known = [one for one in catalog if one.pool and one.memory_gb >= MEMORY_GB_MIN and fits(one.name)]
    found = [
        Offer(card=one.name, usd_per_job=model.seconds(PRESET, PHOTOS, factor) * one.usd_per_h / 3600)
        for one in known
        if one.usd_per_h and (factor := slowness(one.name)) is not None
    ]
    if not found:
        why = (
            "RunPod publishes no serverless price of a card that the image can use"
            if known
            else f"RunPod offers no card of {MEMORY_GB_MIN} GB or more that the image has kernels for"
        )
        raise NotOffered(f'"{CHEAPEST}" cannot be resolved: {why}. Name a card, for example RTX 4090')
    return sorted(found, key=lambda one: (one.usd_per_job, one.card))


def choose(found: Sequence[Offer], *, last: str | None) -> Offer:
    """The cheapest of `offers`, or `last` while the cheapest is not cheaper by MARGIN."""
    best = found[0]
    kept = next((one for one in found if one.card == last), None)
    return kept if kept is not None and best.usd_per_job > kept.usd_per_job * (1 - MARGIN) else best


def sentence(chosen: Offer, found: Sequence[Offer]) -> str:
    """For the plan: the choice, its price, and what comes next."""
    basis = f"{PHOTOS} photos, preset {PRESET}"
    text = f"{CHEAPEST} is {chosen.card}: ${chosen.usd_per_job:.4f} for a job of {basis}"
    if chosen != found[0]:
        best = found[0]
        return f"{text}. Kept, since {best.card} (${best.usd_per_job:.4f}) is less than {MARGIN:.0%} cheaper"
    following = next((one for one in found if one != chosen), None)
    return text if following is None else f"{text}. Next is {following.card} (${following.usd_per_job:.4f})"
