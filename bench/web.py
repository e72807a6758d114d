"""Sizes of the built web app, plain and compressed: `npm --prefix edge_worker run build`, then
`.venv/bin/python -m bench.web`. Writes bench/web.json."""

from __future__ import annotations

import gzip
import re

from bench.record import BENCH, ROOT, record, write

DIST = ROOT / "edge_worker/dist/web"
HASHED = re.compile(r"-[\w-]{8}(\.\w+)$")
COMPRESSED = {".js", ".css", ".html", ".svg", ".webmanifest"}


def sizes() -> dict[str, dict[str, int]]:
    """Bytes of each built file, and compressed where a server would compress it. Names have no hash."""
    found = {}
    for path in sorted(DIST.rglob("*")):
        if not path.is_file() or path.name == "_headers":
            continue
        plain = HASHED.sub(r"\1", path.name) if path.parent.name == "assets" else path.name
        data = path.read_bytes()
        found[plain] = {"bytes": len(data)}
        if path.suffix in COMPRESSED:
            found[plain]["gzip_bytes"] = len(gzip.compress(data, 9))
    return found


if __name__ == "__main__":
    write(BENCH / "web.json", record(".venv/bin/python -m bench.web", files=sizes()))
