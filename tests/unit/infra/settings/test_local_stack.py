"""The configuration of a local run."""

from __future__ import annotations

from pathlib import Path

import yaml

from infra.settings.local_stack import render

ROOT = Path(__file__).resolve().parents[4]


ADDRESSES = {
    "app_url": "http://127.0.0.1:8787/",
    "runpod_url": "http://127.0.0.1:8750",
    "control_url": "http://127.0.0.1:8751",
    "s3_endpoint": "http://127.0.0.1:8787/cdn-cgi/local/r2/s3",
}


def test_the_local_stack_file_is_the_committed_one_plus_addresses() -> None:
    committed = (ROOT / "Pulumi.local.yaml").read_text()
    made = yaml.safe_load(render(committed, ADDRESSES))["config"]
    assert made.items() >= yaml.safe_load(committed)["config"].items()
    assert made["photo-splat:appUrl"] == "http://127.0.0.1:8787"
    assert made["runpod:apiUrl"] == made["runpod:jobUrl"] == "http://127.0.0.1:8750/v2"


def test_the_engines_salt_stays_after_another_render() -> None:
    first = render("config: {}", ADDRESSES, "encryptionsalt: v1:abc\nconfig: {photo-splat:old: x}\n")
    assert yaml.safe_load(first)["encryptionsalt"] == "v1:abc"
    assert "photo-splat:old" not in first
