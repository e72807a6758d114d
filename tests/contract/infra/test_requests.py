"""Every body that the client can send, held against RunPod's published document.
The document is data of 2026-08-20 (tests/contract/specs)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from infra.runpod.model import (
    Cpu,
    Endpoint,
    EndpointType,
    FlashBoot,
    Gpu,
    QueueDelay,
    RequestCount,
    Workers,
    patch,
    to_wire,
)

DOCUMENT = json.loads((Path(__file__).parents[1] / "specs" / "runpod-rest-v2.openapi.json").read_text())


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


CREATE, UPDATE = validator("CreateEndpointRequest"), validator("UpdateEndpointRequest")
words = st.text("abcdefghijklmnop-", min_size=1, max_size=8).filter(lambda word: not word.startswith("-"))
lists = st.lists(words, max_size=3, unique=True).map(tuple)
workers = st.builds(
    Workers, min=st.integers(0, 3), max=st.integers(3, 9), idle_timeout_s=st.none() | st.integers(1, 3600)
)
gpus = st.builds(
    Gpu,
    pools=st.lists(words, min_size=1, max_size=3).map(tuple),
    excluded_types=lists,
    count=st.integers(1, 8),
    min_cuda_version=st.sampled_from(["", "12.8"]),
)
endpoints = st.builds(
    Endpoint,
    name=words,
    image=words,
    type=st.just(EndpointType.QUEUE),
    gpu=gpus,
    workers=workers,
    scaling=st.builds(QueueDelay, seconds=st.floats(0.5, 600)) | st.builds(RequestCount, requests=st.integers(1, 9)),
    timeout_ms=st.integers(5000, 604_800_000),
    flashboot=st.sampled_from(FlashBoot),
    data_center_ids=lists,
    network_volumes=lists,
    args=st.just("") | words,
    disk_gb=st.integers(1, 500),
    ports=lists,
    env=st.dictionaries(words, words, max_size=3),
    registry=st.none() | words,
)


def violations(judge: Draft202012Validator, body: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(body)]


@settings(max_examples=60)
@given(endpoints)
def test_every_create_is_as_published(endpoint: Endpoint) -> None:
    assert violations(CREATE, to_wire(endpoint)) == []


@settings(max_examples=60)
@given(endpoints, endpoints)
def test_every_patch_is_as_published(old: Endpoint, new: Endpoint) -> None:
    assert violations(UPDATE, patch(old, new)) == []


def test_a_cpu_endpoint_and_a_load_balancer_are_as_published() -> None:
    cpu = Endpoint(name="c", image="i", cpu=(Cpu(id="cpu5c", vcpu_count=4),))
    balancer = Endpoint(
        name="l",
        image="i",
        type=EndpointType.LOAD_BALANCER,
        gpu=Gpu(pools=("ADA_24",)),
        scaling=RequestCount(requests=1),
    )
    assert violations(CREATE, to_wire(cpu)) == []
    assert violations(CREATE, to_wire(balancer)) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"flashboot": True},
        {"gpu": {"pools": []}},
        {"unknown": 1},
        {"scaling": {"type": "QUEUE_DELAY"}},
        {"timeout": "600"},
    ],
)
def test_the_judge_refuses_what_the_document_forbids(broken: dict[str, Any]) -> None:
    good = to_wire(Endpoint(name="n", image="i", gpu=Gpu(pools=("ADA_24",))))
    assert violations(CREATE, good) == []
    assert violations(CREATE, {**good, **broken}) != []


def test_the_model_knows_every_updatable_field() -> None:
    known = set(to_wire(replace(EVERYTHING, cpu=(Cpu(id="c", vcpu_count=2),))))
    assert known - {"type"} == _properties("UpdateEndpointRequest") - {"templateId"}


EVERYTHING = Endpoint(
    name="n", image="i", gpu=Gpu(pools=("P",)), args="a", disk_gb=1, ports=("80/http",), registry="r", env={"A": "1"}
)


def _properties(name: str) -> set[str]:
    found: set[str] = set()
    queue = [DOCUMENT["components"]["schemas"][name]]
    while queue:
        schema = queue.pop()
        if "$ref" in schema:
            queue.append(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        queue.extend(schema.get("allOf", ()))
        found |= schema.get("properties", {}).keys()
    return found
