"""Large photo sets with known cameras, drawn from textured boxes: a field flown over, a street, a hall.

    python -m bench.gpu.drawn_sets field|street|hall PHOTOS OUT_DIR [--width 1000]

Writes photos with a focal length (and, for the field, GPS positions), and OUT_DIR.json with each photo's camera
centre in metres, z up. The same arguments give the same photos. Uses the GPU if torch has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from bench.record import arguments, write

FOCAL_35MM = 28
SAMPLES = ((0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75))
SKY, GROUND = (0.62, 0.74, 0.90), (0.42, 0.40, 0.30)
SUN = (0.36, 0.48, 0.80)
OCTAVES = 6
GPS_NOISE_M = 1.0
DEGREE_M = 111_320.0
LATITUDE, LONGITUDE = 47.0, 8.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """low, high: corners in m. colour: mean colour, 0 to 1. room: seen from inside."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]
    colour: tuple[float, float, float]
    room: bool = False


@dataclass(frozen=True, kw_only=True)
class Pose:
    """centre in m; toward: the point in the middle of the picture. Looking straight down, y is up in the picture."""

    centre: tuple[float, float, float]
    toward: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    boxes: tuple[Box, ...]
    poses: tuple[Pose, ...]
    gps: bool = False


def field(count: int) -> Scene:
    """Barns, walls and bales, flown over in lanes at 40 m; photos overlap by about 75 %."""
    draw = np.random.default_rng(1)
    lanes = max(2, round(np.sqrt(count / 1.6)))
    columns = -(-count // lanes)
    step_m = 10.0
    width, height = columns * step_m, lanes * step_m
    boxes = [Box(low=(-500, -500, -1), high=(500, 500, 0), colour=GROUND)]
    for _ in range(round(width * height / 120)):
        x, y = draw.uniform(-20, width + 20), draw.uniform(-20, height + 20)
        a, b, h = draw.uniform(1, 7), draw.uniform(1, 7), draw.uniform(0.5, 6)
        boxes.append(Box(low=(x, y, 0), high=(x + a, y + b, h), colour=tuple(draw.uniform(0.2, 0.8, 3))))
    poses = []
    for i in range(count):
        lane, at = divmod(i, columns)
        x = (at if lane % 2 == 0 else columns - 1 - at) * step_m + draw.normal(0, 0.7)
        y = lane * step_m + draw.normal(0, 0.7)
        lean = draw.normal(0, 3, 2)
        poses.append(Pose(centre=(x, y, 40 + draw.normal(0, 0.7)), toward=(x + lean[0], y + lean[1], 0)))
    return Scene(boxes=tuple(boxes), poses=tuple(poses), gps=True)


def street(count: int) -> Scene:
    """Two rows of houses, walked along on both pavements with the camera half turned to the other side."""
    draw = np.random.default_rng(2)
    length = max(12.0, count * 0.35)
    boxes = [Box(low=(-500, -500, -1), high=(500, 500, 0), colour=(0.35, 0.34, 0.33))]
    for side in (-1, 1):
        x = -15.0
        while x < length + 15:
            width, deep = draw.uniform(5, 9), draw.uniform(0, 1.2)
            near, far = side * (5.5 + deep), side * 14.0
            high = draw.uniform(6, 12)
            boxes.append(
                Box(
                    low=(x, min(near, far), 0),
                    high=(x + width, max(near, far), high),
                    colour=tuple(draw.uniform(0.3, 0.8, 3)),
                )
            )
            door, out = x + width / 2, near - side * 0.3
            boxes.append(
                Box(
                    low=(door - 0.6, min(near, out), 0),
                    high=(door + 0.6, max(near, out), 2.4),
                    colour=tuple(draw.uniform(0.1, 0.6, 3)),
                )
            )
            x += width
    poses = []
    for i in range(count):
        back = i >= count // 2
        along = (count - 1 - i if back else i) / (count / 2) * length
        side = 1.0 if back else -1.0
        ahead = -4.0 if back else 4.0
        centre = (along, side * 3.5 + draw.normal(0, 0.15), 1.7 + draw.normal(0, 0.05))
        poses.append(Pose(centre=centre, toward=(along + ahead, -side * 6.0, 2.6 + draw.normal(0, 0.3))))
    return Scene(boxes=tuple(boxes), poses=tuple(poses))


def hall(count: int) -> Scene:
    """A room with pillars and crates, walked around inside with the camera to the middle, in two rounds."""
    draw = np.random.default_rng(3)
    boxes = [Box(low=(-11, -8, 0), high=(11, 8, 6), colour=(0.6, 0.55, 0.5), room=True)]
    for x in (-6.0, 0.0, 6.0):
        for y in (-3.0, 3.0):
            boxes.append(
                Box(low=(x - 0.3, y - 0.3, 0), high=(x + 0.3, y + 0.3, 6), colour=tuple(draw.uniform(0.3, 0.8, 3)))
            )
    for _ in range(24):
        x, y = draw.uniform(-7, 7), draw.uniform(-4, 4)
        a, b, h = draw.uniform(0.5, 1.6, 3)
        boxes.append(Box(low=(x, y, 0), high=(x + a, y + b, h), colour=tuple(draw.uniform(0.2, 0.8, 3))))
    poses = []
    for i in range(count):
        turn = 2 * np.pi * 2 * i / count
        high = 1.5 if i < count / 2 else 2.3
        centre = (9.3 * np.cos(turn), 6.4 * np.sin(turn), high + draw.normal(0, 0.05))
        toward = (2.5 * np.cos(turn + 2.6), 1.5 * np.sin(turn + 2.6), 1.4 + draw.normal(0, 0.2))
        poses.append(Pose(centre=centre, toward=toward))
    return Scene(boxes=tuple(boxes), poses=tuple(poses))


SCENES: dict[str, Callable[[int], Scene]] = {"field": field, "street": street, "hall": hall}


def axes_of(pose: Pose) -> np.ndarray:
    """Camera to world, (3, 3): columns x right, y down, z forward."""
    forward = np.subtract(pose.toward, pose.centre)
    forward = forward / np.linalg.norm(forward)
    up = np.array([0.0, 1.0, 0.0]) if abs(forward[2]) > 0.9 else np.array([0.0, 0.0, 1.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def noise(u: torch.Tensor, v: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
    """Value noise of a lattice with spacing 1, 0 to 1, smooth between its points. u, v: (N,); seed: (N,) integers."""
    x, y = torch.floor(u), torch.floor(v)
    fx, fy = (part * part * (3 - 2 * part) for part in (u - x, v - y))
    x, y = x.long(), y.long()

    def at(dx: int, dy: int) -> torch.Tensor:
        n = (x + dx) * 374_761_393 + (y + dy) * 668_265_263 + seed * 2_147_483_647
        n = ((n ^ (n >> 13)) * 1_274_126_177) & 0x7FFF_FFFF
        return ((n ^ (n >> 16)) & 0xFFFF).float() / 0xFFFF

    near = at(0, 0) * (1 - fx) + at(1, 0) * fx
    return near * (1 - fy) + (at(0, 1) * (1 - fx) + at(1, 1) * fx) * fy


def shaded(points: torch.Tensor, axis: torch.Tensor, sign: torch.Tensor, colours: torch.Tensor, which: torch.Tensor):
    """Colours (N, 3) of hit points (N, 3) on faces across `axis`: noise of several sizes, and light from one side."""
    u = torch.where(axis == 0, points[:, 1], points[:, 0])
    v = torch.where(axis == 2, points[:, 1], points[:, 2])
    seed = which * 6 + axis * 2 + (sign > 0)
    value = torch.zeros_like(u)
    for octave in range(OCTAVES):
        value += noise(u * 2**octave * 0.7, v * 2**octave * 0.7, seed + 1000 * octave) * 0.72**octave
    value = (value / sum(0.72**octave for octave in range(OCTAVES)) - 0.5) * 2.6 + 0.5
    tint = noise(u * 0.9, v * 0.9, seed + 77)[:, None] * torch.tensor([0.2, 0.0, -0.2], device=u.device)
    sun = torch.tensor(SUN, device=u.device)[axis] * sign
    return ((colours[which] + tint) * (0.25 + 1.3 * value[:, None]) * (0.65 + 0.35 * sun[:, None])).clamp(0, 1)


def picture(scene: Scene, pose: Pose, width: int, device: str) -> np.ndarray:
    """One photo, (height, width, 3) uint8."""
    height, focal = width * 3 // 4, width * FOCAL_35MM / 36
    low, high, colours = (
        torch.tensor([getattr(box, name) for box in scene.boxes], device=device, dtype=torch.float32)
        for name in ("low", "high", "colour")
    )
    axes = torch.tensor(axes_of(pose), device=device, dtype=torch.float32)
    centre = torch.tensor(pose.centre, device=device, dtype=torch.float32)
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    x = torch.cat([((columns + dx - width / 2) / focal).flatten() for dx, _ in SAMPLES]).to(device)
    y = torch.cat([((rows + dy - height / 2) / focal).flatten() for _, dy in SAMPLES]).to(device)
    rays = torch.stack([x, y, torch.ones_like(x)], 1) @ axes.T
    rays = torch.where(rays.abs() < 1e-9, 1e-9, rays)
    best = torch.full_like(x, torch.inf)
    which, axis = torch.full_like(x, -1, dtype=torch.long), torch.zeros_like(x, dtype=torch.long)
    for number, box in enumerate(scene.boxes):
        a, b = (low[number] - centre) / rays, (high[number] - centre) / rays
        near, enters = torch.minimum(a, b).max(1)
        far, leaves = torch.maximum(a, b).min(1)
        depth, face = (far, leaves) if box.room else (near, enters)
        hit = (far > near) & (depth > 0) & (depth < best)
        best, axis = torch.where(hit, depth, best), torch.where(hit, face, axis)
        which = torch.where(hit, number, which)
    seen = which >= 0
    colour = torch.tensor(SKY, device=device).expand(len(x), 3).clone()
    points = centre + rays[seen] * best[seen, None]
    sign = -torch.sign(rays[seen].gather(1, axis[seen, None]).squeeze(1))
    colour[seen] = shaded(points, axis[seen], sign, colours, which[seen])
    return (colour.reshape(len(SAMPLES), height, width, 3).mean(0) * 255).round().byte().cpu().numpy()


def exif_of(position: tuple[float, float, float] | None) -> Image.Exif:
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA405: FOCAL_35MM, 0x920A: float(FOCAL_35MM)})
    if position is not None:
        east, north, up = position
        latitude = LATITUDE + north / DEGREE_M
        longitude = LONGITUDE + east / (DEGREE_M * np.cos(np.radians(LATITUDE)))
        gps = {1: "N", 2: _sexagesimal(latitude), 3: "E", 4: _sexagesimal(longitude), 5: b"\0", 6: float(up)}
        exif.get_ifd(0x8825).update(gps)
    return exif


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole, rest = divmod(degrees, 1)
    minutes, rest = divmod(rest * 60, 1)
    return whole, minutes, round(rest * 60, 6)


def draw(scene: Scene, out: Path, width: int) -> Iterator[Path]:
    """Writes the photos and their true centres; yields each photo."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    jitter = np.random.default_rng(4)
    out.mkdir(parents=True, exist_ok=True)
    for number, pose in enumerate(scene.poses):
        position = tuple(np.add(pose.centre, jitter.normal(0, GPS_NOISE_M, 3))) if scene.gps else None
        path = out / f"{number:04}.jpg"
        Image.fromarray(picture(scene, pose, width, device)).save(path, quality=90, exif=exif_of(position))
        yield path
    centres = {f"{number:04}.jpg": list(map(float, pose.centre)) for number, pose in enumerate(scene.poses)}
    write(out.with_suffix(".json"), centres)


def centre_errors(found: dict[str, list[float]], truth: Path) -> dict[str, float]:
    """Errors of camera centres after the best similarity, in % of the true centres' extent: median and largest."""
    known = json.loads(truth.read_text())
    a = np.array([found[name] for name in sorted(found)])
    b = np.array([known[name] for name in sorted(found)])
    a0, b0 = a - a.mean(0), b - b.mean(0)
    u, s, vt = np.linalg.svd(b0.T @ a0)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    scale = (s * np.diag(flip)).sum() / (a0**2).sum()
    errors = np.linalg.norm(b0 - scale * a0 @ (u @ flip @ vt).T, axis=1)
    percent = 100 * errors / np.linalg.norm(b0.max(0) - b0.min(0))
    return {"median_percent": round(float(np.median(percent)), 3), "max_percent": round(float(percent.max()), 3)}


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("photos", type=int)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1000)
    options = parser.parse_args()
    for _ in draw(SCENES[options.scene](options.photos), options.out, options.width):
        pass


if __name__ == "__main__":
    main()
