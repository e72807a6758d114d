"""A job report as rows, and the form of durations and prices."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scripts.splat_cli.show import length, report_rows, report_table, seconds, usd

REPORT = json.loads((Path(__file__).parents[4] / "docs/contracts/job-report.json").read_text())


def test_the_report_of_the_contract_has_these_rows() -> None:
    assert report_rows(REPORT) == [
        ("Photos registered", "20 of 21"),
        ("Held-out PSNR", "26.41 dB, close (3 photos kept back)"),
        ("Held-out SSIM", "0.861"),
        ("Gaussians", "18 230"),
        ("Size", "about 12 m wide, 4.0 m high, within 1 %"),
        ("  fetching photos", "0.8 s"),
        ("  checking photos", "1.1 s"),
        ("  finding camera poses", "21.4 s"),
        ("  training Gaussians", "2 min 1 s"),
        ("  writing the scene", "4.2 s"),
        ("  storing the scene", "0.5 s"),
        ("Device", "AMD EPYC (cpu)"),
        ("Price (estimate)", "$0.0462 for the same time on an RTX 4090 at $1.12/h, rate of 2026-11-23"),
    ]


def test_a_price_that_was_paid_is_not_called_an_estimate() -> None:
    paid = {**REPORT, "price": {**REPORT["price"], "estimate": False}}
    assert report_rows(paid)[-1][0] == "Price"


def test_the_price_of_each_stage_stands_beside_its_seconds() -> None:
    price = {**REPORT["price"], "stages": [{"stage": "sfm", "usd": 0.0066}]}
    rows = dict(report_rows({**REPORT, "price": price}))
    assert rows["  finding camera poses"] == "21.4 s  $0.0066"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.04, "0.0 s"), (8.31, "8.3 s"), (20, "20 s"), (59.97, "1 min"), (125, "2 min 5 s"), (3600, "60 min")],
)
def test_durations_are_short_and_have_no_padding(value: float, words: str) -> None:
    assert seconds(value) == words


@pytest.mark.parametrize(("value", "words"), [(0.0462, "$0.0462"), (0.999, "$1.00"), (12.345, "$12.35"), (0, "$0.00")])
def test_small_prices_keep_their_digits(value: float, words: str) -> None:
    assert usd(value) == words


@pytest.mark.parametrize(
    ("metres", "words"),
    [(12.31, "12 m"), (9.96, "10 m"), (1.31, "1.3 m"), (0.997, "1.0 m"), (0.45, "45 cm"), (0.004, "4.0 mm")],
)
def test_lengths_have_two_digits_and_a_unit_that_people_use(metres: float, words: str) -> None:
    assert length(metres) == words


def test_frames_of_clips_are_shown_with_their_seconds_and_the_reason_of_the_others() -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(report_table(REPORT, title="Walk", names={"0001.jpg": "a.jpg"}))
    words = " ".join(console.export_text().split())
    assert "Frames 4 of walk.mov (12.4 s): 0:00.1, 0:01.3, 0:02.6, 0:06.5" in words
    assert "left out 0:02.9 to 0:06.4: Every frame is blurred." in words
