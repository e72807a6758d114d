"""Claims of the take-over: what is found, what is refused in which words, what is written and foretold.
The two services are functions here; tests/stack/test_adopt.py does the same on the local cloud and the engine."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import RetryPolicy, RunPodClient
from scripts.splat_cli.adopt import Found, Wanted, changes, look_up
from scripts.splat_cli.errors import CommandError, ServiceError

KEY = "rpa_THE_KEY_OF_THE_TEST"
TOKEN = "cf-token-of-the-test"


def endpoint(id_: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "type": "QUEUE",
        "image": "ghcr.io/team/hand:1",
        "gpu": {"pools": ["ADA_24"], "count": 1},
        "workers": {"min": 1, "max": 3, "idleTimeout": 10},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
        "timeout": 600_000,
        "flashboot": "OFF",
        "env": {},
        "createdAt": "2026-05-01T00:00:00Z",
        **more,
    }


ENDPOINTS = [
    endpoint("ep1", "splat -fb", env={"S3_SECRET": "s3cr3t"}),
    endpoint("ep2", "twice"),
    endpoint("ep3", "twice", createdAt="2026-06-01T00:00:00Z"),
    endpoint("ep4", "ours", env={"SPLAT_DEPLOYMENT": "abc.gpu"}),
    endpoint("ep5", "balancer", type="LOAD_BALANCER"),
    endpoint("ep6", "processors", gpu=None),
]
BUCKETS = {("splats", "default"), ("european", "eu"), ("ours", "default"), ("ours2", "default")}
# As a stack names the key to its bucket; the last is somebody's own key, for a bucket of nearly the same name.
TOKENS = [{"id": "t1", "name": "ours objects 0123456789abcdef"}, {"id": "t2", "name": "ours2 objects of mine"}]


def runpod(request: httpx.Request) -> httpx.Response:
    if request.headers["authorization"] != f"Bearer {KEY}":
        return httpx.Response(401, json={"title": "Unauthorized", "status": 401})
    return httpx.Response(200, json={"endpoints": ENDPOINTS})


def cloudflare(request: httpx.Request) -> httpx.Response:
    if request.headers["authorization"] != f"Bearer {TOKEN}":
        return httpx.Response(403, json={"success": False, "errors": [{"message": "Authentication error"}]})
    path = request.url.path.partition("/accounts/a")[2]
    place = request.headers.get("cf-r2-jurisdiction", "default")
    if path == "/workers/scripts":
        scripts = [{"id": "splat-api", "migration_tag": None}, {"id": "blog", "migration_tag": "v3"}]
        scripts.append({"id": "ours", "migration_tag": "v1"})
        return httpx.Response(200, json={"result": scripts})
    if path == "/tokens":
        return httpx.Response(200, json={"result": TOKENS})
    if path == "/workers/scripts/ours/settings":
        bindings = [{"name": name, "type": "secret_text"} for name in ("API_TOKENS", "HOOK_KEYS", "RUNPOD_API_KEY")]
        return httpx.Response(200, json={"result": {"bindings": bindings}})
    if path == "/workers/scripts/splat-api/settings":
        bindings = [{"name": "RUNPOD_KEY", "type": "secret_text"}, {"name": "BUCKET", "type": "r2_bucket"}]
        return httpx.Response(200, json={"result": {"bindings": bindings}})
    name = path.removeprefix("/r2/buckets/")
    if place == "fedramp":
        return httpx.Response(403, json={"errors": [{"message": "jurisdiction not available"}]})
    if (name, place) not in BUCKETS:
        return httpx.Response(404, json={"errors": [{"message": "The specified bucket does not exist."}]})
    return httpx.Response(200, json={"result": {"name": name, "location": "WEUR", "creation_date": "2026-04-02T00"}})


def find(*, key: str = KEY, token: str = TOKEN, jurisdiction: str = "default", **wanted: str) -> Found:
    client = RunPodClient(api_key=key, transport=httpx.MockTransport(runpod), retry=RetryPolicy(attempts=1))
    api = CloudflareApi(account_id="a", token=token, transport=httpx.MockTransport(cloudflare))
    try:
        return look_up(Wanted(**wanted), runpod=client, cloudflare=api, jurisdiction=jurisdiction)
    finally:
        client.close()


def test_all_three_are_found_and_give_the_keys_that_adopt_them() -> None:
    found = find(endpoint="splat", bucket="splats", script="splat-api")
    assert found.keys == {
        "photo-splat:adoptEndpointId": "ep1",
        "photo-splat:bucketName": "splats",
        "photo-splat:adoptBucket": "true",
        "photo-splat:scriptName": "splat-api",
        "photo-splat:adoptScript": "true",
    }
    assert found.rows == (
        ("endpoint", "splat -fb (ep1)", "1 to 3 workers, image ghcr.io/team/hand:1"),
        ("bucket", "splats", "jurisdiction default, region WEUR, made 2026-04-02"),
        ("script", "splat-api", "bindings: BUCKET, RUNPOD_KEY"),
    )


def test_one_alone_can_be_taken_over_and_an_endpoint_by_its_id() -> None:
    assert find(endpoint="ep3").keys == {"photo-splat:adoptEndpointId": "ep3"}
    assert find(bucket="european", jurisdiction="eu").keys["photo-splat:bucketName"] == "european"
    assert find(bucket="ours2").keys["photo-splat:bucketName"] == "ours2"


@pytest.mark.parametrize(
    ("asked", "says", "hint"),
    [
        ({}, "Nothing to take over was named", "--endpoint NAME_OR_ID"),
        (
            {"endpoint": "gone"},
            "no endpoint 'gone': it has balancer, ours, processors, splat -fb, twice",
            "right account",
        ),
        ({"endpoint": "twice"}, "2 endpoints have the name 'twice': ep2 (made 2026-05-01), ep3", "--endpoint ID"),
        ({"endpoint": "ours"}, "Endpoint ep4 was made by another stack of this project", "variable SPLAT_DEPLOYMENT"),
        ({"endpoint": "balancer"}, "Endpoint ep5 is of type LOAD_BALANCER", "leave --endpoint out"),
        ({"endpoint": "processors"}, "Endpoint ep6 is of type QUEUE, without a GPU", "leave --endpoint out"),
        ({"bucket": "gone"}, "no bucket 'gone', in no jurisdiction", "cloudflareAccountId"),
        ({"bucket": "european"}, "'european' lies in jurisdiction eu, but the stack's is default", "jurisdiction eu"),
        ({"script": "gone"}, "no script 'gone': it has blog, ours, splat-api", "name one of these"),
        (
            {"bucket": "ours"},
            "Bucket ours is another stack's of this project",
            "set bucketName and adoptBucket by hand",
        ),
        (
            {"script": "ours"},
            "Script ours is another stack's of this project",
            "set scriptName and adoptScript by hand",
        ),
    ],
)
def test_what_cannot_be_taken_over_is_said_with_what_is_there(asked: dict[str, str], says: str, hint: str) -> None:
    with pytest.raises(CommandError) as caught:
        find(**asked)
    assert says in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"key": "rpa_WRONG", "endpoint": "splat"}, "runpod:apiKey"),
        ({"token": "wrong-token", "script": "splat-api"}, "cloudflare:apiToken needs edit on Workers Scripts"),
        ({"token": "wrong-token", "bucket": "splats"}, "cloudflare:apiToken needs edit on Workers R2 Storage"),
    ],
)
def test_a_wrong_key_is_told_by_its_name_and_never_shown(given: dict[str, str], says: str) -> None:
    with pytest.raises(ServiceError) as caught:
        find(**given)
    assert says in caught.value.message
    assert not any(value in caught.value.message for name, value in given.items() if name in {"key", "token"})


# what a plan says ---------------------------------------------------------------------------------


def plan(*, bucket: str = "import", script: tuple[str, ...] = ("import", "update"), **endpoint_inputs: Any) -> Any:
    urn = "urn:pulumi:dev::photo-splat::splat:x$t::"
    inputs = {**ENDPOINTS[0], "name": "photo-splat-dev", "env": {"SPLAT_DEPLOYMENT": "unknown"}, **endpoint_inputs}
    bindings = {"inputs": {"bindings": [{"name": "BUCKET"}, {"name": "API_TOKENS"}]}}
    return {
        "steps": [
            {"op": "create", "urn": f"{urn}splat-gpu-endpoint", "newState": {"inputs": inputs}},
            {"op": bucket, "urn": f"{urn}splat-storage-bucket"},
            *({"op": op, "urn": f"{urn}splat-edge-script", "newState": bindings} for op in script),
        ]
    }


def test_the_next_up_is_foretold_field_by_field_without_any_value_of_a_variable() -> None:
    found = find(endpoint="splat", bucket="splats", script="splat-api")
    told = changes(found, plan(workers={"min": 0, "max": 2, "idleTimeout": 10}))
    assert told == (
        "takes over endpoint ep1, and changes",
        "  env.S3_SECRET: goes",
        "  env.SPLAT_DEPLOYMENT: is set",
        "  name: splat -fb → photo-splat-dev",
        "  workers.max: 3 → 2",
        "  workers.min: 1 → 0",
        "takes over bucket splats with its objects; its CORS and lifecycle rules become ours",
        "takes over script splat-api, and uploads ours in its place",
        "  bindings that go: RUNPOD_KEY",
    )
    assert "s3cr3t" not in "".join(told)


@pytest.mark.parametrize(
    "made", [plan(bucket="create"), plan(script=("import", "replace")), plan(script=("create",)), {"steps": []}]
)
def test_a_plan_that_would_not_take_over_is_an_error_and_not_a_line(made: Any) -> None:
    with pytest.raises(ServiceError, match="does not take"):
        changes(find(bucket="splats", script="splat-api"), made)
