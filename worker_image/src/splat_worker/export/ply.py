"""Reads and writes PLY: Gaussians in the layout of the original 3D Gaussian splatting, which every viewer reads.
Converts no axes: a scene is already in its final frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from plyfile import PlyData

from splat_worker.scene import Float32, Gaussians, UInt8


def write_ply(path: Path, gaussians: Gaussians) -> None:
    """Binary little-endian float32: x y z, unused normals, f_dc, f_rest (all of red, then green, then blue),
    opacity (logit), scale (log), rot (w x y z, normalised)."""
    n, rows = len(gaussians), gaussians.sh.shape[1]
    rest = gaussians.sh[:, 1:].transpose(0, 2, 1).reshape(n, 3 * (rows - 1))
    quats = gaussians.quats / np.linalg.norm(gaussians.quats, axis=1, keepdims=True).clip(1e-12)
    table = np.concatenate(
        [
            gaussians.means,
            np.zeros((n, 3), np.float32),
            gaussians.sh[:, 0],
            rest,
            gaussians.opacity_logits[:, None],
            gaussians.log_scales,
            quats,
        ],
        axis=1,
    ).astype("<f4")
    if not np.isfinite(table).all():
        raise ValueError("the scene contains NaN or infinite values and was not written")
    names = _names(3 * (rows - 1))
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {n}"]
    header += [f"property float {name}" for name in names] + ["end_header", ""]
    with path.open("wb") as file:
        file.write("\n".join(header).encode("ascii"))
        file.write(table.tobytes())


def read_ply(path: Path) -> Gaussians:
    """Read the layout of any writer: columns by name, in any order."""
    vertex = PlyData.read(path)["vertex"]
    columns = {p.name for p in vertex.properties}
    rest_count = sum(name.startswith("f_rest_") for name in columns)

    def stack(*names: str) -> np.ndarray:
        return np.stack([np.asarray(vertex[name], dtype=np.float32) for name in names], axis=1)

    n = vertex.count
    sh = stack("f_dc_0", "f_dc_1", "f_dc_2")[:, None, :]
    if rest_count:
        rest = stack(*(f"f_rest_{i}" for i in range(rest_count)))
        sh = np.concatenate([sh, rest.reshape(n, 3, rest_count // 3).transpose(0, 2, 1)], axis=1)
    return Gaussians(
        means=stack("x", "y", "z"),
        log_scales=stack("scale_0", "scale_1", "scale_2"),
        quats=stack("rot_0", "rot_1", "rot_2", "rot_3"),
        opacity_logits=np.asarray(vertex["opacity"], dtype=np.float32),
        sh=np.ascontiguousarray(sh),
    )


def points_ply(points: Float32, colours: UInt8) -> bytes:
    """A cloud of coloured points as binary PLY: x y z float32, red green blue uint8. points, colours: (P, 3)."""
    layout = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")])
    table = np.empty(len(points), layout)
    for axis, (place, colour) in enumerate((("x", "red"), ("y", "green"), ("z", "blue"))):
        table[place], table[colour] = points[:, axis], colours[:, axis]
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    header += [f"property float {name}" for name in ("x", "y", "z")]
    header += [f"property uchar {name}" for name in ("red", "green", "blue")]
    return "\n".join([*header, "end_header", ""]).encode("ascii") + table.tobytes()


def _names(rest_count: int) -> list[str]:
    return [
        *("x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"),
        *(f"f_rest_{i}" for i in range(rest_count)),
        *("opacity", "scale_0", "scale_1", "scale_2", "rot_0", "rot_1", "rot_2", "rot_3"),
    ]
