"""The table of what a job will take and cost on each card, from the job model and the catalogue's prices. Pure.
One card was measured; others are scaled by published figures, which is said beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from infra.runpod.catalog import GpuType, NotOffered, select
from infra.runpod.job_memory import photos_that_fit
from infra.runpod.job_model import CARDS, MEASURED, Model, slowness
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.show import seconds, usd

GUIDE_CARD, GUIDE_USD = "RTX 4090", ((20, 0.12), (30, 0.25))
"""What a guide of 2025 names: (photos, USD) of 7,000 and 15,000 iterations on this card."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """photos_max: the most photos that the smallest card of that name holds with the preset; None: not known."""

    gpu: str
    seconds: float
    usd: float
    usd_per_h: float
    measured: bool
    photos_max: int | None
    fits: bool


def rows(model: Model, names: Iterable[str], catalog: tuple[GpuType, ...], *, preset: str, photos: int) -> list[Row]:
    """A row per card, in the given order; without names, every card that is offered, cheapest first, and those on which
    the photos do not fit last. Raises CommandError for a card that is not offered, or a preset that was never recorded.
    """
    if preset not in model.train_s:
        raise CommandError(
            f"No whole job with preset {preset} was recorded.", hint=f"choose one of {', '.join(sorted(model.train_s))}"
        )
    wanted = list(names)
    if wanted:
        try:
            chosen = [select((name,), catalog) for name in wanted]
        except NotOffered as refusal:
            raise CommandError(f"{refusal}.", hint="use a name of the list above") from None
        offers = [(one.first_choice, one.usd_per_h, one.smallest.memory_gb) for one in chosen]
    else:
        offers = [(one.name, one.usd_per_h or 0.0, one.memory_gb) for one in catalog if one.offered]
    found = []
    for name, usd_per_h, memory_gb in offers:
        factor = slowness(name)
        if factor is None:
            if wanted:
                raise CommandError(f"The speed of {name} is not known.", hint=f"known are {', '.join(CARDS)}")
            continue
        time = model.seconds(preset, photos, factor)
        measured = MEASURED in name.split()
        most = photos_that_fit(preset, memory_gb) if memory_gb else None
        found.append(
            Row(
                gpu=name,
                seconds=time,
                usd=time * usd_per_h / 3600,
                usd_per_h=usd_per_h,
                measured=measured,
                photos_max=most,
                fits=most is None or photos <= most,
            )
        )
    return found if wanted else sorted(found, key=lambda one: (not one.fits, one.usd, one.gpu))


def misfit_line(found: Sequence[Row], *, preset: str, photos: int) -> str | None:
    """The next step where some cards are too small; None if the photos fit on all."""
    small = [one for one in found if not one.fits]
    if not small:
        return None
    most = min(one.photos_max or 0 for one in small)
    return (
        f"{photos} photos with preset {preset} do not fit on {', '.join(one.gpu for one in small)}."
        f" Use another card, a smaller preset, or at most {most} photos."
    )


def table(found: Sequence[Row]) -> Table:
    out = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    out.add_column("card", no_wrap=True)
    for name in ("time", "price", "rate"):
        out.add_column(name, justify="right", no_wrap=True)
    out.add_column("basis")
    for one in found:
        basis = "measured card" if one.measured else "scaled"
        if not one.fits:
            basis = f"holds at most {one.photos_max} photos"
        out.add_row(one.gpu, seconds(round(one.seconds)), usd(one.usd), f"${one.usd_per_h:.2f}/h", basis)
    return out


def basis_lines(model: Model, *, as_of: str) -> list[str]:
    """Where the figures come from, and how wrong they can be."""
    low, high = model.photos
    return [
        f"Rates of {as_of}. Fitted to {model.runs} recorded jobs of {low} to {high} photos on an {MEASURED}"
        f" (bench/gpu.json); the largest miss on them is {model.error:.0%}.",
        "Other cards are scaled by their published FP32 and memory figures and were not measured: half to double.",
        f"A cold worker adds its start, {seconds(round(model.start_s))} of it in the worker itself.",
    ]


def guide_line(model: Model, catalog: tuple[GpuType, ...]) -> str | None:
    """The same jobs in an older guide and here; None where that card is not offered."""
    try:
        usd_per_h = select((GUIDE_CARD,), catalog).usd_per_h
    except NotOffered:
        return None
    factor = slowness(GUIDE_CARD) or 1.0
    theirs = " and ".join(f"${price:.2f} for {photos}" for photos, price in GUIDE_USD)
    prices = [model.seconds("standard", photos, factor) * usd_per_h / 3600 for photos, _ in GUIDE_USD]
    return (
        f"A guide of 2025 names {theirs} photos on an {GUIDE_CARD}, of community clouds. Here they are "
        f"{' and '.join(usd(price) for price in prices)} with preset standard, at ${usd_per_h:.2f}/h of serverless."
    )


def as_json(found: Sequence[Row], model: Model, *, as_of: str) -> dict[str, Any]:
    return {
        "rates_as_of": as_of,
        "model": {**asdict(model), "photos": list(model.photos)},
        "cards": [asdict(one) for one in found],
    }
