"""Damage, as files and messages suffer it. Pure: the same random source gives the same damage."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any

LONGEST = 2_000_000  # characters of a damaged JSON value
ODD_NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64)
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, "", " ", "0", "null", "\x00", "\ud800", "a" * 10_000, "../../etc/passwd", "http://127.0.0.1/"),
    *ODD_NUMBERS,
    *(0.5, -0.0, 1e308, float("inf"), float("nan"), [], {}, [[]], {"": None}, "e\u0301", "\u202e", "１２"),
)


def damage_bytes(rng: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One file of the corpus with one to eight kinds of damage."""
    data = bytearray(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        data = rng.choice(_BYTES)(rng, data, corpus)
    return bytes(data)


def damage_value(rng: random.Random, corpus: Sequence[Any]) -> Any:
    """One JSON value of the corpus with one to four changes."""
    value = copy.deepcopy(rng.choice(corpus))
    for _ in range(rng.choice((1, 1, 2, 4))):
        changed = _change_value(rng, copy.deepcopy(value))
        # Doubling a doubled list again and again makes files that no bucket holds.
        value = changed if len(repr(changed)) < LONGEST else value
    return value


def _place(rng: random.Random, data: bytearray) -> int:
    """Headers are short and matter most, so half of the places are near the start."""
    near = min(len(data), rng.choice((16, 64, 512)))
    return rng.randrange(near if rng.random() < 0.5 and near else max(1, len(data)))


def _flip(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    for _ in range(rng.choice((1, 1, 4, 32)) if data else 0):
        data[_place(rng, data) % len(data)] ^= 1 << rng.randrange(8)
    return data


def _cut(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    return data[: _place(rng, data)]


def _number(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    """A length or a size that is far off, in either order of bytes."""
    width, at = rng.choice((1, 2, 4, 8)), _place(rng, data)
    value = rng.choice(ODD_NUMBERS) % (1 << (8 * width))
    data[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))
    return data


def _remove(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 4, 64, 4096))]
    return data


def _repeat(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    at = _place(rng, data)
    part = data[at : at + rng.choice((1, 16, 1024))]
    data[at:at] = part * rng.choice((1, 2, 50))
    return data


def _fill(rng: random.Random, data: bytearray, _: Sequence[bytes]) -> bytearray:
    at, length = _place(rng, data), rng.choice((4, 64, 4096))
    data[at : at + length] = rng.choice((b"\x00", b"\xff")) * len(data[at : at + length])
    return data


def _splice(rng: random.Random, data: bytearray, corpus: Sequence[bytes]) -> bytearray:
    other = rng.choice(corpus)
    return data[: _place(rng, data)] + other[rng.randrange(max(1, len(other))) :]


_BYTES: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], bytearray], ...] = (
    *(_flip, _flip, _cut, _number, _number, _remove, _repeat, _fill, _splice),
)


def _change_value(rng: random.Random, value: Any) -> Any:
    """One place of a JSON value is replaced, removed, doubled, or nested."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(sorted(value, key=str))
        how = rng.random()
        if how < 0.6:
            value[key] = _change_value(rng, value[key])
        elif how < 0.75:
            del value[key]
        elif how < 0.9:
            value[rng.choice((f"{key}x", "__proto__", "", key.upper()))] = value[key]
        else:
            value[key] = [value[key]] * rng.choice((1, 2, 200))
        return value
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        value[at] = _change_value(rng, value[at])
        return value if rng.random() < 0.8 else value * rng.choice((0, 2, 50))
    if isinstance(value, str) and rng.random() < 0.4:
        raw = bytearray(value.encode("utf-8", "surrogatepass"))
        return bytes(rng.choice(_BYTES)(rng, raw, [b"http://", b"999999999999", b"-"])).decode("utf-8", "replace")
    if rng.random() < 0.05:
        for _ in range(rng.choice((3, 60))):
            value = [value]
        return value
    return copy.deepcopy(rng.choice(ODD_VALUES))
