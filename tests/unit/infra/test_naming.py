"""Physical names: valid for buckets and DNS labels, and never shared."""

from __future__ import annotations

import pytest

from infra.naming import physical


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("photo-splat", "splat", "dev"), "photo-splat-dev"),
        (("photo-splat", "splat", "pr-12"), "photo-splat-pr-12"),
        (("gallery", "museum", "dev"), "gallery-museum-dev"),
        (("photo-splat", "museum", "dev"), "photo-splat-museum-dev"),
    ],
)
def test_a_plain_name_stays_unchanged(parts: tuple[str, str, str], name: str) -> None:
    assert physical(*parts) == name


@pytest.mark.parametrize("stack", ["Dev", "dev_1", "x" * 80, "ünicode", "dev."])
def test_any_stack_gets_a_valid_bucket_name(stack: str) -> None:
    name = physical("photo-splat", "splat", stack)
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert name[-1] != "-"


def test_two_stacks_never_share_a_name() -> None:
    stacks = ["dev", "Dev", "DEV", "dev_", "x" * 80, "x" * 81]
    assert len({physical("photo-splat", "splat", stack) for stack in stacks}) == len(stacks)


def test_two_services_of_one_stack_never_share_a_name() -> None:
    services = ["splat", "museum", "Museum", "photo-splat", "x" * 80, "x" * 81]
    assert len({physical("photo-splat", service, "dev") for service in services}) == len(services)
