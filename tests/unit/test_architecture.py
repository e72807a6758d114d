"""The directions of imports between rooms, read from the sources (docs/architecture.md)."""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Room → what it may import of ours, by longest prefix of the module that is imported.
ALLOWED: dict[str, tuple[str, ...]] = {
    "common": (),
    "infra": ("infra", "common"),
    # Only what all dynamic providers share lies outside: no arrow leads back up.
    "infra/runpod": ("infra.runpod", "infra.image.labels", "infra.dynamic", "infra.addresses"),
    "infra/cloudflare": ("infra.cloudflare", "infra.dynamic", "infra.addresses", "common"),
    "infra/image": ("infra.image",),
    "infra/policy": ("infra.policy", "infra.dynamic"),
    "infra/settings": ("infra.settings", "infra.runpod.cheapest", "infra.runpod.client", "infra.addresses"),
    "infra/lifecycle": ("infra.lifecycle", "infra.cloudflare", "infra.runpod", "infra.dynamic"),
    "infra/dynamic.py": (),
    "infra/addresses.py": (),
    "local_cloud": ("local_cloud",),
    "scripts": (
        "common",
        "scripts",
        "infra.settings.load",
        "infra.settings.local_stack",
        "infra.settings.model",
        "infra.settings.presets",
        "infra.image.labels",
        "infra.image.registry",
        "infra.addresses",
        "infra.runpod.catalog",
        "infra.runpod.cheapest",
        "infra.runpod.client",
        "infra.runpod.errors",
        "infra.runpod.job_memory",
        "infra.runpod.job_model",
        "infra.runpod.model",
        "infra.cloudflare.api",
        "common.content_hash",
        "local_cloud.supervisor",
        "local_cloud.addresses",
        "local_cloud.process_group",
        # The capacity command replays the autoscaler's rules instead of having its own.
        "local_cloud.runpod.account.state",
        "local_cloud.runpod.fleet.autoscaler",
        "local_cloud.runpod.fleet.parking",
        "local_cloud.runpod.workers.model",
    ),
    "worker_image/src/splat_worker": ("splat_worker",),
}
OURS = {"common", "infra", "local_cloud", "scripts", "splat_worker"}
# Rooms that must load without a heavy package: it is somebody else's to install.
FORBIDDEN: dict[str, set[str]] = {
    "common": {"httpx", "pulumi", "pydantic", "yaml"},
    "infra": {"torch", "numba", "runpod"},
    "local_cloud/runpod": {"torch", "numba", "pulumi", "runpod"},
    "scripts/splat_cli": {"torch", "numba", "pulumi", "pulumi_cloudflare", "runpod"},
    "infra/cloudflare/api.py": {"pulumi", "pulumi_cloudflare"},
    "infra/runpod/client.py": {"pulumi", "pulumi_cloudflare"},
    "infra/runpod/model.py": {"pulumi", "pulumi_cloudflare"},
    "worker_image/src/splat_worker": {"pulumi", "pulumi_cloudflare"},
}

# The edge worker's folders in src (and `.`, the files beside them that hold no route), each with those it may import.
# All of them, and the web app, may import shared/; shared/ imports nothing else of ours.
EDGE_MAY: dict[str, set[str]] = {
    "routes": {"http", "project", "account", "clients", "identity", "."},
    "project": {"account", "clients", "identity", "."},
    "account": {"clients", "."},
    "http": {"identity", "."},
    "identity": {"."},
    "clients": {"."},
    ".": set(),
}
EDGE_ENTRIES = {"index.ts", "sweeper.ts"}

