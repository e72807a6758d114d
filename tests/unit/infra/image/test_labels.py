"""The labels of an image against a stack's settings: each rule is a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.image.labels import (
    ImageLabels,
    IncompatibleImage,
    capability_of,
    check_gpus,
    labels_of_folder,
    minimum_cuda,
    read_labels,
    runs_on,
)

ROOT = Path(__file__).resolve().parents[4]
OURS = ImageLabels(cuda="13.0", architectures=("80", "86", "89", "90", "120"))


def test_the_labels_of_the_checkout_come_from_its_dockerfile() -> None:
    assert labels_of_folder(ROOT / "worker_image") == OURS


@pytest.mark.parametrize(
    ("asked", "least"), [(None, "13.0"), ("", "13.0"), ("13.0", "13.0"), ("13.2", "13.2"), ("14.0", "14.0")]
)
def test_a_host_needs_at_least_the_images_cuda_version(asked: str | None, least: str) -> None:
    assert minimum_cuda(OURS, asked) == least


@pytest.mark.parametrize("asked", ["12.8", "9.9", "12.10"])
def test_a_lower_version_than_the_image_needs_is_rejected(asked: str) -> None:
    with pytest.raises(IncompatibleImage, match=f"minCudaVersion is {asked}, but the image needs CUDA 13.0"):
        minimum_cuda(OURS, asked)


def test_an_image_without_labels_sets_no_minimum() -> None:
    assert minimum_cuda(ImageLabels(), None) == ""
    assert minimum_cuda(ImageLabels(), "12.8") == "12.8"
    check_gpus(ImageLabels(), ("B200",))


@pytest.mark.parametrize(
    ("name", "capability"),
    [
        ("RTX 4090", 89), ("NVIDIA GeForce RTX 3090", 86), ("RTX 5090", 120), ("L4", 89), ("L40S", 89), ("A40", 86),
        ("A100 80GB", 80), ("H100", 90), ("NVIDIA H200", 90), ("B200", 100), ("RTX 6000 Ada", 89), ("RTX A6000", 86),
        ("RTX PRO 6000", 120), ("T4", 75), ("a card of next year", None),
    ],
)  # fmt: skip
def test_a_card_is_known_by_its_usual_name(name: str, capability: int | None) -> None:
    assert capability_of(name) == capability


@pytest.mark.parametrize(
    ("built", "capability", "runs"),
    [
        (("80",), 86, True),  # same major version, later minor
        (("86",), 80, False),  # earlier minor
        (("90",), 100, True),  # the newest is PTX as well, compiled at load
        (("90", "120"), 100, False),  # PTX of 12.0 is for later cards only
        (("80", "86", "89", "90", "120"), 70, False),
        (("80", "86", "89", "90", "120"), 121, True),
    ],
)
def test_kernels_run_where_the_architecture_allows(built: tuple[str, ...], capability: int, runs: bool) -> None:
    assert runs_on(built, capability) is runs


@pytest.mark.parametrize("name", ["RTX 3090", "L4", "A100", "H100", "RTX 5090", "a card of next year"])
def test_the_cards_of_the_catalogue_find_their_kernels(name: str) -> None:
    check_gpus(OURS, (name,))


def test_a_card_without_kernels_is_named_with_the_images_architectures() -> None:
    with pytest.raises(
        IncompatibleImage, match=r"names B200 \(compute capability 10\.0\).*8\.0, 8\.6, 8\.9, 9\.0, 12\.0 only"
    ):
        check_gpus(OURS, ("RTX 4090", "B200"))


def test_an_image_without_gpu_code_is_rejected_and_an_image_without_labels_is_not() -> None:
    with pytest.raises(IncompatibleImage, match="names RTX 4090, L4, but the image is for machines without a GPU"):
        check_gpus(read_labels({"splat.cuda": "", "splat.architectures": ""}), ("RTX 4090", "L4"))
    check_gpus(read_labels({"maintainer": "somebody"}), ("RTX 4090",))
    check_gpus(read_labels({"splat.architectures": "89"}), ("RTX 4090",))
