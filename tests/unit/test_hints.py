"""Advice in error messages: its first step never loses a person's data."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOSES_DATA = re.compile(r"^(remove|delete|drop|destroy|wipe|rm -|make down|splat down|start again with an empty)", re.I)
# These lose nothing: what is removed is a key of the configuration, an argument or the like.
HARMLESS = re.compile(
    r"^(remove (it from that stack's state|the endpoint from that stack's state|this key|the other keys)"
    # Photos that the person listed but never uploaded: the service holds no byte of them.
    r"|delete them from the project"
    # The project is over a limit, and only its owner knows which photos to leave out.
    r"|delete the photos that show least)"
)


def hints_of_python(text: str) -> Iterator[str]:
    """First words of every `hint=` and of every `hint` that is assigned."""
    for node in ast.walk(ast.parse(text)):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            values = [one.value for one in node.keywords if one.arg == "hint"]
        elif isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "hint" for one in node.targets):
            values = [node.value]
        for value in values:
            parts = value.values if isinstance(value, ast.JoinedStr) else [value]
            found = [one.value for one in ast.walk(parts[0]) if isinstance(one, ast.Constant)] if parts else []
            yield from (one for one in found if isinstance(one, str))


def hints_of_typescript(text: str) -> Iterator[str]:
    yield from (found[1] for found in re.findall(r"hint:\s*([\"`])((?:(?!\1).)*)", text))


def test_no_hint_begins_with_removing_data() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seen, bad = 0, []
    for name in listed.splitlines():
        file = ROOT / name
        if name.startswith("tests/") or "/test/" in name or not file.exists():
            continue
        reader = {".py": hints_of_python, ".ts": hints_of_typescript}.get(file.suffix)
        for hint in reader(file.read_text()) if reader else ():
            seen += 1
            if LOSES_DATA.search(hint) and not HARMLESS.search(hint.lower()):
                bad.append(f"{name}: {hint}")
    assert seen > 60, "the hints were not found"
    assert bad == []


def test_a_hint_that_removes_data_is_found() -> None:
    code = 'E("x", hint=f"remove {folder} and start again")\nhint = "Delete the bucket"\n'
    assert [hint for hint in hints_of_python(code) if LOSES_DATA.search(hint)] == ["Delete the bucket", "remove "]
    assert list(hints_of_typescript('hint: "Delete it all.",')) == ["Delete it all."]
