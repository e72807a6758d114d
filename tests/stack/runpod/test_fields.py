"""Every field of every RunPod resource, changed alone, through the real engine: what is planned, and what is applied.
One resource per field, so one preview and one `up` show them all; the way back shows each field un-set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contract.runpod.conftest import REPOSITORY
from tests.stack.runpod.conftest import PATHS, Declared, Objects

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]

IMAGE = f"{REPOSITORY}@sha256:{'a' * 64}"
# Follow from other inputs and change with them.
# A secret input shows as `[secret]` before and after; its change shows in the name that is derived from it.
DERIVED = {"gpu", "price", "card", "__provider"}
# The engine's steps. A credential is deleted only after everything points to its successor.
UPDATE = "update"
ROTATE = "create-replacement, delete-replaced"
# Inputs that the provider resolves, and the field of the endpoint object that they become.
IN_OBJECT = {"gpuNames": "gpu", "gpuCount": "gpu", "minCudaVersion": "gpu"}
Arguments = dict[str, Any]
WORKERS = {"min": 0, "max": 1, "idleTimeout": 10}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One resource whose arguments differ in one field. `plan` is what the engine should do about it,
    `back` about its way back; `by_hand` changes the field behind the engine's back (a PATCH body)."""

    kind: str = "Endpoint"
    before: Arguments = field(default_factory=dict)
    after: Arguments
    changed: set[str]
    plan: str = UPDATE
    back: str = UPDATE
    by_hand: Arguments | None = None
    drifted: str = ""  # path that the drift message names


ROWS: dict[str, Row] = {
    "name": Row(after={"name": "other"}, changed={"name"}, by_hand={"name": "hand"}, drifted="name"),
    "image": Row(
        after={"image": IMAGE[:-1] + "b"}, changed={"image"}, by_hand={"image": IMAGE[:-1] + "c"}, drifted="image"
    ),
    "disk": Row(after={"disk": 30}, changed={"disk"}, by_hand={"disk": 99}, drifted="disk"),
    "env-added": Row(after={"env": {"A": "1"}}, changed={"env"}, by_hand={"env": {"B": "2"}}, drifted="env.B"),
    "env-changed": Row(
        before={"env": {"A": "1", "B": "1"}},
        after={"env": {"A": "2", "B": "1"}},
        changed={"env"},
        by_hand={"env": {"A": "3", "B": "1"}},
        drifted="env.A",
    ),
    "registry": Row(
        after={"registry": "@login"}, changed={"registry"}, by_hand={"registry": "@login"}, drifted="registry"
    ),
    "gpu-pool": Row(
        after={"gpuNames": ["L40S"]}, changed={"gpuNames"}, by_hand={"gpu": {"pools": ["AMPERE_24"]}}, drifted="gpu."
    ),
    "gpu-exclusions": Row(
        before={"gpuNames": ["L4"]},
        after={"gpuNames": ["L4", "RTX A5000"]},
        changed={"gpuNames"},
        by_hand={"gpu": {"pools": ["AMPERE_24"], "excludedTypes": []}},
        drifted="gpu.excludedTypes",
    ),
    "gpu-count": Row(after={"gpuCount": 2}, changed={"gpuCount"}, by_hand={"gpu": {"count": 3}}, drifted="gpu.count"),
    "cuda-minimum": Row(
        after={"minCudaVersion": "12.8"},
        changed={"minCudaVersion"},
        by_hand={"gpu": {"minCudaVersion": "12.4"}},
        drifted="gpu.minCudaVersion",
    ),
    "workers-min": Row(
        before={"workers": {**WORKERS, "max": 2}},
        after={"workers": {**WORKERS, "max": 2, "min": 1}},
        changed={"workers"},
        by_hand={"workers": {"min": 1}},
        drifted="workers.min",
    ),
    "workers-max": Row(
        after={"workers": {**WORKERS, "max": 3}},
        changed={"workers"},
        by_hand={"workers": {"max": 5}},
        drifted="workers.max",
    ),
    "idle-timeout": Row(
        after={"workers": {**WORKERS, "idleTimeout": 99}},
        changed={"workers"},
        by_hand={"workers": {"idleTimeout": 77}},
        drifted="workers.idleTimeout",
    ),
    "queue-delay": Row(
        after={"scaling": {"type": "QUEUE_DELAY", "queueDelay": 9.5}},
        changed={"scaling"},
        by_hand={"scaling": {"type": "QUEUE_DELAY", "queueDelay": 60}},
        drifted="scaling.queueDelay",
    ),
    "timeout": Row(after={"timeout": 700_000}, changed={"timeout"}, by_hand={"timeout": 5000}, drifted="timeout"),
    "flashboot": Row(
        after={"flashboot": "FLASHBOOT"},
        changed={"flashboot"},
        by_hand={"flashboot": "PRIORITY_FLASHBOOT"},
        drifted="flashboot",
    ),
    "data-centres": Row(
        after={"dataCenterIds": ["EU-RO-1"]},
        changed={"dataCenterIds"},
        by_hand={"dataCenterIds": ["US-TX-3"]},
        drifted="dataCenterIds",
    ),
    "login-user": Row(
        kind="RegistryCredential", after={"username": "second"}, changed={"username", "name"}, plan=ROTATE, back=ROTATE
    ),
    "login-password": Row(
        kind="RegistryCredential", after={"password": "second-password"}, changed={"name"}, plan=ROTATE, back=ROTATE
    ),
    "login-name": Row(
        kind="RegistryCredential",
        after={"base_name": "renamed"},
        changed={"baseName", "name"},
        plan=ROTATE,
        back=ROTATE,
    ),
}
# What no setting reaches stays empty: set by hand, it is drift, and the next `up` empties it.
HELD_EMPTY: dict[str, Arguments] = {
    "args": {"args": "--by-hand"},
    "ports": {"ports": ["22/tcp"]},
    "cuda-list": {"gpu": {"allowedCudaVersions": ["12.4"]}},
}
BASES: dict[str, Any] = {
    "Endpoint": lambda name: {
        "name": f"e-{name}",
        "image": IMAGE,
        "gpuNames": ["RTX 4090"],
        "gpuCount": 1,
        "minCudaVersion": "",
        "workers": WORKERS,
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
        "timeout": 600_000,
        "flashboot": "OFF",
        "disk": 20,
        "dataCenterIds": [],
        "env": {},
    },
    "RegistryCredential": lambda name: {"base_name": name, "owner": "o", "username": "u", "password": "first-password"},
}


