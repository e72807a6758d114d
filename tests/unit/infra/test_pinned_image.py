"""How a pinned image becomes a digest and its facts; the registry's own side is in test_registry."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from infra import registry
from infra.components.image import pin
from infra.image_facts import ImageFacts

DIGEST = "sha256:" + "a" * 64
FOUND = registry.Found(digest=DIGEST, labels={"splat.cuda": "13.0", "splat.architectures": "80 90"})
FACTS = ImageFacts(cuda="13.0", architectures=("80", "90"))


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    return said


def answers(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    def look_up(*_: Any) -> registry.Found:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(registry, "look_up", look_up)


@pytest.mark.parametrize(
    "source", ["ghcr.io/team/worker:v2", "ghcr.io:5000/team/worker:v2", f"ghcr.io/team/worker@{DIGEST}"]
)
def test_downstream_sees_a_digest_and_no_tag(monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    answers(monkeypatch, FOUND)
    reference, facts = pin(source, None, looks_up=True)
    assert reference == f"{source.partition('@')[0].removesuffix(':v2')}@{DIGEST}"
    assert facts == FACTS


def test_a_digest_stands_without_its_registry_and_says_what_is_not_checked(
    monkeypatch: pytest.MonkeyPatch, warnings: list[str]
) -> None:
    answers(monkeypatch, registry.NoAnswer("no answer from ghcr.io"))
    source = f"ghcr.io/team/worker@{DIGEST}"
    assert pin(source, None, looks_up=True) == (source, ImageFacts())
    assert "no answer from ghcr.io. Its CUDA version and architectures are not compared" in warnings[0]


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("ghcr.io/team/worker:v2", registry.NoAnswer("no answer")),
        ("ghcr.io/team/worker:v2", registry.NoSuchImage("not there")),
        (f"ghcr.io/team/worker@{DIGEST}", registry.NoSuchImage("not there")),
    ],
)
def test_a_tag_without_an_answer_and_an_image_that_is_not_there_stop_the_run(
    monkeypatch: pytest.MonkeyPatch, source: str, problem: registry.RegistryError
) -> None:
    answers(monkeypatch, problem)
    with pytest.raises(type(problem)):
        pin(source, None, looks_up=True)


def test_a_digest_is_not_looked_up_where_that_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, AssertionError("it was asked"))
    source = f"ghcr.io/team/worker@{DIGEST}"
    assert pin(source, None, looks_up=False) == (source, ImageFacts())
