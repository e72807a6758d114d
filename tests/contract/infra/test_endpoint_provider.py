"""The endpoint's provider, call by call over gRPC, on an account that can be made to fail."""

from __future__ import annotations

from typing import Any

import pytest

from infra.dynamic import UNKNOWN
from infra.runpod.resources.endpoint import EndpointProvider
from tests.contract.infra.conftest import KEY, Plugin, Refused, StandIn

pytestmark = pytest.mark.local_cloud

IMAGE = "test.local/worker@sha256:" + "a" * 64
NEWS: dict[str, Any] = {
    "name": "photo-splat-test",
    "type": "QUEUE",
    "image": IMAGE,
    "gpuNames": ["RTX 4090"],
    "gpuCount": 1,
    "minCudaVersion": "12.8",
    "workers": {"min": 0, "max": 2, "idleTimeout": 10},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    "timeout": 600_000,
    "flashboot": "OFF",
    "disk": 20,
    "env": {"SPLAT_DEPLOYMENT": "abc.endpoint"},
    "dataCenterIds": [],
}


@pytest.fixture
def plugin(stub: Any, standin: StandIn) -> Plugin:
    """On an empty account."""
    return Plugin(stub, EndpointProvider())


def made(plugin: Plugin, **changes: Any) -> tuple[str, dict[str, Any]]:
    """A created endpoint: its id and state."""
    inputs, failures = plugin.check({**NEWS, **changes})
    assert failures == {}
    return plugin.create(inputs)


def test_the_provider_is_pickled_by_name_so_that_code_changes_are_no_diff(plugin: Plugin) -> None:
    assert len(plugin.serialized) < 100


def test_created_read_and_checked_again_is_no_change(plugin: Plugin) -> None:
    id_, state = made(plugin)
    read_id, read_state, read_inputs = plugin.read(id_, state)
    assert read_id == id_
    assert read_state == state
    news, _ = plugin.check(NEWS, read_inputs)
    assert plugin.diff(id_, read_state, news) == (False, [])


def test_state_holds_no_key(plugin: Plugin) -> None:
    _, state = made(plugin)
    assert KEY not in repr(state)


def test_a_gpu_name_becomes_a_pool_without_its_other_cards(plugin: Plugin, standin: StandIn) -> None:
    made(plugin, gpuNames=["RTX 3090"])
    [endpoint] = standin.endpoints()
    assert endpoint["gpu"]["pools"] == ["AMPERE_24"]
    assert endpoint["gpu"]["excludedTypes"] == ["NVIDIA L4", "NVIDIA RTX A5000"]


@pytest.mark.parametrize("name", ["T4", "A100 40GB"])
def test_a_card_that_serverless_lacks_fails_at_check(plugin: Plugin, name: str) -> None:
    _, failures = plugin.check({**NEWS, "gpuNames": [name]})
    assert "instead" in failures["gpuNames"]


# Field by field: what changes, and whether the plan is an update or a replacement.
CHANGES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("name", {"name": "other"}, []),
    ("image", {"image": "test.local/worker@sha256:" + "b" * 64}, []),
    ("gpu", {"gpuNames": ["L40S"]}, []),
    ("gpu preference", {"gpuNames": ["RTX 4090", "L40S"]}, []),
    ("gpu count", {"gpuCount": 2}, []),
    ("cuda floor", {"minCudaVersion": "12.6"}, []),
    ("cuda floor un-set", {"minCudaVersion": ""}, []),
    ("workers min", {"workers": {"min": 1, "max": 2, "idleTimeout": 10}}, []),
    ("workers max", {"workers": {"min": 0, "max": 3, "idleTimeout": 10}}, []),
    ("idle timeout", {"workers": {"min": 0, "max": 2, "idleTimeout": 99}}, []),
    ("queue delay", {"scaling": {"type": "QUEUE_DELAY", "queueDelay": 9.5}}, []),
    ("timeout", {"timeout": 700_000}, []),
    ("flashboot", {"flashboot": "FLASHBOOT"}, []),
    ("disk", {"disk": 30}, []),
    ("env", {"env": {"SPLAT_DEPLOYMENT": "abc.endpoint", "LEVEL": "debug"}}, []),
    ("data centres", {"dataCenterIds": ["EU-RO-1"]}, []),
]


