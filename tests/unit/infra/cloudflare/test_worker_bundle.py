"""The built edge worker and its wrangler.jsonc."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.cloudflare.worker_bundle import BundleMissing, parse_jsonc, read_bundle


def test_jsonc_is_read_with_comments_and_trailing_commas() -> None:
    text = '{ // one\n "url": "https://x//y", /* two */ "list": [1, 2,], "text": "a, ]",\n}'
    assert parse_jsonc(text) == {"url": "https://x//y", "list": [1, 2], "text": "a, ]"}


def test_a_missing_bundle_names_the_build_command(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing, match="npm run build"):
        read_bundle(tmp_path)
