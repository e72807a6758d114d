"""Compares the copy of RunPod's published API with the document that RunPod serves today, as Markdown.
Texts and examples do not count: only what a request or an answer may hold."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.runpod.client import PRODUCTION_URL
from scripts.gitops.tools import Failed

SPECS = Path(__file__).resolve().parents[2] / "tests" / "contract" / "specs"
COPY, PATCH = SPECS / "runpod-rest-v2.openapi.json", SPECS / "runpod-rest-v2.pagination.json"
LIVE_URL = f"{PRODUCTION_URL}/openapi.json"
BYTES_MAX = 32 << 20
LIMIT_S = 60.0
ROWS_MAX = 100
TEXTS = frozenset({"description", "summary", "title", "example", "examples", "tags", "externalDocs", "operationId"})
PROPERTIES = frozenset({"properties", "patternProperties"})
"""Below these a key is the name of a field, also if it is called `description`."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """pointer: JSON Pointer (RFC 6901); kind: new, gone or changed."""

    pointer: str
    kind: str


def copy() -> dict[str, Any]:
    """The published document as the contract tests read it."""
    patched: dict[str, Any] = merged(json.loads(COPY.read_text()), json.loads(PATCH.read_text()))
    return patched


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396) applied."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def differences(ours: Any, theirs: Any, pointer: str = "", *, names: bool = False) -> Iterator[Difference]:
    """What `theirs` has that `ours` has not, and the reverse. The outermost difference stands for all below it.
    names: whether the keys here name fields."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted(ours.keys() | theirs.keys()):
            if key in TEXTS and not names:
                continue
            at = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in ours or key not in theirs:
                yield Difference(pointer=at, kind="new" if key in theirs else "gone")
            else:
                yield from differences(ours[key], theirs[key], at, names=key in PROPERTIES and not names)
    elif _plain(ours) != _plain(theirs):
        yield Difference(pointer=pointer, kind="changed")


def _plain(value: Any) -> Any:
    """For comparison: without texts, and with lists of words in one order, since `required` and `enum` are sets."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items() if key not in TEXTS}
    if isinstance(value, list):
        plain = [_plain(inner) for inner in value]
        return sorted(plain) if all(isinstance(inner, str) for inner in plain) else plain
    return value


def page(found: list[Difference], *, version: str) -> str:
    """The differences as Markdown."""
    rows = [f"| {one.kind} | `{one.pointer}` |" for one in found[:ROWS_MAX]]
    more = [f"\n{len(found) - ROWS_MAX} more are not shown."] if len(found) > ROWS_MAX else []
    head = [
        f"RunPod serves version {version} of its API, which differs from the copy in `{COPY.parent.name}/{COPY.name}`.",
        "Bring what this program uses over as a patch beside the copy, then into the client and the stand-in.",
        "",
        "| | where |",
        "|---|---|",
    ]
    return "\n".join([*head, *rows, *more]) + "\n"


def fetch(url: str) -> dict[str, Any]:
    """The document at `url`. Raises Failed."""
    try:
        with httpx.stream("GET", url, timeout=LIMIT_S, follow_redirects=True) as answer:
            answer.raise_for_status()
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > BYTES_MAX:
                    raise Failed(f"{url} is larger than {BYTES_MAX >> 20} MiB")
        document = json.loads(body)
    except (httpx.HTTPError, ValueError) as error:
        raise Failed(f"cannot read {url}: {type(error).__name__}") from None
    if not isinstance(document, dict) or "paths" not in document:
        raise Failed(f"{url} is no OpenAPI document")
    return document


def compare(url: str = LIVE_URL) -> bool:
    """Print the differences as Markdown; whether there are any."""
    live = fetch(url)
    found = list(differences(copy()["paths"], live["paths"], "/paths"))
    found += differences(copy().get("components", {}), live.get("components", {}), "/components")
    if found:
        sys.stdout.write(page(found, version=str(live.get("info", {}).get("version", "?"))))
    else:
        print("RunPod's API is the published copy.", file=sys.stderr)
    return bool(found)
