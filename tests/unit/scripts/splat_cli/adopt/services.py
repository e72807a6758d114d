"""The two services as functions: what `splat adopt` can find. tests/stack/test_adopt.py uses the local cloud."""

from __future__ import annotations

from typing import Any

import httpx

from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import RetryPolicy, RunPodClient
from scripts.splat_cli.adopt.find import Found, Wanted, find

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
# The first is named as a stack names its bucket's key. The second is a key of another owner, for a similar bucket name.
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


def find_existing(*, key: str = KEY, token: str = TOKEN, jurisdiction: str = "default", **wanted: str) -> Found:
    """What `splat adopt` finds in the two services, with these names."""
    client = RunPodClient(api_key=key, transport=httpx.MockTransport(runpod), retry=RetryPolicy(attempts=1))
    api = CloudflareApi(account_id="a", token=token, transport=httpx.MockTransport(cloudflare))
    try:
        return find(Wanted(**wanted), runpod=client, cloudflare=api, jurisdiction=jurisdiction)
    finally:
        client.close()
