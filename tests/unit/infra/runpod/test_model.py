"""The canonical endpoint: the round trip changes nothing, and each difference becomes the smallest PATCH."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.runpod.model import FIELDS, Change, NotInPlace, Wire, align, canonical, diff, explain_drift, patch

words = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).filter(lambda word: not word.startswith("-"))
lists = st.lists(words, max_size=4, unique=True)
bodies = st.fixed_dictionaries(
    {
        "name": words,
        "type": st.just("QUEUE"),
        "image": words,
        "gpu": st.fixed_dictionaries(
            {
                "pools": st.lists(words, min_size=1, max_size=3, unique=True),
                "count": st.integers(1, 8),
                "excludedTypes": lists,
                "minCudaVersion": st.sampled_from(["", "12.8", "13.0"]),
            }
        ),
        "workers": st.fixed_dictionaries(
            {"min": st.integers(0, 3), "max": st.integers(3, 9), "idleTimeout": st.integers(1, 3600)}
        ),
        "scaling": st.fixed_dictionaries({"type": st.just("QUEUE_DELAY"), "queueDelay": st.floats(0.5, 600)}),
        "timeout": st.integers(5000, 604_800_000),
        "flashboot": st.sampled_from(["OFF", "FLASHBOOT"]),
        "dataCenterIds": lists,
        "args": st.just("") | words,
        "disk": st.integers(1, 500),
        "ports": lists,
        "env": st.dictionaries(words, words, max_size=4),
        "registry": st.none() | words,
    }
)
BODY: Wire = {
    "name": "splat",
    "type": "QUEUE",
    "image": "repo@sha256:00",
    "gpu": {"pools": ["ADA_24"], "count": 1},
    "workers": {"min": 0, "max": 3, "idleTimeout": 10},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    "timeout": 600_000,
    "flashboot": "OFF",
    "disk": 20,
    "env": {"A": "1"},
}
BASE = canonical(BODY)


def changed(**fields: Any) -> Wire:
    return canonical({**BODY, **fields})


def as_floats(value: Any) -> Any:
    """What Pulumi's dynamic provider receives: every number is a float."""
    if isinstance(value, dict):
        return {key: as_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_floats(inner) for inner in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(bodies)
def test_what_is_sent_and_read_back_is_no_change(body: Wire) -> None:
    assert diff(canonical(body), canonical(canonical(body))) == ()


@given(bodies)
def test_numbers_that_arrive_as_floats_are_no_change(body: Wire) -> None:
    assert diff(canonical(body), canonical(as_floats(body))) == ()


@given(bodies)
def test_numbers_leave_as_integers(body: Wire) -> None:
    sent = canonical(as_floats(body))
    assert isinstance(sent["timeout"], int)
    assert isinstance(sent["workers"]["max"], int)
    assert isinstance(sent["gpu"]["count"], int)


@given(bodies, bodies)
def test_applying_a_patch_as_the_service_does_reaches_the_wanted_endpoint(old: Wire, new: Wire) -> None:
    body = dict(canonical(old))
    for key, value in patch(canonical(old), canonical(new)).items():
        body[key] = {**body.get(key, {}), **value} if key == "gpu" else value
    assert diff(canonical(new), canonical(body)) == ()


@given(bodies)
def test_a_list_read_in_another_order_is_no_drift(body: Wire) -> None:
    read = canonical(body)
    for key in ("dataCenterIds", "ports"):
        read[key] = list(reversed(read.get(key, [])))
    read["gpu"] = {**read["gpu"], "pools": list(reversed(read["gpu"]["pools"]))}
    assert diff(canonical(body), align(canonical(body), canonical(read))) == ()


CHANGES: list[tuple[Wire, tuple[str, Any, Any]]] = [
    ({"name": "b"}, ("name", "splat", "b")),
    ({"image": "repo@sha256:11"}, ("image", "repo@sha256:00", "repo@sha256:11")),
    ({"type": "LOAD_BALANCER"}, ("type", "QUEUE", "LOAD_BALANCER")),
    ({"gpu": {"pools": ["AMPERE_24"], "count": 1}}, ("gpu.pools", ["ADA_24"], ["AMPERE_24"])),
    ({"gpu": {**BODY["gpu"], "minCudaVersion": "12.8"}}, ("gpu.minCudaVersion", None, "12.8")),
    ({"workers": {**BODY["workers"], "max": 5}}, ("workers.max", 3, 5)),
    ({"workers": {**BODY["workers"], "idleTimeout": 99}}, ("workers.idleTimeout", 10, 99)),
    ({"scaling": {"type": "QUEUE_DELAY", "queueDelay": 9.5}}, ("scaling.queueDelay", 4, 9.5)),
    ({"timeout": 9000}, ("timeout", 600_000, 9000)),
    ({"flashboot": "FLASHBOOT"}, ("flashboot", "OFF", "FLASHBOOT")),
    ({"env": {}}, ("env.A", "1", None)),
    ({"registry": "r1"}, ("registry", None, "r1")),
    ({"disk": 30}, ("disk", 20, 30)),
    ({"ports": ["80/http"]}, ("ports", None, ["80/http"])),
    ({"args": "-v"}, ("args", None, "-v")),
    ({"dataCenterIds": ["EU-RO-1"]}, ("dataCenterIds", None, ["EU-RO-1"])),
    ({"networkVolumes": ["v1"]}, ("networkVolumes", None, ["v1"])),
]


@pytest.mark.parametrize(("fields", "expected"), CHANGES, ids=[row[1][0] for row in CHANGES])
def test_one_changed_value_is_one_change(fields: Wire, expected: tuple[str, Any, Any]) -> None:
    path, old, new = expected
    assert diff(BASE, changed(**fields)) == (Change(path=path, old=old, new=new),)


PATCHES: list[tuple[str, Wire, Wire, Wire]] = [
    (
        "whole sub-object",
        BASE,
        changed(workers={"min": 1, "max": 3, "idleTimeout": 10}),
        {"workers": {"min": 1, "max": 3, "idleTimeout": 10}},
    ),
    ("whole env", changed(env={"A": "1", "B": "2"}), changed(env={"B": "3"}), {"env": {"B": "3"}}),
    ("env un-set", BASE, changed(env={}), {"env": {}}),
    ("registry un-set", changed(registry="r"), BASE, {"registry": None}),
    ("args un-set", changed(args="-v"), BASE, {"args": ""}),
    ("ports un-set", changed(ports=["80/http"]), BASE, {"ports": []}),
    ("data centres un-set", changed(dataCenterIds=["EU-RO-1"]), BASE, {"dataCenterIds": []}),
    ("volumes un-set", changed(networkVolumes=["v1"]), BASE, {"networkVolumes": []}),
    (
        "minimum un-set, exclusions repeated with the pools they belong to",
        changed(gpu={**BODY["gpu"], "excludedTypes": ["X"], "minCudaVersion": "12.8"}),
        changed(gpu={**BODY["gpu"], "excludedTypes": ["X"]}),
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
def test_a_patch_holds_only_what_changed_and_whole_objects(old: Wire, new: Wire, body: Wire) -> None:
    assert patch(old, new) == body


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"type": "LOAD_BALANCER"}, "type cannot change"),
        ({"gpu": None, "cpu": [{"id": "cpu5c", "vcpuCount": 4}]}, "gpu cannot change"),
    ],
)
def test_an_endpoint_of_another_type_or_without_a_gpu_cannot_change_in_place(fields: Wire, says: str) -> None:
    with pytest.raises(NotInPlace, match=says):
        patch(changed(**fields), BASE)


