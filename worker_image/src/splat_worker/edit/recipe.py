"""Applies an edit's recipe (contract/edit.py) to a scene: Gaussians, and the cameras beside them. Pure."""

from __future__ import annotations

from splat_worker.contract.edit import BoxCrop, Crop, Edit
from splat_worker.edit.crop import Box, Shape, Sphere, crop
from splat_worker.edit.floaters import without_floaters
from splat_worker.edit.turn import turned, upright
from splat_worker.errors import Code, JobError
from splat_worker.scene import Gaussians


def apply_edit(gaussians: Gaussians, edit: Edit) -> Gaussians:
    """Floaters first, as they are found in the whole scene; then the crops in their order; then up, which turns the
    scene. Raises BAD_INPUT if nothing is left."""
    kept = gaussians
    if edit.floaters is not None:
        kept = without_floaters(kept, strength=edit.floaters.strength, reach=edit.floaters.reach)
    for number, one in enumerate(edit.crops):
        kept = crop(kept, shape_of(one), soft=one.soft, outside=one.keep == "outside")
        if len(kept) == 0:
            raise JobError(
                Code.BAD_INPUT,
                f"edit.crops.{number}: nothing of the scene is left.",
                hint="Undo this crop, or make it larger.",
            )
    return kept if edit.up is None else turned(kept, upright(edit.up))


def shape_of(one: Crop) -> Shape:
    if isinstance(one, BoxCrop):
        return Box(centre=one.centre, half=one.half, quat=one.quat)
    return Sphere(centre=one.centre, radius=one.radius)
