"""The built edge worker: the output of `npm run build`, and what wrangler.jsonc declares about it.
Reads files; the compatibility date and the Durable Object history live there and nowhere else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.content_hash import hash_folder


class BundleMissing(Exception):
    """The edge worker is not built, or its wrangler.jsonc lacks what the program needs."""


@dataclass(frozen=True, kw_only=True)
class EdgeBundle:
    """Paths are as given (relative ones stay so, to be the same in every checkout)."""

    script: Path
    script_sha256: str
    assets: Path
    assets_sha256: str
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    run_worker_first: tuple[str, ...] | bool
    not_found_handling: str
    migrations: tuple[Mapping[str, Any], ...]
    crons: tuple[str, ...]


def read_bundle(folder: Path) -> EdgeBundle:
    """The bundle in `folder`. Raises BundleMissing with the next step."""
    script, assets = folder / "dist" / "index.js", folder / "dist" / "web"
    if not script.is_file() or not (assets / "index.html").is_file():
        raise BundleMissing(f"{script} or {assets}/index.html is missing. Run `npm run build` in {folder}")
    config = parse_jsonc((folder / "wrangler.jsonc").read_text("utf-8"))
    try:
        rules = config["assets"]
        first = rules.get("run_worker_first", False)
        return EdgeBundle(
            script=script,
            script_sha256=hashlib.sha256(script.read_bytes()).hexdigest(),
            assets=assets,
            assets_sha256=hash_folder(assets),
            compatibility_date=config["compatibility_date"],
            compatibility_flags=tuple(config.get("compatibility_flags", ())),
            run_worker_first=first if isinstance(first, bool) else tuple(first),
            not_found_handling=rules.get("not_found_handling", "none"),
            migrations=tuple(config["migrations"]),
            crons=tuple(config.get("triggers", {}).get("crons", ())),
        )
    except KeyError as missing:
        raise BundleMissing(f"{folder}/wrangler.jsonc lacks {missing}") from None


def parse_jsonc(text: str) -> dict[str, Any]:
    """JSON with comments and trailing commas, as wrangler reads it."""
    strings_or_comments = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
    bare = strings_or_comments.sub(lambda match: match.group(1) or "", text)
    parsed = json.loads(re.sub(r'("(?:\\.|[^"\\])*")|,(\s*[}\]])', lambda m: m.group(1) or m.group(2), bare))
    if not isinstance(parsed, dict):
        raise BundleMissing("wrangler.jsonc does not hold an object")
    return parsed
