"""Writes the generated tables of the docs."""

from __future__ import annotations

from scripts.splat_cli.options import ROOT
from scripts.splat_cli.verify_live.assumptions import PAGES, read, replaced, table
from scripts.splat_cli.verify_live.recording import recordings
from scripts.splat_cli.verify_live.run import all_checks

for name, rows in PAGES.items():
    page = ROOT / name
    page.write_text(replaced(page.read_text(), table(read(rows), all_checks(), recordings(ROOT))))
    print(f"Wrote {name}.")
