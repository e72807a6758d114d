"""The command that edits files on a machine. Silent failures: formats that differ, cameras left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import blobs, looking_at_origin

from splat_worker.contract.edit import parse_edit
from splat_worker.edit.__main__ import main
from splat_worker.edit.recipe import apply_edit
from splat_worker.export.files import read_back
from splat_worker.export.ply import read_ply, write_ply

RECIPE: dict[str, Any] = {
    "version": 2,
    "up": [0.6, -0.8, 0.0],
    "start": None,
    "cover": None,
    "crops": [{"shape": "sphere", "centre": [0, 0, 0], "radius": 0.7, "keep": "inside", "soft": 0.0}],
    "floaters": None,
}


def scene_in(folder: Path) -> tuple[Path, Path]:
    camera = looking_at_origin(0.4, 96, 64)
    pose = {"position": camera.centre.tolist(), "rotation": camera.world_to_camera[:3, :3].T.tolist()}
    cameras = {"version": 1, "up": [0, -1, 0], "target": [0, 0, 0], "cameras": [{"name": "1.jpg", **pose}]}
    (folder / "cameras.json").write_text(json.dumps(cameras))
    write_ply(folder / "scene.ply", blobs(400))
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    return folder / "scene.ply", folder / "cameras.json"


def test_every_format_holds_the_edited_scene_and_the_original_stays(tmp_path: Path) -> None:
    scene, cameras = scene_in(tmp_path)
    before = scene.read_bytes()
    out = tmp_path / "out"
    assert main([str(scene), str(tmp_path / "recipe.json"), str(out), "--cameras", str(cameras)]) == 0
    assert scene.read_bytes() == before
    wanted = apply_edit(read_ply(scene), parse_edit(RECIPE))
    assert np.array_equal(read_ply(out / "scene.ply").means, wanted.means)
    for name in ("scene.sog", "scene.spz"):
        back = read_back(out / name, tmp_path, threads=1).means
        assert len(back) == len(wanted)
        assert np.sort(back[:, 0]) == pytest.approx(np.sort(wanted.means[:, 0]), abs=2e-3)
    turned = json.loads((out / "cameras.json").read_text())
    assert (turned["up"], turned["up_known"]) == ([0, -1, 0], True)
    # The camera still looks at the middle.
    camera = turned["cameras"][0]
    assert np.array(camera["rotation"])[:, 2] == pytest.approx(
        -np.array(camera["position"]) / np.linalg.norm(camera["position"]), abs=1e-5
    )


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"version": 9}, "version: Input should be 1 or 2"),
        ({"crops": [{**RECIPE["crops"][0], "centre": [99, 0, 0]}]}, "edit.crops.0: nothing of the scene is left"),
    ],
)
def test_a_recipe_that_cannot_be_applied_writes_nothing(
    broken: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene, _ = scene_in(tmp_path)
    (tmp_path / "recipe.json").write_text(json.dumps({**RECIPE, **broken}))
    assert main([str(scene), str(tmp_path / "recipe.json"), str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
