"""The provider double, as the engine finds it on PATH."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]


def test_the_double_can_be_run() -> None:
    assert os.access(ROOT / "local_cloud" / "cloudflare" / "bin" / "pulumi-resource-cloudflare", os.X_OK)
