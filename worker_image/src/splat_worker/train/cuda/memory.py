"""What training on a GPU needs of the card's memory, before anything is allocated: how many instances are left room
for. Pure; arena.py measures what is free, and holds the arrays that are counted here.
"""

from __future__ import annotations

from splat_worker.train.cuda import layout

_GAUSSIAN_BYTES = 4 * (
    3 * layout.ROWS + layout.STATS + 12 + 12 + 8
)  # parameters, two moments, statistics, splats, sums, order
_EDIT_BYTES = 4 * 2 * 3 * layout.ROWS  # an edit holds two more copies of a Gaussian's parameters and moments
_PIXEL_BYTES = 4 * (3 + 3 + 9 + 1)
_BUCKET_BYTES = 4 + 16 * layout.TILE_PX**2  # what the backward pass needs of each 32 instances of a tile
_TILE_BYTES = 4 * (2 + 3 + layout.TILE_PX**2) + _BUCKET_BYTES  # a tile's last bucket is seldom full
INSTANCE_BYTES = 4 * 4 + -(-_BUCKET_BYTES // layout.BUCKET) + 8  # keys and Gaussians, sorted and not; the sort's own
FREE_SHARE = 0.9  # of what is free: arrays that grow leave holes
RESERVE_BYTES = 1 << 30  # for the search for neighbours (neighbours.py)
INSTANCES_LIMIT = 1 << 30  # the kernels count in 32 bits
PER_GAUSSIAN_MIN = 16  # instances; with less room most of a usual picture would be left out


def fixed_bytes(*, gaussians: int, pixels: int, tiles: int) -> int:
    """Of a training run's arrays, without those for instances."""
    return gaussians * (_GAUSSIAN_BYTES + _EDIT_BYTES) + pixels * _PIXEL_BYTES + tiles * _TILE_BYTES


def instances_max(free_bytes: int | None, *, gaussians: int, pixels: int, tiles: int, photo_bytes: int = 0) -> int:
    """How many instances a step may sort at most; more Gaussians are left out of a picture instead.

    free_bytes: on the card before the arrays, None where memory is no limit; gaussians: the most that there will be;
    pixels, tiles: of the largest photo; photo_bytes: of photos that are still to be put on the card.
    Raises MemoryError where the card is too small for a usual picture.
    """
    if free_bytes is None:
        return INSTANCES_LIMIT
    left = FREE_SHARE * free_bytes - RESERVE_BYTES - photo_bytes
    left -= fixed_bytes(gaussians=gaussians, pixels=pixels, tiles=tiles)
    room = int(left) // INSTANCE_BYTES
    if room < PER_GAUSSIAN_MIN * gaussians:
        raise MemoryError(f"{free_bytes >> 20} MiB on the GPU are too few for {gaussians} Gaussians")
    return min(room, INSTANCES_LIMIT)
