"""Claims of what the provider decides about props: refusals, prices with their date, quota."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from infra.runpod import catalog, plan

GPUS = catalog.read_catalog(
    [
        {
            "id": "NVIDIA GeForce RTX 4090",
            "name": "RTX 4090",
            "pool": "ADA_24",
            "memory": 24,
            "price": {"serverless": 1.1},
        },
        {"id": "NVIDIA L4", "name": "L4", "pool": "AMPERE_24", "memory": 24, "price": {"serverless": 0.68}},
        {
            "id": "NVIDIA RTX A5000",
            "name": "RTX A5000",
            "pool": "AMPERE_24",
            "memory": 24,
            "price": {"serverless": 0.68},
        },
    ]
)
GOOD: dict[str, Any] = {
    "name": "splat",
    "type": "QUEUE",
    "image": "repo@sha256:" + "0" * 64,
    "gpuNames": ["RTX 4090"],
    "gpuCount": 1.0,
    "minCudaVersion": "12.8",
    "workers": {"min": 0.0, "max": 2.0, "idleTimeout": 10.0},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4.0},
    "timeout": 600_000.0,
    "flashboot": "OFF",
    "env": {"SPLAT_DEPLOYMENT": "abc.gpu"},
}


def test_good_inputs_are_not_refused() -> None:
    assert plan.refusals(GOOD) == ()


@pytest.mark.parametrize(
    ("change", "path", "says"),
    [
        ({"type": "BATCH"}, "type", "allowed QUEUE or LOAD_BALANCER"),
        ({"name": ""}, "name", "needs a name"),
        (
            {"workers": {"min": 3.0, "max": 2.0, "idleTimeout": 5.0}},
            "workers.min",
            "is 3, allowed 0 to workers.max (2)",
        ),
        ({"workers": {"min": 0.0, "max": 2.0, "idleTimeout": 0.0}}, "workers.idleTimeout", "allowed 1 to 3600"),
        ({"workers": {"min": 0.0, "max": 2.0, "idleTimeout": 3601.0}}, "workers.idleTimeout", "is 3601 s"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1.0}}, "workers.idleTimeout", "leave it out"),
        ({"type": "LOAD_BALANCER"}, "scaling.type", "REQUEST_COUNT only"),
        ({"scaling": {"type": "QUEUE_DELAY", "queueDelay": 0.4}}, "scaling.queueDelay", "allowed from 0.5"),
        ({"timeout": 4999.0}, "timeout", "is 4999 ms, allowed 5000 to 604800000"),
        ({"timeout": 0.0}, "timeout", "is 0 ms"),
        ({"flashboot": True}, "flashboot", "allowed OFF, FLASHBOOT, PRIORITY_FLASHBOOT"),
        ({"image": "repo:latest"}, "image", "which can move"),
    ],
)
def test_what_the_api_would_refuse_is_refused_at_check(change: dict[str, Any], path: str, says: str) -> None:
    [refusal] = plan.refusals({**GOOD, **change})
    assert refusal.property == path
    assert says in refusal.reason


def test_an_image_that_is_not_known_yet_is_not_refused() -> None:
    assert plan.refusals({**GOOD, "image": plan.UNKNOWN}) == ()


def test_the_unknown_sentinel_is_pulumis() -> None:
    from pulumi.runtime import rpc

    assert plan.UNKNOWN == rpc.UNKNOWN


def test_gpu_names_become_the_selection_that_the_api_takes() -> None:
    made = plan.with_gpu({}, {**GOOD, "gpuNames": ["L4", "RTX 4090"]}, GPUS, today=date(2026, 11, 23))
    assert made["gpu"] == {
        "pools": ["AMPERE_24", "ADA_24"],
        "count": 1,
        "excludedTypes": ["NVIDIA RTX A5000"],
        "minCudaVersion": "12.8",
    }
    assert made["price"] == {
        "gpu": "L4",
        "usd_per_s": round(0.68 / 3600, 8),
        "as_of": "2026-11-23",
        "source": "RunPod catalogue, price.serverless",
    }


def test_the_same_price_keeps_the_day_it_was_first_seen() -> None:
    first = plan.with_gpu({}, GOOD, GPUS, today=date(2026, 11, 23))
    later = plan.with_gpu(first, GOOD, GPUS, today=date(2026, 12, 24))
    assert later == first


def test_another_price_gets_the_day_it_was_seen() -> None:
    first = plan.with_gpu({}, GOOD, GPUS, today=date(2026, 11, 23))
    dearer = tuple(catalog.GpuType(**{**vars(gpu), "usd_per_h": 2.2}) for gpu in GPUS)
    later = plan.with_gpu(first, GOOD, dearer, today=date(2026, 12, 24))
    assert later["price"]["as_of"] == "2026-12-24"
    assert later["price"]["usd_per_s"] == round(2.2 / 3600, 8)


def test_without_a_catalogue_the_last_answer_holds_only_for_the_same_question() -> None:
    state = {**GOOD, **plan.with_gpu({}, GOOD, GPUS, today=date(2026, 11, 23))}
    assert plan.kept_gpu(state, GOOD) == {"gpu": state["gpu"], "price": state["price"]}
    assert plan.kept_gpu(state, {**GOOD, "gpuNames": ["L4"]}) is None
    assert plan.kept_gpu({}, GOOD) is None


def endpoint(id_: str, maximum: int, marker: str = "") -> dict[str, Any]:
    return {"id": id_, "workers": {"max": maximum}, "env": {"SPLAT_DEPLOYMENT": marker} if marker else {}}


@pytest.mark.parametrize(
    ("asked", "others", "refused"),
    [
        (2, [endpoint("a", 3)], False),
        (3, [endpoint("a", 3)], True),
        (5, [], False),
        (6, [], True),
        (5, [endpoint("ours", 5, marker="abc.gpu")], False),
    ],
)
def test_the_sum_of_max_workers_must_fit_the_quota(asked: int, others: list[dict[str, Any]], refused: bool) -> None:
    news = {**GOOD, "workers": {"min": 0, "max": asked}}
    found = plan.over_quota(news, others, {"serverlessWorkers": {"limit": 5}}, marker_key="SPLAT_DEPLOYMENT")
    assert bool(found) is refused
    if found:
        assert "photo-splat:workersMax" in found[0].reason


@pytest.mark.parametrize(
    "limits", [{}, {"serverlessWorkers": {}}, {"serverlessWorkers": 5}, {"spendRate": {"limit": 80}}]
)
def test_limits_of_an_unknown_shape_refuse_nothing(limits: dict[str, Any]) -> None:
    news = {**GOOD, "workers": {"min": 0, "max": 99}}
    assert plan.over_quota(news, [], limits, marker_key="SPLAT_DEPLOYMENT") == ()


@pytest.mark.parametrize(
    ("olds", "news", "another"),
    [
        ({}, {}, False),
        ({}, {"adoptId": "ep2"}, True),
        ({}, {"adoptId": "ep1"}, False),  # names the endpoint we have
        ({"adoptId": "ep2"}, {"adoptId": "ep2"}, False),
        ({"adoptId": "ep2"}, {}, False),  # the wish may go once it is fulfilled
    ],
)
def test_only_a_new_wish_for_another_endpoint_replaces(
    olds: dict[str, Any], news: dict[str, Any], another: bool
) -> None:
    assert plan.adopts_another("ep1", olds, news) is another
