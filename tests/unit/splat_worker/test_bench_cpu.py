"""The CPU benchmark: its project for OpenSplat, the scene it reads back, medians and the plot."""

from __future__ import annotations

import json
import stat
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pycolmap
import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
sys.path.insert(0, str(Path(__file__).parent / "train"))

import cpu
from cpu_opensplat import train_opensplat, write_project
from cpu_plot import plot
from scenes import blobs, photos_of

from splat_worker.export.ply import read_ply, write_ply

STAND_IN = """#!/bin/sh
# replaces the binary: records its arguments and returns a prepared scene
echo "$@" > "{folder}/arguments"
[ "$OMP_WAIT_POLICY" = passive ] || exit 3
while [ "$1" != -o ]; do shift; done
cp "{folder}/made.ply" "$2"
"""


@pytest.fixture(scope="module")
def posed():
    return photos_of(blobs(40), count=4)


def test_the_project_for_opensplat_is_a_colmap_model_of_the_same_cameras(posed, tmp_path):
    write_project(tmp_path / "project", posed.views, posed)
    model = pycolmap.Reconstruction(tmp_path / "project" / "sparse" / "0")
    assert len(model.points3D) == len(posed.points)
    for view in posed.views:
        image = next(i for i in model.images.values() if i.name == view.name.replace(".jpg", ".png"))
        assert np.allclose(image.cam_from_world().matrix(), view.world_to_camera[:3], atol=1e-6)
        assert np.allclose(model.cameras[image.camera_id].calibration_matrix(), view.k)
        assert (tmp_path / "project" / "images" / image.name).is_file()


def test_opensplat_is_started_with_a_short_schedule_and_its_scene_is_read(posed, tmp_path):
    write_ply(tmp_path / "made.ply", blobs(40))
    binary = tmp_path / "opensplat"
    binary.write_text(STAND_IN.format(folder=tmp_path))
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    write_project(tmp_path / "work", posed.views, posed)
    scene = train_opensplat(binary, 1000, tmp_path / "work")
    assert np.array_equal(read_ply(scene).means, blobs(40).means)
    said = (tmp_path / "arguments").read_text().split()
    assert said[said.index("-n") + 1] == "1000"
    assert said[said.index("--densify-until") + 1] == "1000", "past it, only every 32nd step moves the optimiser"


def test_a_failure_of_opensplat_is_reported_with_its_output(posed, tmp_path):
    binary = tmp_path / "opensplat"
    binary.write_text("#!/bin/sh\necho no such option >&2\nexit 1\n")
    binary.chmod(0o755)
    with pytest.raises(RuntimeError, match=r"ended with 1 .*no such option"):
        train_opensplat(binary, 100, tmp_path)


def test_a_saved_set_reads_back_unchanged(posed, tmp_path):
    cpu._save(tmp_path / "set.npz", posed)
    again = cpu._load(tmp_path / "set.npz")
    assert [v.name for v in again.views] == [v.name for v in posed.views]
    assert all(np.array_equal(a.image, b.image) for a, b in zip(again.views, posed.views, strict=True))
    assert np.array_equal(again.points, posed.points)


def row(**changes):
    figures = {"psnr_db": 20.0, "psnr_fitted_db": 21.0, "ssim": 0.8, "cpu_s": 9.0, "wall_s": 5.0, "gaussians": 10}
    return {"set": "a", "trainer": "ours", "width_px": 260, "steps": 200, **figures, "peak_mb": 300, **changes}


def test_medians_are_over_seeds_and_state_the_spread():
    rows = [row(psnr_db=p) for p in (20.0, 23.0, 21.0)] + [row(steps=400, psnr_db=30.0)]
    out = cpu.medians(rows)
    assert [(m["steps"], m["psnr_db"], m["psnr_spread_db"], m["runs"]) for m in out] == [
        (200, 21.0, 3.0, 3),
        (400, 30.0, 0.0, 1),
    ]


def test_the_share_is_of_our_cheapest_whole_run_that_is_at_least_as_good():
    theirs = row(trainer="opensplat", steps=1000, cpu_s=150.0, psnr_db=22.0, psnr_fitted_db=30.0)
    ours = [row(steps=s, cpu_s=c, psnr_db=p) for s, c, p in ((200, 5.0, 21.9), (400, 15.0, 22.0), (800, 40.0, 25.0))]
    other_size = row(width_px=520, cpu_s=1.0, psnr_db=40.0)
    plain, fitted = cpu.ratios([theirs, *ours, other_size])
    assert (plain["our_steps"], plain["our_cpu_s"], plain["cpu_share"]) == (400, 15.0, 0.1)
    assert (fitted["figure"], fitted["our_steps"], fitted["cpu_share"]) == ("psnr_fitted_db", None, None)


def test_recorded_runs_are_not_repeated(tmp_path, monkeypatch):
    kept = [row(seed=0, steps=200), row(seed=0, steps=400)]
    cpu.write(kept, tmp_path)
    run = []
    monkeypatch.setattr(cpu, "posed_set", lambda folder: None)
    monkeypatch.setattr(cpu, "in_own_process", lambda case: run.append(case.steps) or {**row(), **case.row()})
    words = f"cpu.py a --widths 260 --seeds 1 --steps 200 400 800 --resume --out {tmp_path}"
    monkeypatch.setattr(sys, "argv", words.split())
    assert cpu.main() == 0
    assert run == [800]
    assert [r["steps"] for r in json.loads((tmp_path / "cpu.json").read_text())["runs"]] == [200, 400, 800]


def test_the_plot_is_well_formed_and_shows_every_run_once():
    rows = [row(), row(steps=400, cpu_s=20.0, psnr_db=22.0), row(trainer="opensplat", cpu_s=150.0), row(width_px=520)]
    drawing = ET.fromstring(plot(rows))
    circles = drawing.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(circles) == 4
    assert all(0 < float(c.get("cx")) < float(drawing.get("width")) for c in circles)
    assert all(0 < float(c.get("cy")) < float(drawing.get("height")) for c in circles)
