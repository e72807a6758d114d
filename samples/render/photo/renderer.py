"""The only module that uses Mitsuba: parts, lamps and views in, linear light and ray hits out.

Writes meshes to a scratch folder of its caller; decides nothing about looks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mitsuba as mi
import numpy as np

from samples.render.cameras import F_NUMBER, FOCAL_MM, Intrinsics, View
from samples.render.paint.noise import Array
from samples.render.photo.denoise import Guides
from samples.render.things.meshes import Mesh
from samples.render.things.parts import Finish, Lamp, Part

SKY_RADIANCE = (0.62, 0.64, 0.66)
"""The pale ceiling that fills the shadows; never seen by a camera, only by surfaces."""
MAX_BOUNCES = 6


def write_ply(path: Path, mesh: Mesh) -> None:
    """Binary PLY with normals and texture coordinates, as Mitsuba's `ply` shape reads it."""
    columns = np.concatenate([mesh.points, mesh.normals, mesh.uv], axis=1).astype("<f4")
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("index", "<i4", (3,))])
    faces["count"], faces["index"] = 3, mesh.faces
    properties = "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz", "u", "v"))
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(columns)}\n{properties}"
        f"element face {len(faces)}\nproperty list uchar int vertex_index\nend_header\n"
    )
    path.write_bytes(header.encode() + columns.tobytes() + faces.tobytes())


def _texture(image: Array) -> dict[str, Any]:
    pixels = np.ascontiguousarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))
    return {"type": "bitmap", "bitmap": mi.Bitmap(pixels), "filter_type": "bilinear", "wrap_mode": "repeat"}


def _bsdf(part: Part) -> dict[str, Any]:
    paint = _texture(part.texture)
    if part.finish is Finish.METAL:
        inner: dict[str, Any] = {
            "type": "roughconductor",
            "material": "none",
            "distribution": "ggx",
            "alpha": part.roughness,
            "specular_reflectance": paint,
        }
    elif part.finish is Finish.GLAZED:
        inner = {
            "type": "roughplastic",
            "distribution": "ggx",
            "alpha": part.roughness,
            "diffuse_reflectance": paint,
            "nonlinear": True,
        }
    else:
        inner = {"type": "diffuse", "reflectance": paint}
    if part.bump:
        grey = part.texture.mean(axis=-1, keepdims=True).astype(np.float32)
        relief = {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(grey)), "raw": True}
        inner = {"type": "bumpmap", "arbitrary": relief, "scale": part.bump, "nested": inner}
    return {"type": "twosided", "nested": inner}


def build(parts: list[Part], lamps: list[Lamp], scratch: Path) -> Any:
    """Load everything into one Mitsuba scene."""
    scene: dict[str, Any] = {
        "type": "scene",
        "sky": {"type": "constant", "radiance": {"type": "rgb", "value": list(SKY_RADIANCE)}},
    }
    for part in parts:
        file = scratch / f"{part.name}.ply"
        write_ply(file, part.mesh)
        scene[part.name] = {"type": "ply", "filename": str(file), "bsdf": _bsdf(part)}
    for lamp in lamps:
        u, v = np.asarray(lamp.half_u, float), np.asarray(lamp.half_v, float)
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 3] = u, v, lamp.centre
        normal = np.cross(u, v)
        matrix[:3, 2] = normal / np.linalg.norm(normal)
        scene[lamp.name] = {
            "type": "rectangle",
            "to_world": mi.ScalarTransform4f(matrix),
            "emitter": {"type": "area", "radiance": {"type": "rgb", "value": list(lamp.radiance)}},
        }
    return mi.load_dict(scene)


def sensor(view: View, intrinsics: Intrinsics, samples: int, seed: int) -> Any:
    """A Mitsuba camera for this view: OpenCV axes turned to Mitsuba's (x left, y up, z forward)."""
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    return mi.load_dict(
        {
            "type": "thinlens",
            "to_world": mi.ScalarTransform4f(view.camera_to_world @ flip),
            "fov_axis": "x",
            "fov": float(np.degrees(2 * np.arctan(intrinsics.width_px / 2 / intrinsics.focal_px))),
            "aperture_radius": FOCAL_MM / F_NUMBER / 2 / 1000,
            "focus_distance": view.focus_m,
            "near_clip": 0.05,
            "far_clip": 20.0,
            "film": {
                "type": "hdrfilm",
                "width": intrinsics.width_px,
                "height": intrinsics.height_px,
                "pixel_format": "rgb",
                "rfilter": {"type": "box"},
            },
            "sampler": {"type": "independent", "sample_count": samples, "seed": seed},
        }
    )


def light(scene: Any, view: View, intrinsics: Intrinsics, *, samples: int, seed: int) -> Array:
    """Render one view: linear RGB (H, W, 3)."""
    camera = sensor(view, intrinsics, samples, seed)
    tracer = mi.load_dict({"type": "path", "max_depth": MAX_BOUNCES + 1, "rr_depth": 4})
    return np.array(mi.render(scene, sensor=camera, integrator=tracer, spp=samples, seed=seed), np.float32)


def guides(scene: Any, view: View, intrinsics: Intrinsics, *, samples: int, seed: int) -> Guides:
    """What the denoiser may follow: paint, normals and distance of the first surface.

    A pass of its own: nesting the path tracer in the aov integrator was measured 1.6 times slower than both.
    """
    camera = sensor(view, intrinsics, samples, seed)
    probe = mi.load_dict({"type": "aov", "aovs": "albedo:albedo,normal:sh_normal,distance:depth"})
    image = np.array(mi.render(scene, sensor=camera, integrator=probe, spp=samples, seed=seed), np.float32)
    if image.shape[-1] != 7:
        raise RuntimeError(f"the aov integrator gave {image.shape[-1]} channels, expected 7: check its version")
    return Guides(albedo=image[..., :3], normal=image[..., 3:6], distance=image[..., 6])


def hits(scene: Any, view: View, intrinsics: Intrinsics, pixels: Array) -> tuple[Array, list[str]]:
    """What the centre of the lens sees at pixel positions (N, 2): points (N, 3) in the world, part names.

    The ray is Mitsuba's own, so the points test our camera matrices rather than repeat them.
    A ray that leaves the room gives not-a-number and an empty name.
    """
    camera = sensor(view, intrinsics, 1, 0)
    points, names = [], []
    for x, y in pixels:
        at = mi.Point2f(x / intrinsics.width_px, y / intrinsics.height_px)
        ray, _ = camera.sample_ray(0.0, 0.5, at, mi.Point2f(0.5, 0.5))
        hit = scene.ray_intersect(ray)
        found = bool(hit.is_valid())
        points.append(np.array(hit.p, float).reshape(3) if found else np.full(3, np.nan))
        names.append(hit.shape.id() if found else "")
    return np.array(points), names