def declared(which: str) -> Declared:
    """Every row with its `before` or its `after`, and what the rows refer to."""
    found: Declared = {"RegistryCredential": {"login": BASES["RegistryCredential"]("login")}, "Endpoint": {}}
    for name, row in ROWS.items():
        found[row.kind][name] = {**BASES[row.kind](name), **(row.before if which == "before" else row.after)}
    for name in HELD_EMPTY:
        found["Endpoint"][name] = BASES["Endpoint"](name)
    for name, made in found["Endpoint"].items():  # without a marker, one create could not be distinguished
        made["env"] = {"SPLAT_DEPLOYMENT": f"t.{name}", **made["env"]}
    return found


def steps(events: list[Any]) -> dict[str, tuple[str, set[str]]]:
    """What the engine does to each resource: update, create, or replace with the order of its halves."""
    found: dict[str, tuple[str, set[str]]] = {}
    for event in events:
        step = event.resource_pre_event and event.resource_pre_event.metadata
        if not step or "dynamic" not in step.type or step.op.value in ("same", "read", "refresh", "replace"):
            continue
        name, op = step.urn.rpartition("::")[2], step.op.value
        first, differ = found.get(name, ("", set()))
        if step.old and step.new:
            old, new = step.old.inputs or {}, step.new.inputs or {}
            differ = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} - DERIVED
        found[name] = (f"{first}, {op}" if first else op, differ)
    return found


@pytest.fixture(scope="module")
def made(objects: Objects) -> Objects:
    """Every row as it is before its change."""
    objects.declare(declared("before"))
    objects.up()
    return objects


@pytest.mark.parametrize("which", ["after", "before"])
def test_each_changed_field_is_planned_and_applied_alone(made: Objects, which: str) -> None:
    old_ids, before = made.ids(), made.seen()
    made.declare(declared(which))

    planned = steps(made.planned())

    expected = {name: (row.plan if which == "after" else row.back, row.changed) for name, row in ROWS.items()}
    assert planned == expected
    applied = steps(made.up())
    assert {name: kind for name, (kind, _) in applied.items()} == {name: kind for name, (kind, _) in expected.items()}
    new_ids = made.ids()
    assert {name for name in old_ids if old_ids[name] != new_ids[name]} == {
        name for name, (kind, _) in expected.items() if kind != UPDATE
    }
    after = made.seen()
    assert after.keys() == set(new_ids.values())
    for name, row in ROWS.items():
        if expected[name][0] == UPDATE:  # this field of the object and no other
            old, new = before[old_ids[name]], after[new_ids[name]]
            differ = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
            assert differ == {IN_OBJECT.get(key, key) for key in row.changed}, name
    assert steps(made.planned()) == {}


def test_each_field_changed_by_hand_is_found_by_refresh_named_and_corrected(made: Objects) -> None:
    ids, before = made.ids(), made.seen()
    drifting = {name: (row.by_hand, row.drifted) for name, row in ROWS.items() if row.by_hand is not None}
    drifting |= {name: (body, "") for name, body in HELD_EMPTY.items()}
    for name, (by_hand, _) in drifting.items():
        body = json.loads(json.dumps(by_hand).replace('"@login"', json.dumps(ids["login"])))
        if "env" in body:
            body["env"]["SPLAT_DEPLOYMENT"] = f"t.{name}"
        answer = made.standin.http.request("PATCH", f"{PATHS['Endpoint'][0]}/{ids[name]}", json=body)
        assert answer.status_code == 200, f"{name}: {answer.text}"
    # A credential cannot be changed by hand, only deleted.
    made.standin.http.request("DELETE", f"{PATHS['RegistryCredential'][0]}/{ids['login-user']}")

    refreshed = made.stack.refresh(suppress_progress=True, color="never")

    assert (refreshed.summary.resource_changes or {})["update"] == len(drifting)
    for name, (_, path) in drifting.items():
        reported = [line for line in refreshed.stdout.splitlines() if f"drift: {path}" in line]
        assert reported, f"{name}: no line about {path}"
    planned = steps(made.planned())
    assert {name: kind for name, (kind, _) in planned.items()} == {
        **dict.fromkeys(drifting, UPDATE),
        "login-user": "create",
    }
    made.up()
    after = made.seen()
    gone = {ids["login-user"]}
    assert {id_: after[id_] for id_ in before.keys() - gone} == {id_: before[id_] for id_ in before.keys() - gone}
    assert steps(made.planned()) == {}
