"""The directions of imports between rooms, read from the sources (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Room → what it may import of ours, by longest prefix of the module that is imported.
ALLOWED: dict[str, tuple[str, ...]] = {
    "infra": ("infra",),
    "local_cloud": ("local_cloud",),
    "scripts": (
        "scripts",
        "infra.local_stack",
        "infra.runpod.client",
        "infra.runpod.errors",
        "infra.runpod.model",
        "infra.cloudflare_api",
        "local_cloud.supervisor",
        "local_cloud.addresses",
    ),
    "worker_image/src/splat_worker": ("splat_worker",),
}
OURS = {"infra", "local_cloud", "scripts", "splat_worker"}
# Rooms that must load without a heavy package: it is somebody else's to install.
FORBIDDEN: dict[str, set[str]] = {
    "infra": {"torch", "numba", "runpod"},
    "local_cloud/runpod": {"torch", "numba", "pulumi", "runpod"},
    "scripts/splat_cli": {"torch", "numba", "pulumi", "pulumi_cloudflare", "runpod"},
    "infra/cloudflare_api.py": {"pulumi", "pulumi_cloudflare"},
    "infra/runpod/client.py": {"pulumi", "pulumi_cloudflare"},
    "infra/runpod/model.py": {"pulumi", "pulumi_cloudflare"},
    "worker_image/src/splat_worker": {"pulumi", "pulumi_cloudflare"},
}


def sources(place: str) -> list[Path]:
    path = ROOT / place
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    assert found, f"{place} holds no Python: the rule for it is stale"
    return [file for file in found if "node_modules" not in file.parts]


def imports(file: Path) -> set[str]:
    """Absolute names of modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def starts_with(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@pytest.mark.parametrize("room", sorted(ALLOWED))
def test_a_room_imports_only_the_rooms_it_may(room: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sources(room)
        for name in sorted(imports(file))
        if name.split(".")[0] in OURS and not any(starts_with(name, prefix) for prefix in ALLOWED[room])
    ]
    assert wrong == []


@pytest.mark.parametrize("place", sorted(FORBIDDEN))
def test_a_room_needs_no_package_that_is_not_its_own(place: str) -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in sources(place)
        for name in sorted(imports(file))
        if name.split(".")[0] in FORBIDDEN[place]
    ]
    assert wrong == []
