"""The configuration of a stack: every key with values that a person, or a broken tool, could write into its file."""

from __future__ import annotations

import json
import random
from pathlib import Path

from infra.settings.load import SECRETS, SettingsError, read_settings
from infra.settings.model import Settings, all_settings
from tests.fuzz.mutate import ODD_VALUES, damage_bytes, damage_value

VALID = {
    "photo-splat:cloudflareAccountId": "0" * 32,
    "photo-splat:workersSubdomain": "team",
    "photo-splat:imageRepository": "ghcr.io/team/splat-worker",
    "photo-splat:workersMax": "2",
    "photo-splat:budgetUsdPerMonth": "100",
    "runpod:apiKey": "rpa_SECRET0OF0THE0TEST",
}
LONGEST = 30_000  # a message for every key, each with a value cut short
KEYS = sorted({setting.key for setting in all_settings()} | SECRETS.keys())


def make(rng: random.Random) -> bytes:
    values = dict(VALID)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        values[rng.choice(KEYS)] = _text(rng)
    if rng.random() < 0.2:
        values[damage_bytes(rng, [b"photo-splat:workersMax", b"runpod:apiKey"]).decode("utf-8", "replace")] = "1"
    if rng.random() < 0.2:
        values.pop(rng.choice(sorted(values)))
    return json.dumps(values).encode()


def _text(rng: random.Random) -> str:
    how = rng.random()
    if how < 0.4:
        value = rng.choice(ODD_VALUES)
        return value if isinstance(value, str) else json.dumps(value)
    if how < 0.7:
        texts = [
            b"RTX 4090, L40S",
            b'["RTX 4090", "L40S"]',
            b"https://app.example.org",
            b"ghcr.io/a/b@sha256:" + b"0" * 64,
            b"12.5",
            b"true",
        ]
        return damage_bytes(rng, texts).decode("utf-8", "replace")
    return json.dumps(damage_value(rng, [["RTX 4090"], {"a": 1}, "eu"]))


def check(case: bytes, _: Path) -> None:
    """Settings, or a line per problem that names its key and holds no secret."""
    try:
        assert isinstance(read_settings(json.loads(case)), Settings)
        return
    except SettingsError as refused:
        text = str(refused)
    assert text.strip()
    assert "Traceback" not in text
    assert VALID["runpod:apiKey"] not in text
    assert len(text) < LONGEST, text[:LONGEST]