def test_variables_that_the_platform_adds_are_no_drift_but_others_are() -> None:
    read = changed(env={"A": "1", "RUNPOD_POD_ID": "x", "FOREIGN": "y"})
    assert diff(BASE, align(BASE, read)) == (Change(path="env.FOREIGN", old=None, new="y"),)


@pytest.mark.parametrize(
    ("new_max", "says"),
    [(2, "RunPod lowers it after 3 days"), (0, "RunPod lowers it after 7 days"), (1, "outside this program")],
)
def test_drift_names_runpods_own_changes(new_max: int, says: str) -> None:
    [sentence] = explain_drift(diff(BASE, changed(workers={**BODY["workers"], "max": new_max})))
    assert says in sentence


@pytest.mark.parametrize("name", [name for name, field in FIELDS.items() if field.required])
def test_a_read_object_without_a_required_field_names_it(name: str) -> None:
    body = dict(BODY)
    del body[name]
    with pytest.raises(ValueError, match=f"lacks the field '{name}'"):
        canonical(body)


@pytest.mark.parametrize(
    "change",
    [
        {"workers": None},
        {"workers": []},
        {"timeout": "soon"},
        {"timeout": True},
        {"scaling": "MAGIC"},
    ],
    ids=str,
)
def test_a_required_field_of_another_shape_is_a_value_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        canonical({**BODY, **change})


# What a newer API may answer for an endpoint of ours, field by field.
NEWER: list[dict[str, Any]] = [
    {"flashboot": "TURBO"},
    {"flashboot": {"mode": "TURBO"}},
    {"type": "BATCH"},
    {"scaling": {"type": "COST", "usdPerHour": 2}},
    {"gpu": {"types": ["NVIDIA B300"], "count": 1}},
    {"gpu": ["ADA_24"]},
    {"env": [{"name": "A", "value": "1"}]},
    {"dataCenterIds": {"allow": ["EU-RO-1"]}},
    {"disk": {"gb": 20}},
    {"registry": {"id": "cred1"}},
]


@pytest.mark.parametrize("change", NEWER, ids=str)
def test_a_value_of_a_newer_api_is_drift_with_a_warning_and_not_an_error(change: dict[str, Any]) -> None:
    """Through everything that a refresh and the update after it do."""
    [name] = change
    read = align(BASE, canonical({**BODY, **change}))
    stored = canonical(read)
    assert stored[name] == read[name]
    changes = diff(BASE, stored)
    assert {one.path.partition(".")[0] for one in changes} == {name}
    assert all(name in sentence for sentence in explain_drift(changes))
    assert set(patch(stored, BASE)) == {name} - {"type"}


def test_a_field_that_only_a_newer_api_has_is_no_drift() -> None:
    assert diff(BASE, canonical({**BODY, "secrets": ["s1"], "maxSpend": {"usd": 3}})) == ()


def test_a_value_that_the_program_does_not_know_is_said_to_be_unknown() -> None:
    [sentence] = explain_drift(diff(BASE, canonical({**BODY, "type": "BATCH"})))
    assert "does not know" in sentence
    assert "BATCH" in sentence
