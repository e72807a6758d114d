"""Claims of the endpoint model: the round trip changes nothing, and every field has one known effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runpod.model import (
    Change,
    Cpu,
    Effect,
    Endpoint,
    EndpointType,
    FlashBoot,
    Gpu,
    QueueDelay,
    RequestCount,
    Workers,
    align,
    diff,
    explain_drift,
    from_wire,
    patch,
    to_wire,
)

words = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12)
lists = st.lists(words, max_size=4, unique=True).map(tuple)
versions = st.sampled_from(["12.4", "12.8", "13.0"])
gpus = st.builds(
    Gpu,
    pools=st.lists(words, min_size=1, max_size=3, unique=True).map(tuple),
    excluded_types=lists,
    count=st.integers(1, 8),
    allowed_cuda_versions=st.lists(versions, max_size=2, unique=True).map(tuple),
)
endpoints = st.builds(
    Endpoint,
    name=words,
    image=words,
    type=st.sampled_from(EndpointType),
    gpu=gpus,
    workers=st.builds(
        Workers, min=st.integers(0, 3), max=st.integers(3, 9), idle_timeout_s=st.none() | st.integers(1, 3600)
    ),
    scaling=st.builds(QueueDelay, seconds=st.floats(0.5, 600)) | st.builds(RequestCount, requests=st.integers(1, 9)),
    timeout_ms=st.integers(5000, 604_800_000),
    flashboot=st.sampled_from(FlashBoot),
    data_center_ids=lists,
    network_volumes=lists,
    args=st.just("") | words,
    disk_gb=st.none() | st.integers(1, 500),
    ports=lists,
    env=st.dictionaries(words, words, max_size=4),
    registry=st.none() | words,
)
BASE = Endpoint(name="splat", image="repo@sha256:00", gpu=Gpu(pools=("ADA_24",)), disk_gb=20, env={"A": "1"})


def as_floats(value: Any) -> Any:
    """What Pulumi's dynamic provider receives: every number is a float."""
    if isinstance(value, dict):
        return {key: as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(endpoints)
def test_what_is_sent_and_read_back_is_no_change(endpoint: Endpoint) -> None:
    assert diff(endpoint, from_wire(to_wire(endpoint))) == ()


@given(endpoints)
def test_numbers_that_arrive_as_floats_are_no_change(endpoint: Endpoint) -> None:
    assert diff(endpoint, from_wire(as_floats(to_wire(endpoint)))) == ()


@given(endpoints)
def test_numbers_leave_as_integers(endpoint: Endpoint) -> None:
    sent = to_wire(from_wire(as_floats(to_wire(endpoint))))
    assert isinstance(sent["timeout"], int)
    assert isinstance(sent["workers"]["max"], int)
    assert isinstance(sent["gpu"]["count"], int)


@given(endpoints, endpoints)
def test_applying_a_patch_as_the_service_does_reaches_the_wanted_endpoint(old: Endpoint, new: Endpoint) -> None:
    new = replace(new, type=old.type, disk_gb=new.disk_gb or 5)
    body = to_wire(old)
    for key, value in patch(old, new).items():
        body[key] = {**body.get(key, {}), **value} if key == "gpu" else value
    assert diff(new, from_wire(body)) == ()


@given(endpoints)
def test_a_list_read_in_another_order_is_no_drift(endpoint: Endpoint) -> None:
    body = to_wire(endpoint)
    for key in ("dataCenterIds", "networkVolumes", "ports"):
        body[key] = list(reversed(body.get(key, [])))
    body["gpu"]["pools"].reverse()
    assert diff(endpoint, align(endpoint, from_wire(body))) == ()


CHANGES: list[tuple[str, Endpoint, tuple[Change, ...]]] = [
    ("name", replace(BASE, name="b"), (Change(path="name", old="splat", new="b", effect=Effect.UPDATE),)),
    (
        "image",
        replace(BASE, image="repo@sha256:11"),
        (Change(path="image", old="repo@sha256:00", new="repo@sha256:11", effect=Effect.RELEASE),),
    ),
    (
        "type",
        replace(BASE, type=EndpointType.LOAD_BALANCER),
        (Change(path="type", old="QUEUE", new="LOAD_BALANCER", effect=Effect.REPLACE),),
    ),
    (
        "pools",
        replace(BASE, gpu=Gpu(pools=("AMPERE_24",))),
        (Change(path="gpu.pools", old=["ADA_24"], new=["AMPERE_24"], effect=Effect.RELEASE),),
    ),
    (
        "cuda floor",
        replace(BASE, gpu=Gpu(pools=("ADA_24",), min_cuda_version="12.8")),
        (Change(path="gpu.minCudaVersion", old="", new="12.8", effect=Effect.RELEASE),),
    ),
    (
        "workers",
        replace(BASE, workers=Workers(min=0, max=5)),
        (Change(path="workers.max", old=3, new=5, effect=Effect.UPDATE),),
    ),
    (
        "scaler",
        replace(BASE, scaling=RequestCount(requests=2)),
        (
            Change(path="scaling.queueDelay", old=4.0, new=None, effect=Effect.UPDATE),
            Change(path="scaling.requestCount", old=None, new=2, effect=Effect.UPDATE),
            Change(path="scaling.type", old="QUEUE_DELAY", new="REQUEST_COUNT", effect=Effect.UPDATE),
        ),
    ),
    ("timeout", replace(BASE, timeout_ms=9000), (Change(path="timeout", old=600_000, new=9000, effect=Effect.UPDATE),)),
    (
        "flashboot",
        replace(BASE, flashboot=FlashBoot.FLASHBOOT),
        (Change(path="flashboot", old="OFF", new="FLASHBOOT", effect=Effect.UPDATE),),
    ),
    ("env", replace(BASE, env={}), (Change(path="env.A", old="1", new=None, effect=Effect.RELEASE),)),
    ("registry", replace(BASE, registry="r1"), (Change(path="registry", old=None, new="r1", effect=Effect.RELEASE),)),
    ("disk", replace(BASE, disk_gb=30), (Change(path="disk", old=20, new=30, effect=Effect.RELEASE),)),
    (
        "ports",
        replace(BASE, ports=("80/http",)),
        (Change(path="ports", old=None, new=["80/http"], effect=Effect.RELEASE),),
    ),
    ("args", replace(BASE, args="-v"), (Change(path="args", old=None, new="-v", effect=Effect.RELEASE),)),
    (
        "data centres",
        replace(BASE, data_center_ids=("EU-RO-1",)),
        (Change(path="dataCenterIds", old=[], new=["EU-RO-1"], effect=Effect.UPDATE),),
    ),
    (
        "volumes",
        replace(BASE, network_volumes=("v1",)),
        (Change(path="networkVolumes", old=[], new=["v1"], effect=Effect.RELEASE),),
    ),
]


@pytest.mark.parametrize(("new", "expected"), [row[1:] for row in CHANGES], ids=[row[0] for row in CHANGES])
def test_one_changed_field_is_one_known_change(new: Endpoint, expected: tuple[Change, ...]) -> None:
    assert diff(BASE, new) == expected


def test_going_from_gpu_to_cpu_replaces_the_endpoint() -> None:
    effects = {change.effect for change in diff(BASE, replace(BASE, gpu=None, cpu=(Cpu(id="cpu5c", vcpu_count=4),)))}
    assert effects == {Effect.REPLACE}


PATCHES: list[tuple[str, Endpoint, Endpoint, dict[str, Any]]] = [
    (
        "whole sub-object",
        BASE,
        replace(BASE, workers=Workers(min=1, max=3)),
        {"workers": {"min": 1, "max": 3, "idleTimeout": 10}},
    ),
    ("whole env", replace(BASE, env={"A": "1", "B": "2"}), replace(BASE, env={"B": "3"}), {"env": {"B": "3"}}),
    ("registry un-set", replace(BASE, registry="r"), BASE, {"registry": None}),
    ("args un-set", replace(BASE, args="-v"), BASE, {"args": ""}),
    ("ports un-set", replace(BASE, ports=("80/http",)), BASE, {"ports": []}),
    ("data centres un-set", replace(BASE, data_center_ids=("EU-RO-1",)), BASE, {"dataCenterIds": []}),
    (
        "floor un-set, exclusions restated with the pools they belong to",
        replace(BASE, gpu=Gpu(pools=("ADA_24",), excluded_types=("X",), min_cuda_version="12.8")),
        replace(BASE, gpu=Gpu(pools=("ADA_24",), excluded_types=("X",))),
        {
            "gpu": {
                "pools": ["ADA_24"],
                "count": 1,
                "excludedTypes": ["X"],
                "allowedCudaVersions": [],
                "minCudaVersion": "",
            }
        },
    ),
    ("nothing", BASE, BASE, {}),
]


@pytest.mark.parametrize(("old", "new", "body"), [row[1:] for row in PATCHES], ids=[row[0] for row in PATCHES])
def test_a_patch_holds_only_what_changed_and_whole_objects(old: Endpoint, new: Endpoint, body: dict[str, Any]) -> None:
    assert patch(old, new) == body


def test_a_patch_refuses_what_only_a_replacement_can_do() -> None:
    with pytest.raises(ValueError, match="type cannot change"):
        patch(BASE, replace(BASE, type=EndpointType.LOAD_BALANCER))


def test_variables_that_the_platform_adds_are_no_drift_but_others_are() -> None:
    read = replace(BASE, env={"A": "1", "RUNPOD_POD_ID": "x", "FOREIGN": "y"})
    assert diff(BASE, align(BASE, read)) == (Change(path="env.FOREIGN", old=None, new="y", effect=Effect.RELEASE),)


@pytest.mark.parametrize(
    ("new_max", "says"),
    [(2, "RunPod itself cuts it after 3 days"), (0, "RunPod itself cuts it after 7 days"), (1, "outside this program")],
)
def test_drift_names_the_platforms_own_doings(new_max: int, says: str) -> None:
    read = replace(BASE, workers=Workers(min=0, max=new_max))
    [sentence] = explain_drift(diff(BASE, read))
    assert says in sentence


def test_a_read_object_without_a_field_names_it() -> None:
    body = to_wire(BASE)
    del body["workers"]
    with pytest.raises(ValueError, match="lacks the field 'workers'"):
        from_wire(body)


@pytest.mark.parametrize(
    "change",
    [
        {"flashboot": "TURBO"},
        {"type": "STREAM"},
        {"scaling": {"type": "MAGIC"}},
        {"workers": None},
        {"workers": []},
        {"gpu": ["ADA_24"]},
        {"timeout": "soon"},
        {"env": ["A"]},
        {"cpu": [1]},
    ],
    ids=str,
)
def test_a_read_object_of_another_shape_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        from_wire({**to_wire(BASE), **change})


def test_an_idle_timeout_left_to_the_platform_is_no_drift() -> None:
    known = replace(BASE, workers=Workers(min=0, max=3, idle_timeout_s=None))
    read = replace(BASE, workers=Workers(min=0, max=3, idle_timeout_s=10))
    assert diff(known, align(known, read)) == ()
    assert diff(BASE, align(BASE, replace(BASE, workers=Workers(idle_timeout_s=99)))) != ()
