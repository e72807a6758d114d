"""The verified matches of a database as flat arrays on a torch device.
Reads a COLMAP database and changes none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pycolmap
import torch
from torch import Tensor

MATCHES_MIN = 15
"""Pairs with fewer verified matches are skipped; COLMAP's own minimum for a pair."""


@dataclass(frozen=True, kw_only=True)
class Matches:
    """N photos, G lenses, E pairs, M matches, K keypoints of all photos in a row.

    image_ids: of the database, in the order of names; lens: (N,) row of the photo's lens; camera_ids: of the lenses;
    lenses: (G, 4) focal length, middle x and y in px, and k1 of COLMAP's SIMPLE_RADIAL; sides_px: (G,) longer side;
    tagged: (G,) the focal length comes from tags. keypoints: (K, 2) px; first_keypoint: (N + 1,) where each photo's
    begin. pairs: (E, 2) photos; counts: (E,) matches of each; matches: (M, 2) rows of keypoints, pair by pair.
    essential, fundamental, homography: (E, 3, 3) of COLMAP, zero where it found none.
    """

    names: tuple[str, ...]
    image_ids: tuple[int, ...]
    camera_ids: tuple[int, ...]
    lens: Tensor
    lenses: Tensor
    sides_px: Tensor
    tagged: Tensor
    keypoints: Tensor
    first_keypoint: Tensor
    pairs: Tensor
    counts: Tensor
    matches: Tensor
    essential: Tensor
    fundamental: Tensor
    homography: Tensor

    @property
    def photo_of_keypoint(self) -> Tensor:
        """(K,)"""
        sizes = self.first_keypoint.diff()
        return torch.repeat_interleave(torch.arange(len(sizes), device=sizes.device), sizes)

    @property
    def pair_of_match(self) -> Tensor:
        """(M,)"""
        return torch.repeat_interleave(torch.arange(len(self.counts), device=self.counts.device), self.counts)


def read_matches(database: Path, device: str) -> Matches:
    """All pairs with at least MATCHES_MIN verified matches, in the order of the photos' names."""
    with pycolmap.Database.open(database) as db:
        images = sorted(db.read_all_images(), key=lambda image: image.name)
        cameras = sorted(db.read_all_cameras(), key=lambda camera: camera.camera_id)
        pixels = [np.asarray(db.read_keypoints(image.image_id), dtype=np.float64)[:, :2] for image in images]
        pair_ids, geometries = db.read_two_view_geometries()
    row = {image.image_id: number for number, image in enumerate(images)}
    lens_row = {camera.camera_id: number for number, camera in enumerate(cameras)}
    first = np.concatenate([[0], np.cumsum([len(one) for one in pixels])])
    found = []
    for pair_id, geometry in zip(pair_ids, geometries, strict=True):
        matches = np.asarray(geometry.inlier_matches).astype(np.int64)
        if len(matches) >= MATCHES_MIN:
            a, b = (row[image_id] for image_id in pycolmap.pair_id_to_image_pair(pair_id))
            found.append((a, b, matches + first[[a, b]], geometry))
    found.sort(key=lambda pair: pair[:2])

    def tensor(values: object, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=dtype).to(device)

    def matrices(name: str) -> Tensor:
        every = [getattr(geometry, name) for *_, geometry in found]
        return tensor([np.zeros((3, 3)) if one is None else one for one in every]).reshape(-1, 3, 3)

    whole = torch.int64
    return Matches(
        names=tuple(image.name for image in images),
        image_ids=tuple(image.image_id for image in images),
        camera_ids=tuple(camera.camera_id for camera in cameras),
        lens=tensor([lens_row[image.camera_id] for image in images], whole),
        lenses=tensor([camera.params for camera in cameras]).reshape(-1, 4),
        sides_px=tensor([max(camera.width, camera.height) for camera in cameras]),
        tagged=tensor([camera.has_prior_focal_length for camera in cameras], torch.bool),
        keypoints=tensor(np.concatenate([np.zeros((0, 2)), *pixels])),
        first_keypoint=tensor(first, whole),
        pairs=tensor([pair[:2] for pair in found], whole).reshape(-1, 2),
        counts=tensor([len(pair[2]) for pair in found], whole),
        matches=tensor(np.concatenate([pair[2] for pair in found]) if found else [], whole).reshape(-1, 2),
        essential=matrices("E"),
        fundamental=matrices("F"),
        homography=matrices("H"),
    )


def rays_of(pixels: Tensor, lenses: Tensor) -> Tensor:
    """(N, 3) undistorted rays with third coordinate 1 of pixels (N, 2). lenses: (N, 4)."""
    bent = (pixels - lenses[:, 1:3]) / lenses[:, :1]
    flat = bent
    for _ in range(8):  # fixed point of r (1 + k1 r^2); distortion of photos is far inside where it converges
        flat = bent / (1 + lenses[:, 3:] * (flat**2).sum(1, keepdim=True)).clamp(min=0.2)
    return torch.cat([flat, torch.ones_like(flat[:, :1])], 1)
