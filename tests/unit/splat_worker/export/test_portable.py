"""The page and the glTF file, read by readers of their own."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from splat_worker.export.ply import write_ply
from splat_worker.export.portable import viewer_settings, write_portable
from splat_worker.scene import Camera
from tests.unit.splat_worker.export.test_sog import scene

COUNT = 200
# Two units before the origin, a little above it, looking straight ahead (y points down).
START = Camera(
    world_to_camera=np.array([[1.0, 0, 0, 0], [0, 1, 0, 0.5], [0, 0, 1, 2], [0, 0, 0, 1]]),
    k=np.array([[400.0, 0, 200], [0, 400, 150], [0, 0, 1]]),
    width=400,
    height=300,
)


@pytest.fixture(scope="module")
def ply(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("portable") / "scene.ply"
    write_ply(path, scene(COUNT, 1))
    return path


def test_the_page_holds_the_whole_scene_and_loads_nothing(ply: Path, tmp_path: Path) -> None:
    write_portable(tmp_path / "scene.html", ply, START, threads=2)
    page = (tmp_path / "scene.html").read_text()
    [inside] = re.findall(r"data:application/octet-stream;base64,([A-Za-z0-9+/=]+)", page)
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(inside))) as sog:
        assert json.loads(sog.read("meta.json"))["count"] == COUNT
    assert re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?https?:[^>]*", page) == []
    positions = [json.loads(f"[{found}]") for found in re.findall(r'"position":\s*\[([-\d., ]+)\]', page)]
    assert viewer_settings(START)["cameras"][0]["initial"]["position"] in positions  # type: ignore[index]
    assert [path.name for path in tmp_path.iterdir()] == ["scene.html"]


def test_the_gltf_file_holds_every_gaussian(ply: Path, tmp_path: Path) -> None:
    write_portable(tmp_path / "scene.glb", ply, START, threads=2)
    data = (tmp_path / "scene.glb").read_bytes()
    magic, version, length, json_length, kind = struct.unpack("<4sII I4s", data[:20])
    assert (magic, version, length, kind) == (b"glTF", 2, len(data), b"JSON")
    document = json.loads(data[20 : 20 + json_length])
    assert "KHR_gaussian_splatting" in document["extensionsUsed"]
    [primitive] = [one for mesh in document["meshes"] for one in mesh["primitives"]]
    assert "KHR_gaussian_splatting" in primitive["extensions"]
    assert document["accessors"][primitive["attributes"]["POSITION"]]["count"] == COUNT


def test_the_page_begins_where_the_photo_was_taken() -> None:
    pose = viewer_settings(START)["cameras"][0]["initial"]  # type: ignore[index]
    # Its world has y up: above the origin is positive.
    assert pose["position"] == [0, 0.5, -2]
    assert pose["target"] == [0, 0.5, 0]
    assert pose["fov"] == pytest.approx(2 * np.degrees(np.arctan(150 / 400)))
