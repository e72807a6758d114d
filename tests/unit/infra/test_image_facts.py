"""What an image says of itself against a stack's settings: every rule a row."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.image_facts import (
    Disagreement,
    ImageFacts,
    capability_of,
    check_cards,
    from_labels,
    least_cuda,
    of_folder,
    runs_on,
)

ROOT = Path(__file__).resolve().parents[3]
OURS = ImageFacts(cuda="13.0", architectures=("80", "86", "89", "90", "120"))


def test_the_dockerfile_of_the_checkout_says_what_its_image_will() -> None:
    assert of_folder(ROOT / "worker_image") == OURS


@pytest.mark.parametrize(
    ("asked", "least"), [(None, "13.0"), ("", "13.0"), ("13.0", "13.0"), ("13.2", "13.2"), ("14.0", "14.0")]
)
def test_the_images_cuda_is_the_least_that_a_host_must_have(asked: str | None, least: str) -> None:
    assert least_cuda(OURS, asked) == least


@pytest.mark.parametrize("asked", ["12.8", "9.9", "12.10"])
def test_less_than_the_image_needs_is_refused(asked: str) -> None:
    with pytest.raises(Disagreement, match=f"minCudaVersion is {asked}, but the image needs CUDA 13.0"):
        least_cuda(OURS, asked)


def test_an_image_that_says_nothing_sets_no_floor() -> None:
    assert least_cuda(ImageFacts(), None) == ""
    assert least_cuda(ImageFacts(), "12.8") == "12.8"
    check_cards(ImageFacts(), ("B200",))


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
    check_cards(OURS, (name,))


def test_a_card_without_kernels_is_named_with_what_there_is() -> None:
    with pytest.raises(
        Disagreement, match=r"names B200 \(compute capability 10\.0\).*8\.0, 8\.6, 8\.9, 9\.0, 12\.0 only"
    ):
        check_cards(OURS, ("RTX 4090", "B200"))


def test_the_image_without_gpu_code_is_refused_for_cards_and_one_without_labels_is_not() -> None:
    with pytest.raises(Disagreement, match="names RTX 4090, L4, but the image is the one for machines without a GPU"):
        check_cards(from_labels({"splat.cuda": "", "splat.architectures": ""}), ("RTX 4090", "L4"))
    check_cards(from_labels({"maintainer": "somebody"}), ("RTX 4090",))
    check_cards(from_labels({"splat.architectures": "89"}), ("RTX 4090",))