@pytest.mark.parametrize(("changes", "replaces"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_each_field_plans_and_does_what_it_should(
    plugin: Plugin, standin: StandIn, changes: dict[str, Any], replaces: list[str]
) -> None:
    id_, state = made(plugin)
    news, failures = plugin.check({**NEWS, **changes}, state)
    assert failures == {}
    assert plugin.diff(id_, state, news) == (True, replaces)
    if replaces:
        return
    after = plugin.update(id_, state, news)
    _, read_state, _ = plugin.read(id_, after)
    assert plugin.diff(id_, read_state, news) == (False, [])
    assert [endpoint["id"] for endpoint in standin.endpoints()] == [id_]


DRIFTS: list[tuple[str, dict[str, Any]]] = [
    ("name", {"name": "by hand"}),
    ("image", {"image": "test.local/worker@sha256:" + "c" * 64}),
    ("gpu", {"gpu": {"pools": ["ADA_48_PRO"]}}),
    ("workers", {"workers": {"min": 0, "max": 0, "idleTimeout": 10}}),
    ("scaling", {"scaling": {"type": "QUEUE_DELAY", "queueDelay": 60}}),
    ("timeout", {"timeout": 5000}),
    ("flashboot", {"flashboot": "FLASHBOOT"}),
    ("disk", {"disk": 99}),
    ("env", {"env": {"SPLAT_DEPLOYMENT": "abc.endpoint", "ADDED": "by hand"}}),
    ("data centres", {"dataCenterIds": ["US-TX-3"]}),
    ("args", {"args": "--by-hand"}),
    ("ports", {"ports": ["22/tcp"]}),
]


@pytest.mark.parametrize("change", [row[1] for row in DRIFTS], ids=[row[0] for row in DRIFTS])
def test_each_field_that_drifts_is_found_and_corrected(
    plugin: Plugin, standin: StandIn, change: dict[str, Any]
) -> None:
    id_, state = made(plugin)
    standin.call("PATCH", f"/v2/serverless/{id_}", json=change)

    _, drifted, inputs = plugin.read(id_, state)
    news, _ = plugin.check(NEWS, inputs)

    assert plugin.diff(id_, drifted, news) == (True, [])
    corrected = plugin.update(id_, drifted, news)
    _, after, _ = plugin.read(id_, corrected)
    assert plugin.diff(id_, after, news) == (False, [])


def test_an_endpoint_that_is_gone_reads_as_gone_and_deletes_as_done(plugin: Plugin, standin: StandIn) -> None:
    id_, state = made(plugin)
    standin.call("DELETE", f"/v2/serverless/{id_}")
    assert plugin.read(id_, state)[0] == ""
    plugin.delete(id_, state)


def test_a_create_whose_answer_was_lost_finds_what_it_made(plugin: Plugin, standin: StandIn) -> None:
    standin.fault(kind="lost_answer", route="POST /v2/serverless")
    id_, _ = made(plugin)
    assert [endpoint["id"] for endpoint in standin.endpoints()] == [id_]


def test_an_interrupted_create_is_adopted_by_the_next_run(plugin: Plugin, standin: StandIn) -> None:
    inputs, _ = plugin.check(NEWS)
    first, _ = plugin.create(inputs)  # the engine died before it could write this id down
    wider = {**inputs, "workers": {"min": 0, "max": 3, "idleTimeout": 10}}
    second, state = plugin.create(wider)
    assert second == first
    [endpoint] = standin.endpoints()
    assert endpoint["workers"]["max"] == state["workers"]["max"] == 3


def test_an_interrupted_create_is_found_on_a_later_page(plugin: Plugin, standin: StandIn) -> None:
    for number in range(2):
        made(plugin, env={"SPLAT_DEPLOYMENT": f"other{number}.endpoint"})
    inputs, _ = plugin.check(NEWS)
    first, _ = plugin.create(inputs)
    standin.call("PATCH", "/_control/settings", json={"list_page_max": 1})
    assert len(standin.endpoints()) == 1, "the answer is the whole list, so the test proves nothing"
    again, _ = plugin.create(inputs)
    assert again == first


def test_twins_of_an_interrupted_run_become_one(plugin: Plugin, standin: StandIn) -> None:
    made(plugin)
    [twin] = standin.endpoints()
    body = {key: twin[key] for key in ("name", "type", "image", "workers", "scaling", "timeout", "env")}
    standin.call("POST", "/v2/serverless", json={**body, "gpu": {"pools": ["ADA_24"]}})
    both = {endpoint["id"] for endpoint in standin.endpoints()}
    assert len(both) == 2

    again, _ = made(plugin)

    assert again in both
    assert [endpoint["id"] for endpoint in standin.endpoints()] == [again]


def test_another_stacks_endpoint_of_the_same_name_is_left_alone(plugin: Plugin, standin: StandIn) -> None:
    other, _ = made(plugin, env={"SPLAT_DEPLOYMENT": "other.endpoint"})
    ours, _ = made(plugin)
    assert ours != other
    assert len(standin.endpoints()) == 2


def test_an_endpoint_made_by_hand_is_adopted_by_its_id_and_brought_to_what_is_declared(
    plugin: Plugin, standin: StandIn
) -> None:
    by_hand = standin.call(
        "POST",
        "/v2/serverless",
        json={
            "name": "my old one",
            "type": "QUEUE",
            "image": IMAGE,
            "gpu": {"pools": ["AMPERE_24"]},
            "workers": {"min": 0, "max": 1},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 2},
            "timeout": 60_000,
        },
    ).json()
    id_, state = made(plugin, adoptId=by_hand["id"])
    assert id_ == by_hand["id"]
    [endpoint] = standin.endpoints()
    assert endpoint["name"] == "photo-splat-test"
    assert endpoint["gpu"]["pools"] == ["ADA_24"]
    # After the adoption the key may be removed.
    news, _ = plugin.check(NEWS, state)
    assert plugin.diff(id_, state, news) == (False, [])


@pytest.mark.parametrize("ours", ["other.endpoint", UNKNOWN])
def test_an_endpoint_of_another_stack_is_rejected_at_check(plugin: Plugin, ours: str) -> None:
    """Adopted it would belong to two stacks, and the first to be destroyed would take it from the other."""
    id_, _ = made(plugin)

    _, failures = plugin.check({**NEWS, "adoptId": id_, "env": {"SPLAT_DEPLOYMENT": ours}})

    assert (
        f"photo-splat:adoptEndpointId is {id_}, which belongs to another stack of this project" in failures["adoptId"]
    )
    _, failures = plugin.check({**NEWS, "adoptId": id_})  # an interrupted run may have adopted it already
    assert failures == {}


def test_an_update_that_meets_a_failing_server_is_repeated(plugin: Plugin, standin: StandIn) -> None:
    id_, state = made(plugin)
    standin.fault(kind="status", route="PATCH /v2/serverless/*", status=503, times=2)
    news, _ = plugin.check({**NEWS, "timeout": 700_000}, state)
    plugin.update(id_, state, news)
    assert standin.endpoints()[0]["timeout"] == 700_000


def test_without_the_catalogue_a_change_that_has_nothing_to_do_with_cards_still_goes_through(
    plugin: Plugin, standin: StandIn
) -> None:
    id_, state = made(plugin)
    standin.fault(kind="status", route="GET /v2/catalog/gpus", status=503, times=None)
    news, failures = plugin.check({**NEWS, "timeout": 700_000}, state)
    assert failures == {}
    assert news["gpu"] == state["gpu"]
    assert plugin.diff(id_, state, news) == (True, [])


def test_more_workers_than_the_quota_are_reported_by_their_key(plugin: Plugin) -> None:
    inputs, failures = plugin.check({**NEWS, "workers": {"min": 0, "max": 50, "idleTimeout": 10}})
    if failures:  # where the key may read the limits, the preview already knows
        assert "photo-splat:workersMax" in failures["workers.max"]
        return
    with pytest.raises(Refused) as caught:
        plugin.create(inputs)
    assert "photo-splat:workersMax" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_an_image_that_cannot_be_pulled_is_reported_by_its_key(plugin: Plugin, standin: StandIn) -> None:
    inputs, _ = plugin.check({**NEWS, "image": "nowhere.local/none@sha256:" + "a" * 64})
    with pytest.raises(Refused) as caught:
        plugin.create(inputs)
    assert "photo-splat:image" in str(caught.value)
    assert KEY not in str(caught.value)
    assert standin.endpoints() == []


def test_a_missing_endpoint_to_adopt_is_rejected_at_check_by_its_key(plugin: Plugin, standin: StandIn) -> None:
    _, failures = plugin.check({**NEWS, "adoptId": "gone0123456789"})
    assert "photo-splat:adoptEndpointId is gone0123456789, but the account" in failures["adoptId"]
    # After the adoption the key is not queried again.
    id_, _ = made(plugin)
    _, state = made(plugin, adoptId=id_)
    standin.call("DELETE", f"/v2/serverless/{id_}")
    _, failures = plugin.check({**NEWS, "adoptId": id_}, state)
    assert failures == {}
