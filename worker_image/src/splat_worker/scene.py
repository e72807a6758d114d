"""The shapes that stages hand to each other: posed photos going into training, Gaussians coming out.
Never imports torch or pycolmap; holds arrays and their rules, no algorithm.

Axes everywhere: OpenCV cameras (x right, y down, z forward); pixel centres at .5, so that the photo spans
[0, width] x [0, height]; quaternions (w, x, y, z).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

SH_DEGREE_MAX = 3


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera. world_to_camera: (4, 4) rigid; k: (3, 3) px; width, height: px."""

    world_to_camera: Float64
    k: Float64
    width: int
    height: int

    def __post_init__(self) -> None:
        _want("camera.world_to_camera", self.world_to_camera, (4, 4))
        _want("camera.k", self.k, (3, 3))
        if self.width < 1 or self.height < 1:
            raise ValueError(f"camera is {self.width}x{self.height} px, at least 1x1 is needed")

    @cached_property
    def centre(self) -> Float64:
        """(3,) position of the camera, world frame."""
        return -self.world_to_camera[:3, :3].T @ self.world_to_camera[:3, 3]

    def scaled(self, width: int, height: int) -> Camera:
        """The same view at another size in px (a resized photo: pixel edges stay, hence no half-pixel shift)."""
        sx, sy = width / self.width, height / self.height
        k = np.diag([sx, sy, 1.0]) @ self.k
        return Camera(world_to_camera=self.world_to_camera, k=k, width=width, height=height)


@dataclass(frozen=True, kw_only=True)
class View:
    """One undistorted photo with its pose.

    image: (H, W, 3) uint8; world_to_camera: (4, 4) float64 rigid; k: (3, 3) float64 pinhole, px;
    mask: (H, W) bool, true where the pixel may be trained on, or None for all of them. cover: (H, W) uint8, how much of
    a pixel the subject covers in a photo that shows it in front of nothing, or None; the image is then over black.
    gain: brightness of the photo over the scene's; gain_of_tags: the same, known from the photo's tags alone.
    """

    name: str
    image: UInt8
    world_to_camera: Float64
    k: Float64
    mask: Bool | None = None
    cover: UInt8 | None = None
    gain: float = 1.0
    gain_of_tags: float = 1.0

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(
                f"view {self.name}: image is {self.image.dtype} {self.image.shape}, uint8 (H, W, 3) is needed"
            )
        for what, plane in (("mask", self.mask), ("cover", self.cover)):
            if plane is not None and plane.shape != self.image.shape[:2]:
                raise ValueError(f"view {self.name}: {what} is {plane.shape}, image {self.image.shape[:2]}")
        _want(f"view {self.name}: world_to_camera", self.world_to_camera, (4, 4))
        _want(f"view {self.name}: k", self.k, (3, 3))

    @property
    def counts(self) -> Bool | None:
        """(H, W) where a picture is compared with this photo, or None for everywhere."""
        inside = None if self.cover is None else self.cover > 127
        if self.mask is None or inside is None:
            return inside if self.mask is None else self.mask
        return self.mask & inside

    @property
    def camera(self) -> Camera:
        height, width = self.image.shape[:2]
        return Camera(world_to_camera=self.world_to_camera, k=self.k, width=width, height=height)


@dataclass(frozen=True, kw_only=True)
class PosedPhotos:
    """What training starts from: views and a sparse cloud in the final frame (centred, upright, scaled).

    points: (P, 3) float32, scene units; point_colours: (P, 3) uint8 sRGB.
    """

    views: tuple[View, ...]
    points: Float32
    point_colours: UInt8

    def __post_init__(self) -> None:
        _want("points", self.points, (len(self.points), 3))
        _want("point_colours", self.point_colours, (len(self.points), 3))
        names = [view.name for view in self.views]
        if len(set(names)) != len(names):
            raise ValueError("two views have the same name; held-out photos are chosen by name")

    @property
    def cut_out(self) -> bool:
        """Whether the photos show the subject in front of nothing, so that a scene has nothing around it."""
        return bool(self.views) and all(view.cover is not None for view in self.views)


@dataclass(frozen=True, kw_only=True)
class Gaussians:
    """A scene in the standard parametrisation of 3D Gaussian splatting, float32.

    means: (N, 3) scene units; log_scales: (N, 3) natural log of scene units; quats: (N, 4) w, x, y, z, not
    necessarily normalised; opacity_logits: (N,); sh: (N, K, 3), K = (degree + 1)^2, the first row is the
    constant term: colour = 0.5 + 0.2820948 * sh[:, 0] + ...
    """

    means: Float32
    log_scales: Float32
    quats: Float32
    opacity_logits: Float32
    sh: Float32

    def __post_init__(self) -> None:
        n = len(self.means)
        _want("means", self.means, (n, 3))
        _want("log_scales", self.log_scales, (n, 3))
        _want("quats", self.quats, (n, 4))
        _want("opacity_logits", self.opacity_logits, (n,))
        if self.sh.ndim != 3 or self.sh.shape[1] not in SH_ROWS:
            raise ValueError(f"sh is {self.sh.shape}, (N, K, 3) with K in {SH_ROWS} is needed")
        _want("sh", self.sh, (n, self.sh.shape[1], 3))

    def __len__(self) -> int:
        return len(self.means)

    @property
    def sh_degree(self) -> int:
        return SH_ROWS.index(self.sh.shape[1])

    def select(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Gaussians:
        """The Gaussians that `keep` (mask or indices) names, in that order."""
        return Gaussians(
            means=self.means[keep],
            log_scales=self.log_scales[keep],
            quats=self.quats[keep],
            opacity_logits=self.opacity_logits[keep],
            sh=self.sh[keep],
        )


SH_ROWS = tuple((degree + 1) ** 2 for degree in range(SH_DEGREE_MAX + 1))


def _want(what: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{what} is {array.shape}, {shape} is needed")
