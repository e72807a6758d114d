"""The GPU catalogue: usual names find the right pools, other names are answered with a suggestion."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from infra.runpod.catalog import NotOffered, Selection, read_catalog, resolve, resolved_before, select

# (type id, name, pool, memory GB, USD/h), as docs.runpod.io listed them in August 2026.
ROWS = [
    ("NVIDIA RTX A4000", "RTX A4000", "AMPERE_16", 16, 0.58),
    ("NVIDIA RTX 4000 Ada Generation", "RTX 4000 Ada", "AMPERE_16", 20, 0.58),
    ("NVIDIA L4", "L4", "AMPERE_24", 24, 0.68),
    ("NVIDIA RTX A5000", "RTX A5000", "AMPERE_24", 24, 0.68),
    ("NVIDIA GeForce RTX 3090", "RTX 3090", "AMPERE_24", 24, 0.68),
    ("NVIDIA GeForce RTX 4090", "RTX 4090", "ADA_24", 24, 1.12),
    ("NVIDIA L40", "L40", "ADA_48_PRO", 48, 1.91),
    ("NVIDIA L40S", "L40S", "ADA_48_PRO", 48, 1.91),
    ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 Ada", "ADA_48_PRO", 48, 1.91),
    ("NVIDIA A100 80GB PCIe", "A100 PCIe", "AMPERE_80", 80, 2.74),
    ("NVIDIA A100-SXM4-80GB", "A100 SXM", "AMPERE_80", 80, 2.74),
    ("NVIDIA H100 80GB HBM3", "H100 SXM", "ADA_80_PRO", 80, 4.18),
    ("NVIDIA H100 PCIe", "H100 PCIe", "ADA_80_PRO", 80, 4.18),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX PRO 6000", "BLACKWELL_96", 96, 4.0),
    ("NVIDIA A100-SXM4-40GB", "A100 SXM 40GB", None, 40, None),
]
CATALOG = read_catalog(
    {"id": i, "name": n, "pool": p, "memory": m, "price": {"secure": 1, "serverless": u} if u else {"secure": 1}}
    for i, n, p, m, u in ROWS
)


@pytest.mark.parametrize(
    ("names", "pools", "excluded"),
    [
        (("RTX 4090",), ("ADA_24",), ()),
        (("4090",), ("ADA_24",), ()),
        (("nvidia geforce rtx 4090",), ("ADA_24",), ()),
        (("RTX 3090",), ("AMPERE_24",), ("NVIDIA L4", "NVIDIA RTX A5000")),
        (("L40S",), ("ADA_48_PRO",), ("NVIDIA L40", "NVIDIA RTX 6000 Ada Generation")),
        (("L40",), ("ADA_48_PRO",), ("NVIDIA L40S", "NVIDIA RTX 6000 Ada Generation")),
        (("A100 80GB",), ("AMPERE_80",), ()),
        (("A100 80 GB",), ("AMPERE_80",), ()),
        (("A100",), ("AMPERE_80",), ()),
        (("H100",), ("ADA_80_PRO",), ()),
        (("H100 PCIe",), ("ADA_80_PRO",), ("NVIDIA H100 80GB HBM3",)),
        (("RTX 4090", "L40S"), ("ADA_24", "ADA_48_PRO"), ("NVIDIA L40", "NVIDIA RTX 6000 Ada Generation")),
        (("L40S", "RTX 4090"), ("ADA_48_PRO", "ADA_24"), ("NVIDIA L40", "NVIDIA RTX 6000 Ada Generation")),
        (("L40", "L40S"), ("ADA_48_PRO",), ("NVIDIA RTX 6000 Ada Generation",)),
    ],
)
def test_names_select_pools_without_their_other_types(
    names: tuple[str, ...], pools: tuple[str, ...], excluded: tuple[str, ...]
) -> None:
    chosen = select(names, CATALOG)
    assert (chosen.pools, chosen.excluded_types) == (pools, excluded)


def test_the_price_is_the_first_choices_for_all_cards_of_a_worker() -> None:
    assert select(("RTX 4090", "L40S"), CATALOG, count=2) == Selection(
        pools=("ADA_24", "ADA_48_PRO"),
        excluded_types=("NVIDIA L40", "NVIDIA RTX 6000 Ada Generation"),
        first_choice="RTX 4090",
        usd_per_h=2.24,
        smallest=next(gpu for gpu in CATALOG if gpu.name == "RTX 4090"),
    )
    assert select(("RTX 4090",), CATALOG).usd_per_s == pytest.approx(1.12 / 3600, abs=1e-8)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("T4", "Use RTX 4000 Ada instead (20 GB, 0.58 USD/h)"),
        ("A100 40GB", "Use L40 instead (48 GB, 1.91 USD/h)"),
        ("GTX 1080", 'does not offer "GTX 1080". RunPod offers RTX 4000 Ada (0.58 USD/h)'),
        ("", "does not offer"),
        ("RTX 6000", '"RTX 6000" can mean RTX 6000 Ada, RTX PRO 6000: use one of these names'),
    ],
)
def test_an_unusable_name_is_answered_with_a_suggestion(name: str, says: str) -> None:
    with pytest.raises(NotOffered) as caught:
        select((name,), CATALOG)
    assert says in str(caught.value)


def test_a_card_without_a_serverless_price_is_not_offered() -> None:
    [gpu] = read_catalog([{"id": "X", "name": "X", "pool": "P", "memory": 8, "price": {"secure": 1}}])
    assert not gpu.offered


NEWS = {"gpuNames": ["L4", "RTX 4090"], "gpuCount": 1.0, "minCudaVersion": "12.8"}


def test_gpu_names_resolve_to_what_the_api_takes_and_a_price() -> None:
    assert resolve({}, NEWS, CATALOG, today=date(2026, 11, 23)) == {
        "gpu": {
            "pools": ["AMPERE_24", "ADA_24"],
            "count": 1,
            "excludedTypes": ["NVIDIA GeForce RTX 3090", "NVIDIA RTX A5000"],
            "minCudaVersion": "12.8",
        },
        "price": {
            "gpu": "L4",
            "usd_per_s": round(0.68 / 3600, 8),
            "as_of": "2026-11-23",
            "source": "RunPod catalogue, price.serverless",
        },
        "card": {"name": "L4", "memory_gb": 24, "photos_max": {"preview": 1000, "standard": 1000, "high": 1000}},
    }


def test_the_smallest_card_of_all_choices_decides_what_fits() -> None:
    small = replace(next(gpu for gpu in CATALOG if gpu.name == "RTX 4090"), memory_gb=16)
    catalog = tuple(small if gpu.name == "RTX 4090" else gpu for gpu in CATALOG)
    card = resolve({}, NEWS, catalog, today=date(2026, 11, 23))["card"]
    assert (card["name"], card["memory_gb"]) == ("RTX 4090", 16)
    assert card["photos_max"]["high"] < 1000


def test_an_unchanged_price_keeps_its_first_date() -> None:
    first = resolve({}, NEWS, CATALOG, today=date(2026, 11, 23))
    assert resolve(first, NEWS, CATALOG, today=date(2026, 12, 24)) == first


def test_a_changed_price_gets_a_new_date() -> None:
    first = resolve({}, NEWS, CATALOG, today=date(2026, 11, 23))
    dearer = tuple(replace(gpu, usd_per_h=2.2) if gpu.usd_per_h else gpu for gpu in CATALOG)
    later = resolve(first, NEWS, dearer, today=date(2026, 12, 24))["price"]
    assert (later["as_of"], later["usd_per_s"]) == ("2026-12-24", round(2.2 / 3600, 8))


def test_without_a_catalogue_the_last_answer_is_valid_only_for_the_same_question() -> None:
    resolved = resolve({}, NEWS, CATALOG, today=date(2026, 11, 23))
    assert resolved_before({**NEWS, **resolved}, NEWS) == resolved
    assert resolved_before({**NEWS, **resolved}, {**NEWS, "gpuNames": ["L4"]}) is None
    assert resolved_before({}, NEWS) is None
