"""How a pinned image becomes a digest and its labels. The queries themselves are in image/test_registry.py."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra.components.image import pin
from infra.image import registry
from infra.image.labels import ImageLabels

DIGEST = "sha256:" + "a" * 64
FOUND = registry.InspectedImage(digest=DIGEST, labels={"splat.cuda": "13.0", "splat.architectures": "80 90"})
LABELS = ImageLabels(cuda="13.0", architectures=("80", "90"))


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def answers(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def inspect(*_: Any) -> registry.InspectedImage:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(registry, "inspect", inspect)


@pytest.mark.parametrize(
    "source", ["ghcr.io/team/worker:v2", "ghcr.io:5000/team/worker:v2", f"ghcr.io/team/worker@{DIGEST}"]
)
def test_a_pinned_image_becomes_a_digest(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    answers(monkeypatch, FOUND)
    reference, labels = pin(source, None, lookup=True)
    assert reference == f"{source.partition('@')[0].removesuffix(':v2')}@{DIGEST}"
    assert labels == LABELS


def test_a_digest_is_valid_without_its_registry_and_warns_of_what_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    answers(monkeypatch, registry.NoAnswer("no answer from ghcr.io"))
    source = f"ghcr.io/team/worker@{DIGEST}"
    assert pin(source, None, lookup=True) == (source, ImageLabels())
    assert "no answer from ghcr.io. Its CUDA version and architectures are not compared" in warnings[0]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("ghcr.io/team/worker:v2", registry.NoAnswer("no answer")),
        ("ghcr.io/team/worker:v2", registry.NoSuchImage("missing")),
        (f"ghcr.io/team/worker@{DIGEST}", registry.NoSuchImage("missing")),
    ],
)
def test_an_unresolved_tag_and_a_missing_image_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, source: str, problem: registry.RegistryError
) -> None:
    answers(monkeypatch, problem)
    with pytest.raises(type(problem)):
        pin(source, None, lookup=True)


def test_a_digest_is_not_queried_when_imagelookup_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, AssertionError("it was asked"))
    source = f"ghcr.io/team/worker@{DIGEST}"
    assert pin(source, None, lookup=False) == (source, ImageLabels())