WORKER = ROOT / "worker_image" / "src" / "splat_worker"
# The GPU worker's folders (and `.`, the modules beside them that everyone uses), each with those it may import.
WORKER_MAY: dict[str, set[str]] = {
    "shell": {"photos", "contract", "."},
    "selftest": {"job", "photos", "train", "transfer", "contract", "."},
    "job": {"photos", "video", "sfm", "train", "export", "edit", "transfer", "contract", "."},
    "export": {"sfm", "edit", "."},
    "edit": {"contract", "."},
    "sfm": {"photos", "contract", "."},
    "video": {"photos", "contract", "."},
    "photos": {"contract", "."},
    "train": {"."},
    "transfer": {"contract", "."},
    "contract": {"."},
    ".": set(),
}
# The folders of the RunPod stand-in, the platform that joins them, and its entry modules (`.`), each with those
# it may import.
RUNPOD_MAY: dict[str, set[str]] = {
    ".": {"api", "platform", "workers", "images", "faults", "account"},
    "api": {"platform", "workers", "jobs", "fleet", "images", "faults", "account", "core"},
    "platform": {"fleet", "jobs", "workers", "images", "faults", "account", "core"},
    "fleet": {"workers", "faults", "account", "core"},
    "jobs": {"workers", "faults", "account", "core"},
    "workers": {"images", "account", "core"},
    "faults": set(),
    "images": {"core"},
    "account": {"core"},
    "core": set(),
}
# The folders of `train`, each with those it may import; besides, only runtime.py beside them.
TRAIN_MAY: dict[str, set[str]] = {
    "core": set(),
    "health": {"core"},
    "cpu": {"core"},
    "cuda": {"core"},
    "gsplat": {"core", "cuda"},
}
# They put the folders together, and nothing imports them.
WORKER_ENTRIES = {
    "splat_worker.__main__",
    "splat_worker.edit.__main__",
    "splat_worker.handler",
    "splat_worker.selftest.__main__",
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


def modules(place: str) -> dict[str, Path]:
    """Every module below a place by its dotted name, counted from the folder that holds the place."""
    base = (ROOT / place).parent
    named = {".".join(file.relative_to(base).with_suffix("").parts): file for file in sources(place)}
    return {name.removesuffix(".__init__"): file for name, file in named.items()}


def imported_modules(known: dict[str, Path], name: str) -> set[str]:
    """Those of `known` that a module imports, wherever in it: also within a function, and for types alone."""
    found = set()
    for target in imports(known[name]):
        while target and target not in known:
            target = target.rpartition(".")[0]  # noqa: PLW2901
        found.add(target)
    return found - {name, ""}


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


def edge_imports(place: str) -> list[tuple[Path, Path]]:
    """Each TypeScript file below edge_worker/<place> with each file of ours that it imports, both below edge_worker."""
    edge = ROOT / "edge_worker"
    return [
        (file.relative_to(edge), (file.parent / name).resolve().relative_to(edge))
        for file in sorted((edge / place).rglob("*.ts*"))
        for name in re.findall(r'from "(\.[^"]+)"', file.read_text())
    ]


def edge_folder(file: Path) -> str:
    """Of a file below edge_worker/src: `routes` of src/routes/jobs.ts, `.` of src/env.ts."""
    return file.parts[1] if len(file.parts) > 2 else "."


def test_no_folder_of_the_edge_worker_imports_one_above_it() -> None:
    found = edge_imports("src")
    wrong = [
        f"{file} imports {target}"
        for file, target in found
        if target.parts[0] != "shared"
        and file.name not in EDGE_ENTRIES
        and (
            target.parts[0] != "src"
            or edge_folder(target) not in EDGE_MAY[edge_folder(file)] | {edge_folder(file)}
            or target.name in EDGE_ENTRIES
        )
    ]
    assert wrong == []
    assert {edge_folder(file) for file, _ in found} == set(EDGE_MAY), "a folder came or went: add what it may import"


@pytest.mark.parametrize(("place", "allowed"), [("web/src", {"web", "shared"}), ("shared", {"shared"})])
def test_the_web_app_and_what_it_shares_with_the_server_import_nothing_of_the_server(
    place: str, allowed: set[str]
) -> None:
    found = edge_imports(place)
    assert found
    assert [f"{file} imports {target}" for file, target in found if target.parts[0] not in allowed] == []


def folder_of(name: str) -> str:
    """Of a module of the worker: `sfm` of splat_worker.sfm.frame, `.` of splat_worker.errors."""
    first = name.split(".")[1] if "." in name else ""
    return first if (WORKER / first).is_dir() and first else "."


def test_no_folder_of_the_gpu_worker_imports_one_above_it() -> None:
    known = modules("worker_image/src/splat_worker")
    wrong = [
        f"{name} imports {target}"
        for name in sorted(known)
        for target in sorted(imported_modules(known, name))
        if target in WORKER_ENTRIES
        or (
            name not in WORKER_ENTRIES
            and folder_of(target) != folder_of(name)
            and folder_of(target) not in WORKER_MAY[folder_of(name)]
        )
    ]
    assert wrong == []
    assert {folder_of(name) for name in known} == set(WORKER_MAY), "a folder came or went: say what it may import"


def test_no_folder_of_the_runpod_stand_in_imports_a_folder_above_it() -> None:
    base = "local_cloud.runpod"
    known = modules("local_cloud")

    def folder(name: str) -> str:
        inner = name.removeprefix(base).lstrip(".")
        return inner.split(".")[0] if inner.split(".")[0] in RUNPOD_MAY else "."

    inside = [name for name in sorted(known) if starts_with(name, base)]
    wrong = [
        f"{name} imports {target}"
        for name in inside
        for target in sorted(imported_modules(known, name))
        if starts_with(target, base) and folder(target) not in {folder(name), *RUNPOD_MAY[folder(name)]}
    ]
    assert wrong == []
    packages = {folder(name) for name in inside}
    assert packages == set(RUNPOD_MAY), "a folder was added or removed: list what it may import"


def test_trainers_share_core_and_import_no_other_trainer() -> None:
    """But gsplat's, which follows the schedule of the GPU's."""
    known = modules("worker_image/src/splat_worker")
    inside = {name: name.split(".")[2] for name in known if name.startswith("splat_worker.train.")}
    wrong = [
        f"{name} imports {target}"
        for name, folder in sorted(inside.items())
        for target in sorted(imported_modules(known, name) & set(inside))
        if folder in TRAIN_MAY and inside[target] not in TRAIN_MAY[folder] | {folder, "runtime"}
    ]
    assert wrong == []
    assert set(TRAIN_MAY) <= set(inside.values())


def test_every_module_of_the_gpu_worker_is_imported_from_where_its_names_are_made() -> None:
    """What a module only imports itself is no name of its own: a second path to a thing hides where it lives."""
    known = modules("worker_image/src/splat_worker")
    made = {name: names_made(file) for name, file in known.items()}
    wrong = []
    for name, file in known.items():
        for target in sorted(imports(file)):
            module, _, thing = target.rpartition(".")
            if target not in known and module in known and thing not in made[module]:
                wrong.append(f"{name} imports {thing} from {module}")
    assert wrong == []


def names_made(file: Path) -> set[str]:
    """Names that a module defines or assigns at its top."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}
    return found


@pytest.mark.parametrize("place", sorted(ALLOWED))
def test_no_two_modules_of_a_room_import_each_other_by_whatever_way(place: str) -> None:
    known = modules(place)
    try:
        TopologicalSorter({name: imported_modules(known, name) for name in known}).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


MODULES_MAX = 12
ROOMS = (
    "bench",
    "common",
    "edge_worker",
    "examples",
    "infra",
    "local_cloud",
    "policy",
    "samples",
    "scripts",
    "tests",
    "worker_image",
)


def test_no_folder_holds_more_modules_than_a_newcomer_takes_in() -> None:
    found: Counter[Path] = Counter()
    for room in ROOMS:
        for folder, names, files in os.walk(ROOT / room):
            names[:] = [name for name in names if name not in ("node_modules", "dist", "_out", "__pycache__")]
            modules = [name for name in files if Path(name).suffix in (".py", ".ts", ".tsx", ".mjs")]
            found[Path(folder).relative_to(ROOT)] = len([name for name in modules if name != "__init__.py"])
    assert {str(folder): count for folder, count in found.items() if count > MODULES_MAX} == {}
