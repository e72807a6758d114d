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
        ({"flashboot": "ON"}, "flashboot", "allowed OFF, FLASHBOOT, PRIORITY_FLASHBOOT"),
        ({"image": "repo:latest"}, "image", "which can move"),
        ({"scaling": {"type": "LINEAR"}}, "scaling.type", "allowed QUEUE_DELAY or REQUEST_COUNT"),
        ({"scaling": {}}, "scaling.type", "is None"),
        (
            {"scaling": {"type": "REQUEST_COUNT", "requestCount": 0.0}, "workers": {"min": 0.0, "max": 1.0}},
            "scaling.requestCount",
            "allowed from 1",
        ),
        ({"disk": 0.0}, "disk", "allowed from 1"),
        ({"allowedCudaVersions": ["12.8"]}, "allowedCudaVersions", "a list or a floor"),
        ({"cpu": [{"id": "cpu5c", "vcpuCount": 4.0}]}, "cpu", "one or the other"),
        ({"workers": "many"}, "workers", "is 'many', expected an object"),
        ({"workers": None}, "workers", "is missing"),
        ({"workers": {"min": "0", "max": 2.0}}, "workers.min", "expected a number"),
        ({"workers": {"min": True, "max": 2.0}}, "workers.min", "expected a number"),
        ({"scaling": ["QUEUE_DELAY"]}, "scaling", "expected an object"),
        ({"timeout": "600000"}, "timeout", "expected a number of milliseconds"),
        ({"timeout": None}, "timeout", "is missing"),
        ({"gpuNames": "RTX 4090"}, "gpuNames", "expected a list"),
        ({"env": {"PORT": 8000.0}}, "env.PORT", "is a float, expected text"),
        ({"env": ["A=1"]}, "env", "expected an object of texts"),
        ({"cpu": ["cpu5c"], "gpuNames": None}, "cpu[0]", "expected an object with id"),
    ],
)
def test_what_the_api_would_refuse_is_refused_at_check(change: dict[str, Any], path: str, says: str) -> None:
    [refusal] = plan.refusals({**GOOD, **change})
    assert refusal.property == path
    assert says in refusal.reason


@pytest.mark.parametrize("key", list(GOOD))
def test_what_is_not_known_yet_is_not_refused_and_plans_an_update(key: str) -> None:
    news = {**GOOD, key: plan.UNKNOWN}
    assert plan.refusals(news) == ()
    assert plan.without_unknown(GOOD, news) == (GOOD, True)
    assert plan.without_unknown(GOOD, GOOD) == (GOOD, False)
    assert plan.raises_workers(GOOD, news) is False


def test_an_unknown_inside_an_object_counts_as_well() -> None:
    news = {**GOOD, "env": {"A": "1", "B": plan.UNKNOWN}, "cpu": [{"id": plan.UNKNOWN}]}
    assert plan.refusals(news) == ()
    assert plan.without_unknown(GOOD, news)[1]
    assert plan.compute_is_unknown(news)
    assert not plan.compute_is_unknown(GOOD)


def test_a_state_from_before_an_input_existed_is_no_change() -> None:
    assert not plan.echoes_differ({}, {"allowedCudaVersions": [], "gpuNames": []})
    assert plan.echoes_differ({}, {"allowedCudaVersions": ["12.8"]})


CPUS = catalog.read_cpus(
    [{"id": "cpu5c", "vcpu": {"min": 2, "max": 32}, "price": {"serverlessPerVcpu": 0.04}}, {"id": "cpu9", "price": {}}]
)


def test_cpu_workers_cost_what_their_first_flavour_costs() -> None:
    made = plan.with_cpu({}, {"cpu": [{"id": "cpu5c", "vcpuCount": 4.0}]}, CPUS, today=date(2026, 11, 25))
    assert made["gpu"] is None
    assert (made["price"]["gpu"], made["price"]["usd_per_s"]) == ("cpu5c, 4 vCPU", round(0.16 / 3600, 8))


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (("cpu1", 2), 'not offer the CPU "cpu1"; offered: cpu5c'),
        (("cpu9", 2), "not offer"),
        (("cpu5c", 3), "power of two from 2 to 32"),
        (("cpu5c", 64), "power of two"),
    ],
)
def test_a_cpu_that_does_not_exist_is_told_with_what_does(choice: tuple[str, int], says: str) -> None:
    with pytest.raises(catalog.NotOffered, match=says):
        catalog.cpu_price((choice,), CPUS)


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
    assert plan.kept_compute(state, GOOD) == {"gpu": state["gpu"], "price": state["price"]}
    assert plan.kept_compute(state, {**GOOD, "gpuNames": ["L4"]}) is None
    assert plan.kept_compute({}, GOOD) is None


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
