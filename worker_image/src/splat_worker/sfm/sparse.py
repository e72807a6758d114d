"""The result of structure from motion as plain arrays: cameras, points and rejected photos.
Does not import pycolmap, so that a checkpoint can be read anywhere.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass

import numpy as np

from splat_worker.archive import read_arrays
from splat_worker.contract.job_report import Rejected
from splat_worker.scene import Float32, Float64, UInt8

ARRAYS = ("meta", "poses", "points", "colours", "tracks")
ARRAYS_BYTES_MAX = 1 << 30
"""A point takes 19 bytes: more than 50 million of them."""

Int32 = np.ndarray[tuple[int], np.dtype[np.int32]]


@dataclass(frozen=True, kw_only=True)
class SparseCamera:
    """A placed photo. world_to_camera: (4, 4) rigid, OpenCV axes; focal, cx, cy in px of (width, height);
    k1: radial distortion of COLMAP's SIMPLE_RADIAL; seen: number of observed points; gain: brightness of the photo
    over the scene's, gain_of_tags: as far as its tags alone say."""

    name: str
    world_to_camera: Float64
    width: int
    height: int
    focal_px: float
    cx: float
    cy: float
    k1: float
    seen: int
    gain: float = 1.0
    gain_of_tags: float = 1.0

    @property
    def centre(self) -> Float64:
        """(3,) position, world frame."""
        return -self.world_to_camera[:3, :3].T @ self.world_to_camera[:3, 3]


@dataclass(frozen=True, kw_only=True)
class SparseModel:
    """points: (P, 3) float32 world; colours: (P, 3) uint8 sRGB; tracks: (P,) number of photos that see a point;
    matching: how pairs were chosen; pairs: how many were compared; notes: what the owner of the photos should know
    about them."""

    cameras: tuple[SparseCamera, ...]
    points: Float32
    colours: UInt8
    tracks: Int32
    reprojection_error_px: float
    rung: str
    matching: str
    tried: dict[str, int]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()
    pairs: int | None = None

    def to_bytes(self) -> bytes:
        """As npz without pickles."""
        meta = {
            "cameras": [
                {key: value for key, value in asdict(camera).items() if key != "world_to_camera"}
                for camera in self.cameras
            ],
            "reprojection_error_px": self.reprojection_error_px,
            "rung": self.rung,
            "matching": self.matching,
            "pairs": self.pairs,
            "tried": self.tried,
            "rejected": [r.model_dump() for r in self.rejected],
            "notes": self.notes,
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            meta=np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8),
            poses=np.stack([c.world_to_camera for c in self.cameras]),
            points=self.points,
            colours=self.colours,
            tracks=self.tracks,
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> SparseModel:
        """Raises ValueError, KeyError, TypeError or zipfile.BadZipFile for anything that `to_bytes` did not write."""
        arrays = read_arrays(data, bytes_max=ARRAYS_BYTES_MAX, deflated=[f"{name}.npy" for name in ARRAYS])
        meta = json.loads(arrays["meta"].tobytes())
        cameras = tuple(
            SparseCamera(world_to_camera=pose, **camera)
            for pose, camera in zip(arrays["poses"], meta.pop("cameras"), strict=True)
        )
        rejected = tuple(Rejected(**r) for r in meta.pop("rejected"))
        notes = tuple(meta.pop("notes", ()))  # checkpoints of earlier versions have none
        return cls(
            cameras=cameras,
            points=arrays["points"],
            colours=arrays["colours"],
            tracks=arrays["tracks"],
            rejected=rejected,
            notes=notes,
            **meta,  # checkpoints of earlier versions have no pairs
        )
