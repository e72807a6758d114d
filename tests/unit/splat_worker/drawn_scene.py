"""Draws photos of a known scene: a table and three boxes with random texture, by ray casting in numpy.
Its poses are the ground truth for structure from motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

BOXES = (((-0.55, -0.45), (0.5, 0.42), 0.5), ((0.25, -0.1), (0.42, 0.6), 0.32), ((-0.35, 0.4), (0.5, 0.3), 0.22))
"""(x, z of the corner), (width, depth), height; the table is y = 0 and up is -y."""
TABLE = 2.2
ALONE = 0.75
"""Half the side of the table, and of the smaller table that is cut out with the boxes."""
BEHIND = 205.0
METRES = 40.0


@dataclass(frozen=True)
class StillLife:
    """folder: photos 00.jpg ...; poses: (N, 4, 4) world to camera, OpenCV axes, up is -y; focal_px."""

    folder: Path
    names: tuple[str, ...]
    poses: np.ndarray
    focal_px: float
    width: int
    height: int

    @property
    def centres(self) -> np.ndarray:
        return -np.einsum("nij,ni->nj", self.poses[:, :3, :3], self.poses[:, :3, 3])


def orbit(
    count: int, *, radius: float = 2.6, up_deg: float = 32.0, arc_deg: float = 150.0, sway_deg: float = 7.0
) -> np.ndarray:
    """(N, 4, 4) level cameras on an arc around the origin, in turn `sway_deg` above and below its middle."""
    poses = []
    for i in range(count):
        azimuth = np.radians(-arc_deg / 2 + arc_deg * i / max(1, count - 1))
        height = np.radians(up_deg + 1 + (sway_deg if i % 2 else -sway_deg))
        centre = radius * np.array(
            [np.sin(azimuth) * np.cos(height), -np.sin(height), -np.cos(azimuth) * np.cos(height)]
        )
        poses.append(look_at(centre, np.array([0.0, -0.12, 0.0])))
    return np.stack(poses)


def look_at(centre: np.ndarray, target: np.ndarray) -> np.ndarray:
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross([0.0, 1.0, 0.0], forward)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation, -rotation @ centre
    return pose


def draw(folder: Path, *, count: int, width: int, height: int, alone: bool = False) -> StillLife:
    """alone: PNGs with an alpha channel, which cuts everything out but the boxes and their table; the pixels beyond are
    white. Their tags have positions: METRES to a unit, and z is north."""
    surfaces = textures()
    focal_px = 1.15 * width
    poses = orbit(count)
    names = []
    for i, pose in enumerate(poses):
        names.append(f"{i:02d}.{'png' if alone else 'jpg'}")
        drawn, cover = picture(pose, focal_px, (width, height), surfaces, table=ALONE if alone else TABLE)
        if alone:
            share = cover[..., None] / 255.0
            straight = (drawn - (1 - share) * BEHIND) / np.maximum(share, 1e-3)
            drawn = np.where(share > 0, straight, 255.0).clip(0, 255).astype(np.uint8)
            drawn = np.dstack([drawn, cover])
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = round(focal_px * 43.2666 / np.hypot(width, height))
        if alone:
            exif[Base.Model] = "drawn"  # without a tag of its own Pillow writes none of an Exif into a PNG
            x, _, z = METRES * (-pose[:3, :3].T @ pose[:3, 3])
            exif.get_ifd(IFD.GPSInfo).update(_gps(north=z, east=x))
        Image.fromarray(drawn).save(folder / names[-1], exif=exif, **({} if alone else {"quality": 92}))
    return StillLife(folder, tuple(names), poses, focal_px, width, height)


def _gps(*, north: float, east: float) -> dict[int, object]:
    """Tags of a place that many metres from 45 degrees north and 8 east; the radii of curvature are those there."""
    latitude, longitude = (
        45 + np.degrees(north / 6_367_382),
        8 + np.degrees(east / (6_388_838 * np.cos(np.radians(45)))),
    )
    return {
        GPS.GPSLatitudeRef: "N",
        GPS.GPSLatitude: (float(latitude), 0.0, 0.0),
        GPS.GPSLongitudeRef: "E",
        GPS.GPSLongitude: (float(longitude), 0.0, 0.0),
    }


def textures() -> list[np.ndarray]:
    """Of the table and of each box."""
    rng = np.random.default_rng(7)
    return [_texture(rng) for _ in range(1 + len(BOXES))]


def _texture(rng: np.random.Generator) -> np.ndarray:
    """(512, 512, 3) float: blotches of several sizes, so that features are found at every distance."""
    out = np.zeros((512, 512, 3))
    for cells, weight in ((8, 0.25), (32, 0.3), (96, 0.3), (200, 0.15)):
        coarse = Image.fromarray((rng.random((cells, cells, 3)) * 255).astype(np.uint8))
        out += weight * np.asarray(coarse.resize((512, 512), Image.Resampling.NEAREST), dtype=float)
    return out


def picture(
    pose: np.ndarray,
    focal_px: float,
    size: tuple[int, int],
    textures: list[np.ndarray],
    *,
    table: float = TABLE,
    samples: int = 2,
) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 with samples x samples per pixel, and (H, W) uint8 how much of a pixel shows anything."""
    width, height = size[0] * samples, size[1] * samples
    u, v = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    focal = samples * focal_px
    rays = np.stack([(u - width / 2) / focal, (v - height / 2) / focal, np.ones_like(u)], -1)
    rays = rays @ pose[:3, :3]
    origin = -pose[:3, :3].T @ pose[:3, 3]
    depth = np.full(u.shape, np.inf)
    colour = np.full((*u.shape, 3), BEHIND)
    faces = [(1, 0.0, (-table, -table), (table, table), textures[0], 1.0)]
    for (corner, extent, tall), texture in zip(BOXES, textures[1:], strict=True):
        x0, z0, x1, z1 = corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1]
        faces += [
            (1, -tall, (x0, z0), (x1, z1), texture, 1.0),
            *((0, x, (-tall, z0), (0.0, z1), texture, 0.8) for x in (x0, x1)),
            *((2, z, (x0, -tall), (x1, 0.0), texture, 0.65) for z in (z0, z1)),
        ]
    for axis, at, low, high, texture, shade in faces:
        others = [a for a in range(3) if a != axis]
        with np.errstate(divide="ignore", invalid="ignore"):
            t = (at - origin[axis]) / rays[..., axis]
        a, b = (origin[o] + t * rays[..., o] for o in others)
        hit = (t > 1e-6) & (t < depth) & (a >= low[0]) & (a <= high[0]) & (b >= low[1]) & (b <= high[1])
        depth[hit] = t[hit]
        i, j = ((w[hit] * 230).astype(int) % 512 for w in (a, b))
        colour[hit] = shade * texture[i, j]
    mean = colour.reshape(size[1], samples, size[0], samples, 3).mean(axis=(1, 3))
    cover = np.isfinite(depth).reshape(size[1], samples, size[0], samples).mean(axis=(1, 3))
    return mean.clip(0, 255).astype(np.uint8), np.rint(255 * cover).astype(np.uint8)
