"""The labels of an image (CUDA version and GPU architectures), and whether a stack's settings fit them.
Pure, except that it reads the Dockerfile of a folder; no registry, no Pulumi."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CUDA_LABEL = "splat.cuda"
ARCHITECTURES_LABEL = "splat.architectures"
# Words of a card's usual name, and its compute capability times ten. The first match counts.
# NVIDIA, "CUDA GPU compute capability", read 2026-11.
_CAPABILITIES: tuple[tuple[frozenset[str], int], ...] = tuple(
    (frozenset(words.split()), capability)
    for words, capability in (
        ("b300", 103), ("b200", 100), ("rtx pro", 120), ("5090", 120), ("5080", 120), ("h200", 90), ("h100", 90),
        ("gh200", 90), ("4090", 89), ("4080", 89), ("4070", 89), ("ada", 89), ("l4", 89), ("l40", 89), ("l40s", 89),
        ("a100", 80), ("a30", 80), ("3090", 86), ("3080", 86), ("3070", 86), ("a40", 86), ("a2000", 86),
        ("a4000", 86), ("a4500", 86), ("a5000", 86), ("a6000", 86), ("t4", 75), ("v100", 70),
    )
)  # fmt: skip


class IncompatibleImage(Exception):
    """Settings and image do not fit together. `str()` names the key, its value, the image's label and the next step."""


@dataclass(frozen=True, kw_only=True)
class ImageLabels:
    """cuda: major.minor; empty for an image without GPU code or without our labels. architectures: as nvcc names them
    ("89"); the newest is also there as PTX, which later cards can run. for_cpu: the label says there is no GPU code."""

    cuda: str = ""
    architectures: tuple[str, ...] = ()
    for_cpu: bool = False


def read_labels(labels: Mapping[str, str]) -> ImageLabels:
    architectures = tuple(labels.get(ARCHITECTURES_LABEL, "").split())
    return ImageLabels(
        cuda=labels.get(CUDA_LABEL, ""),
        architectures=architectures,
        for_cpu=ARCHITECTURES_LABEL in labels and not architectures,
    )


def labels_of_folder(folder: Path) -> ImageLabels:
    """The labels that a build of `folder` without a target gets: those of the Dockerfile's last stage."""
    text = (folder / "Dockerfile").read_text("utf-8")
    arguments = {name: value for name, value in re.findall(r'^ARG (\w+)="?([^"\n]*)"?$', text, re.MULTILINE)}
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    labels = {
        name: re.sub(r"\$\{(\w+)\}", lambda named: arguments.get(named[1], ""), value)
        for name, value in re.findall(r'(splat\.\w+)="([^"]*)"', stage)
    }
    return read_labels(labels)


def minimum_cuda(labels: ImageLabels, asked: str | None) -> str:
    """The lowest CUDA version of a host: the image's, or a higher `asked`. Raises IncompatibleImage."""
    if not asked:
        return labels.cuda
    if labels.cuda and _version(asked) < _version(labels.cuda):
        raise IncompatibleImage(
            f"photo-splat:minCudaVersion is {asked}, but the image needs CUDA {labels.cuda}. Hosts between the two "
            "cannot run it. Remove minCudaVersion, or raise it"
        )
    return asked


def check_gpus(labels: ImageLabels, gpus: tuple[str, ...]) -> None:
    """The image must hold kernels for every named card. The image check decides about a card that is not listed here.
    Raises IncompatibleImage."""
    if labels.for_cpu and gpus:
        raise IncompatibleImage(
            f"photo-splat:gpu names {', '.join(gpus)}, but the image is for machines without a GPU. Use an image that "
            "was built without `--target cpu`"
        )
    for name in gpus:
        capability = capability_of(name)
        if capability and not has_kernels(labels.architectures, name):
            held = ", ".join(_shown(int(one)) for one in labels.architectures)
            raise IncompatibleImage(
                f"photo-splat:gpu names {name} (compute capability {_shown(capability)}), but the image has kernels "
                f"for {held} only. Name another card, or build the image with CUDA_ARCHITECTURES for it"
            )


def capability_of(name: str) -> int | None:
    words = frozenset(re.findall(r"[a-z0-9]+", name.lower()))
    return next((capability for known, capability in _CAPABILITIES if known <= words), None)


def has_kernels(architectures: tuple[str, ...], gpu: str) -> bool:
    """Whether an image with these architectures runs on a card. Also when either is unknown: the check decides."""
    capability = capability_of(gpu)
    return not architectures or capability is None or runs_on(architectures, capability)


def runs_on(architectures: tuple[str, ...], capability: int) -> bool:
    """Machine code runs on its own major version from its minor version upwards; PTX on everything later."""
    built = [int(one) for one in architectures]
    return any(one // 10 == capability // 10 and one <= capability for one in built) or max(built) <= capability


def _shown(capability: int) -> str:
    return f"{capability // 10}.{capability % 10}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
