"""Generated files and pages agree with the program."""

from __future__ import annotations

from pathlib import Path

from infra.service import OLDEST_ENGINE
from infra.settings.reference import stale

ROOT = Path(__file__).resolve().parents[4]


def test_the_schema_and_the_reference_page_are_fresh() -> None:
    assert stale(ROOT) == (), "run `python -m infra.settings.reference`"


def test_set_up_and_docs_name_the_oldest_engine_that_the_program_accepts() -> None:
    set_up = (ROOT / "scripts/bootstrap.d/engine.py").read_text()
    page = (ROOT / "docs/environments.md").read_text()
    assert f"OLDEST = ({OLDEST_ENGINE.replace('.', ', ')})" in set_up
    assert f"Pulumi {OLDEST_ENGINE.removesuffix('.0')} or newer" in page
