"""What the plan of an endpoint rejects: tags, exceeded quotas, impossible adoptions."""

from __future__ import annotations

from typing import Any

import pytest

from infra.dynamic import UNKNOWN
from infra.runpod import validation

NEWS: dict[str, Any] = {
    "image": "repo@sha256:" + "0" * 64,
    "workers": {"min": 0.0, "max": 2.0, "idleTimeout": 10.0},
    "env": {"SPLAT_DEPLOYMENT": "abc.endpoint"},
}


@pytest.mark.parametrize(("image", "rejected"), [(NEWS["image"], False), (UNKNOWN, False), ("repo:v1", True)])
def test_an_image_by_tag_is_rejected(image: str, rejected: bool) -> None:
    reason = validation.fixed_image({**NEWS, "image": image})
    assert (reason is not None) is rejected
    assert not rejected or "which can change under a running endpoint" in str(reason)


@pytest.mark.parametrize(
    ("olds", "workers", "raises"),
    [({}, {"max": 2.0}, True), (NEWS, {"max": 2.0}, False), (NEWS, {"max": 3.0}, True), (NEWS, UNKNOWN, False)],
)
def test_only_more_workers_can_exceed_a_quota(olds: dict[str, Any], workers: Any, raises: bool) -> None:
    assert validation.raises_workers(olds, {**NEWS, "workers": workers}) is raises


def endpoint(id_: str, maximum: int, marker: str = "") -> dict[str, Any]:
    return {"id": id_, "workers": {"max": maximum}, "env": {"SPLAT_DEPLOYMENT": marker} if marker else {}}


@pytest.mark.parametrize(
    ("asked", "others", "rejected"),
    [
        (2, [endpoint("a", 3)], False),
        (3, [endpoint("a", 3)], True),
        (5, [], False),
        (6, [], True),
        (5, [endpoint("ours", 5, marker="abc.endpoint")], False),
        (5, [{**endpoint("a", 3), "workers": {"limit": 3}}, {**endpoint("b", 3), "workers": "auto"}], False),
    ],
)
def test_the_sum_of_max_workers_must_fit_the_quota(asked: int, others: list[dict[str, Any]], rejected: bool) -> None:
    news = {**NEWS, "workers": {"min": 0, "max": asked}}
    reason = validation.within_quota(news, others, {"serverlessWorkers": {"limit": 5}})
    assert bool(reason) is rejected
    assert not rejected or str(reason).startswith(f"photo-splat:workersMax is {asked}")


@pytest.mark.parametrize(
    "limits", [{}, {"serverlessWorkers": {}}, {"serverlessWorkers": 5}, {"spendRate": {"limit": 80}}]
)
def test_limits_of_an_unknown_shape_reject_nothing(limits: dict[str, Any]) -> None:
    assert validation.within_quota({**NEWS, "workers": {"min": 0, "max": 99}}, [], limits) is None


@pytest.mark.parametrize(
    ("olds", "news", "another"),
    [
        ({}, {}, False),
        ({}, {"adoptId": "ep2"}, True),
        ({}, {"adoptId": "ep1"}, False),  # names the endpoint we have
        ({"adoptId": "ep2"}, {"adoptId": "ep2"}, False),
        ({"adoptId": "ep2"}, {}, False),  # the key may be removed after the adoption
    ],
)
def test_only_a_new_adoption_of_another_endpoint_replaces(
    olds: dict[str, Any], news: dict[str, Any], another: bool
) -> None:
    assert validation.adopts_another("ep1", olds, news) is another


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "has no such endpoint"),
        (endpoint("ep2", 1, marker="other.endpoint"), "belongs to another stack"),
        (endpoint("ep2", 1, marker="abc.endpoint"), ""),  # an interrupted run may have adopted it already
        (endpoint("ep2", 1), ""),
    ],
)
def test_an_endpoint_is_adoptable_when_it_exists_and_belongs_to_no_other_stack(
    found: dict[str, Any] | None, says: str
) -> None:
    reason = validation.adoptable({**NEWS, "adoptId": "ep2"}, found)
    assert bool(reason) is bool(says)
    assert says in str(reason)
