"""The table of cards at the stand-in's rates."""

from __future__ import annotations

import pytest

from infra.runpod.catalog import GpuType, read_catalog
from infra.runpod.job_model import recorded_model
from local_cloud.runpod.account import catalog as stand_in
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.operate.estimate import as_json, basis_lines, guide_line, misfit_line, rows
from scripts.splat_cli.show import usd


@pytest.fixture(scope="module")
def catalog() -> tuple[GpuType, ...]:
    return read_catalog(
        {
            "id": one.id,
            "name": one.name,
            "pool": one.pool,
            "memory": one.memory_gb,
            "price": {"serverless": (one.serverless_usd_per_s or 0) * 3600 or None},
        }
        for one in stand_in.load().gpus
    )


def test_the_table_has_the_cards_that_were_asked_for_and_their_prices(catalog: tuple[GpuType, ...]) -> None:
    model = recorded_model()
    found = rows(model, ["RTX 4090", "H200"], catalog, preset="standard", photos=50)
    assert [(one.gpu, one.measured) for one in found] == [("RTX 4090", False), ("H200 SXM", True)]
    for one in found:
        assert one.usd == pytest.approx(one.seconds * one.usd_per_h / 3600)
    everything = rows(model, [], catalog, preset="standard", photos=50)
    assert everything == sorted(everything, key=lambda one: (one.usd, one.gpu))
    assert len(everything) > 15
    assert as_json(found, model, as_of="2026-11-30")["cards"][0]["gpu"] == "RTX 4090"
    assert "the largest miss on them is 15%" in basis_lines(model, as_of="2026-11-30")[0]


@pytest.mark.parametrize(
    ("names", "preset", "message"),
    [
        (["T4"], "preview", "does not offer"),
        (["RTX 2000 Ada"], "preview", "speed of RTX 2000 Ada is not known"),
        ([], "high", "No whole job with preset high was recorded"),
    ],
)
def test_what_cannot_be_estimated_is_refused(
    names: list[str], preset: str, message: str, catalog: tuple[GpuType, ...]
) -> None:
    with pytest.raises(CommandError, match=message):
        rows(recorded_model(), names, catalog, preset=preset, photos=50)


def test_a_card_that_the_photos_do_not_fit_on_comes_last_with_the_next_step(catalog: tuple[GpuType, ...]) -> None:
    model = recorded_model()
    found = rows(model, [], catalog, preset="standard", photos=1000)
    small = [one for one in found if not one.fits]
    assert small == found[-len(small) :]
    assert all(one.photos_max is not None and 300 < one.photos_max < 1000 for one in small)
    line = misfit_line(found, preset="standard", photos=1000)
    assert line is not None
    assert small[0].gpu in line
    assert f"at most {small[0].photos_max} photos" in line
    assert misfit_line(rows(model, [], catalog, preset="standard", photos=300), preset="standard", photos=300) is None


def test_the_price_of_an_older_guide_stands_beside_todays(catalog: tuple[GpuType, ...]) -> None:
    model = recorded_model()
    [small, large] = [
        rows(model, ["RTX 4090"], catalog, preset="standard", photos=photos)[0].usd for photos in (20, 30)
    ]
    line = guide_line(model, catalog)
    assert line is not None
    assert "$0.12 for 20 and $0.25 for 30 photos" in line
    assert usd(small) in line
    assert usd(large) in line
    assert guide_line(model, tuple(one for one in catalog if "4090" not in one.name)) is None
