"""Every field of every RunPod resource, changed alone, through the real engine: what is planned, what then is so.
One resource per field, so that one preview and one `up` show them all; the way back shows each field un-set."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.contract.runpod.conftest import REPOSITORY
from tests.stack.runpod.conftest import PATHS, Declared, Objects

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]

IMAGE = f"{REPOSITORY}@sha256:{'a' * 64}"
# Follow from other inputs, so they change with them; what a person changed is the rest.
# A secret input shows as `[secret]` before and after; that it changed shows in the name that is made from it.
DERIVED = {"gpu", "price", "__provider"}
# The engine's steps. An endpoint or volume goes before its successor comes (quota, marker, name); a credential
# or secret only after everything points to its successor.
UPDATE = "update"
REPLACE = "delete-replaced, create-replacement"
ROTATE = "create-replacement, delete-replaced"
# Inputs that the provider resolves, and the field of the endpoint object that they become.
IN_OBJECT = {"gpuNames": "gpu", "gpuCount": "gpu", "minCudaVersion": "gpu", "allowedCudaVersions": "gpu"}
Arguments = dict[str, Any]


def endpoint(**arguments: Any) -> Arguments:
    return {
        "image": IMAGE,
        "gpu_names": ["RTX 4090"],
        "workers_min": 0,
        "workers_max": 1,
        "idle_timeout_s": 10,
        "queue_delay_s": 4,
        "timeout_ms": 600_000,
        "flashboot": "OFF",
        "disk_gb": 20,
        "env": {},
        **arguments,
    }


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


BALANCER = {"type": "LOAD_BALANCER", "queue_delay_s": None, "request_count": 4, "idle_timeout_s": None}
CPU = {"gpu_names": [], "cpu": [{"id": "cpu5c", "vcpuCount": 4}]}
ROWS: dict[str, Row] = {
    "name": Row(after={"name": "other"}, changed={"name"}, by_hand={"name": "hand"}, drifted="name"),
    "image": Row(
        after={"image": IMAGE[:-1] + "b"}, changed={"image"}, by_hand={"image": IMAGE[:-1] + "c"}, drifted="image"
    ),
    "args": Row(after={"args": "--loud"}, changed={"args"}, by_hand={"args": "--by-hand"}, drifted="args"),
    "disk": Row(after={"disk_gb": 30}, changed={"disk"}, by_hand={"disk": 99}, drifted="disk"),
    "ports": Row(after={"ports": ["8000/http"]}, changed={"ports"}, by_hand={"ports": ["22/tcp"]}, drifted="ports"),
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
        after={"gpu_names": ["L40S"]}, changed={"gpuNames"}, by_hand={"gpu": {"pools": ["AMPERE_24"]}}, drifted="gpu."
    ),
    "gpu-exclusions": Row(
        before={"gpu_names": ["L4"]},
        after={"gpu_names": ["L4", "RTX A5000"]},
        changed={"gpuNames"},
        by_hand={"gpu": {"pools": ["AMPERE_24"], "excludedTypes": []}},
        drifted="gpu.excludedTypes",
    ),
    "gpu-count": Row(after={"gpu_count": 2}, changed={"gpuCount"}, by_hand={"gpu": {"count": 3}}, drifted="gpu.count"),
    "cuda-floor": Row(
        after={"min_cuda_version": "12.8"},
        changed={"minCudaVersion"},
        by_hand={"gpu": {"minCudaVersion": "12.4"}},
        drifted="gpu.minCudaVersion",
    ),
    "cuda-list": Row(
        after={"allowed_cuda_versions": ["12.8"]},
        changed={"allowedCudaVersions"},
        by_hand={"gpu": {"allowedCudaVersions": ["12.4"]}},
        drifted="gpu.allowedCudaVersions",
    ),
    "cpu": Row(
        before=CPU,
        after={**CPU, "cpu": [{"id": "cpu5c", "vcpuCount": 8}]},
        changed={"cpu"},
        by_hand={"cpu": [{"id": "cpu3c", "vcpuCount": 2}]},
        drifted="cpu",
    ),
    "workers-min": Row(
        before={"workers_max": 2},
        after={"workers_max": 2, "workers_min": 1},
        changed={"workers"},
        by_hand={"workers": {"min": 1}},
        drifted="workers.min",
    ),
    "workers-max": Row(
        after={"workers_max": 3}, changed={"workers"}, by_hand={"workers": {"max": 5}}, drifted="workers.max"
    ),
    "idle-timeout": Row(
        after={"idle_timeout_s": 99},
        changed={"workers"},
        by_hand={"workers": {"idleTimeout": 77}},
        drifted="workers.idleTimeout",
    ),
    "queue-delay": Row(
        after={"queue_delay_s": 9.5},
        changed={"scaling"},
        by_hand={"scaling": {"type": "QUEUE_DELAY", "queueDelay": 60}},
        drifted="scaling.queueDelay",
    ),
    "request-count": Row(
        before=BALANCER,
        after={**BALANCER, "request_count": 9},
        changed={"scaling"},
        by_hand={"scaling": {"type": "REQUEST_COUNT", "requestCount": 2}},
        drifted="scaling.requestCount",
    ),
    "scaler": Row(
        after={"queue_delay_s": None, "request_count": 3, "idle_timeout_s": None},
        changed={"scaling", "workers"},
        by_hand={"scaling": {"type": "REQUEST_COUNT", "requestCount": 2}},
        drifted="scaling.type",
    ),
    "timeout": Row(after={"timeout_ms": 700_000}, changed={"timeout"}, by_hand={"timeout": 5000}, drifted="timeout"),
    "flashboot": Row(
        after={"flashboot": "FLASHBOOT"},
        changed={"flashboot"},
        by_hand={"flashboot": "PRIORITY_FLASHBOOT"},
        drifted="flashboot",
    ),
    "data-centres": Row(
        after={"data_centers": ["EU-RO-1"]},
        changed={"dataCenterIds"},
        by_hand={"dataCenterIds": ["US-TX-3"]},
        drifted="dataCenterIds",
    ),
    "volumes": Row(
        after={"network_volumes": ["@scratch"]},
        changed={"networkVolumes"},
        by_hand={"networkVolumes": ["@scratch"]},
        drifted="networkVolumes",
    ),
    "type": Row(after=BALANCER, changed={"type", "scaling", "workers"}, plan=REPLACE, back=REPLACE),
    "family": Row(after=CPU, changed={"gpuNames", "cpu"}, plan=REPLACE, back=REPLACE),
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
    "secret-value": Row(
        kind="AccountSecret", after={"value": "second-value"}, changed={"name"}, plan=ROTATE, back=ROTATE
    ),
    "secret-name": Row(
        kind="AccountSecret", after={"base_name": "other"}, changed={"baseName", "name"}, plan=ROTATE, back=ROTATE
    ),
    "volume-name": Row(
        kind="NetworkVolume", after={"name": "v-other"}, changed={"name"}, by_hand={"name": "v-hand"}, drifted="name"
    ),
    "volume-size": Row(kind="NetworkVolume", after={"size_gb": 40}, changed={"size"}, back=REPLACE),
    "volume-place": Row(
        kind="NetworkVolume", after={"data_center": "US-TX-3"}, changed={"dataCenter"}, plan=REPLACE, back=REPLACE
    ),
    "volume-type": Row(
        kind="NetworkVolume",
        before={"type": "STANDARD"},
        after={"type": "HIGH_PERFORMANCE"},
        changed={"type"},
        plan=REPLACE,
        back=REPLACE,
    ),
}
BASES: dict[str, Any] = {
    "Endpoint": lambda name: endpoint(name=f"e-{name}"),
    "RegistryCredential": lambda name: {"base_name": name, "owner": "o", "username": "u", "password": "first-password"},
    "AccountSecret": lambda name: {"base_name": name, "owner": "o", "value": "first-value"},
    "NetworkVolume": lambda name: {"name": f"v-{name}", "size_gb": 20, "data_center": "EU-RO-1", "type": "STANDARD"},
}


def declared(which: str) -> Declared:
    """Every row with its `before` or its `after`, and what the rows refer to."""
    found: Declared = {
        "RegistryCredential": {"login": BASES["RegistryCredential"]("login")},
        "NetworkVolume": {"scratch": BASES["NetworkVolume"]("scratch")},
    }
    for name, row in ROWS.items():
        made = {**BASES[row.kind](name), **(row.before if which == "before" else row.after)}
        if row.kind == "Endpoint":  # without a mark of its own, a create could not be told from another's
            made["env"] = {"SPLAT_DEPLOYMENT": f"t.{name}", **made["env"]}
        found.setdefault(row.kind, {})[name] = made
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
def test_each_changed_field_is_planned_as_what_it_is_and_then_is_so(made: Objects, which: str) -> None:
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


def test_each_field_changed_by_hand_is_found_by_refresh_named_and_mended(made: Objects) -> None:
    ids, drifting = made.ids(), {name: row for name, row in ROWS.items() if row.by_hand is not None}
    before = made.seen()
    for name, row in drifting.items():
        body = json.loads(json.dumps(row.by_hand).replace('"@login"', json.dumps(ids["login"])))
        body = json.loads(json.dumps(body).replace('"@scratch"', json.dumps(ids["scratch"])))
        if "env" in body:
            body["env"]["SPLAT_DEPLOYMENT"] = f"t.{name}"
        answer = made.standin.http.request("PATCH", f"{PATHS[row.kind][0]}/{ids[name]}", json=body)
        assert answer.status_code == 200, f"{name}: {answer.text}"
    for name in ("login-user", "secret-value"):  # what cannot be changed by hand can be gone
        made.standin.http.request("DELETE", f"{PATHS[ROWS[name].kind][0]}/{ids[name]}")

    refreshed = made.stack.refresh(suppress_progress=True, color="never")

    assert (refreshed.summary.resource_changes or {})["update"] == len(drifting)
    for name, row in drifting.items():
        if row.kind == "Endpoint":
            told = [line for line in refreshed.stdout.splitlines() if f"drift: {row.drifted}" in line]
            assert told, f"{name}: nothing said of {row.drifted}"
    planned = steps(made.planned())
    assert {name: kind for name, (kind, _) in planned.items()} == {
        **dict.fromkeys(drifting, UPDATE),
        **dict.fromkeys(("login-user", "secret-value"), "create"),
    }
    made.up()
    after = made.seen()
    gone = {ids["login-user"], ids["secret-value"]}
    assert {id_: after[id_] for id_ in before.keys() - gone} == {id_: before[id_] for id_ in before.keys() - gone}
    assert steps(made.planned()) == {}
