"""Stage 1b, management API: what a change keeps, unsets and releases; lists, and what a delete leaves."""

from __future__ import annotations

from typing import Any

import httpx

from scripts.splat_cli.verify_live.check import Stage
from scripts.splat_cli.verify_live.checks.endpoint_subject import Endpoints

STAGE: Stage[Endpoints] = Stage(name="changes", title="RunPod management API: changes")
check = STAGE.check
RELEASES = {
    "args": "--verify",
    "disk": 25,
    "ports": ["8000/http"],
    "env": {"A": "1"},
    "gpu": {"minCudaVersion": "12.1"},
}
NO_RELEASE: dict[str, Any] = {
    "workers": {"idleTimeout": 30},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 9},
    "timeout": 600_000,
    "flashboot": "FLASHBOOT",
}


@check(
    "patch-keeps",
    how="PATCH of workers.idleTimeout and of gpu.minCudaVersion",
    expects={"min": 0, "max": 1, "count": 1, "pools": True, "name": True},
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        on.patched(str(made["id"]), workers={"idleTimeout": 20})
        after = on.patched(str(made["id"]), gpu={"minCudaVersion": "12.1"})
    workers, gpu = after["workers"], after["gpu"]
    return {
        "min": workers["min"],
        "max": workers["max"],
        "count": gpu["count"],
        "pools": gpu["pools"] == made["gpu"]["pools"],
        "name": after["name"] == made["name"],
    }


@check("unset-cuda", how='PATCH of gpu.minCudaVersion "" after 12.1', expects=None)
def _(on: Endpoints) -> Any:
    with on.endpoint(gpu={"pools": [on.pool], "minCudaVersion": "12.1"}) as made:
        return on.patched(str(made["id"]), gpu={"minCudaVersion": ""})["gpu"]["minCudaVersion"]


@check("unset-env", how="PATCH of env {} after one variable", expects={})
def _(on: Endpoints) -> Any:
    with on.endpoint(env={"A": "1"}) as made:
        return on.patched(str(made["id"]), env={})["env"]


@check("unset-args", how='PATCH of args "" after --verify: whether args are gone', expects=True)
def _(on: Endpoints) -> Any:
    with on.endpoint(args="--verify") as made:
        return not on.patched(str(made["id"]), args="").get("args")


@check("unset-registry", how="PATCH of registry null", expects=None)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        return on.patched(str(made["id"]), registry=None)["registry"]


@check("type-is-fixed", how="PATCH of type", expects=422)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        return on.patch(str(made["id"]), type="QUEUE").status_code


@check("family-is-fixed", how="PATCH of cpu on a GPU endpoint", expects=400)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        return on.patch(str(made["id"]), cpu=[{"id": "cpu5c", "vcpuCount": 4}]).status_code


@check("releases", how="one PATCH each: which of args, disk, ports, env, gpu make a release", expects=sorted(RELEASES))
def _(on: Endpoints) -> Any:
    return _released(on, RELEASES)


@check("no-releases", how="one PATCH each: which of workers, scaling, timeout, flashboot make a release", expects=[])
def _(on: Endpoints) -> Any:
    return _released(on, NO_RELEASE)


def _released(on: Endpoints, changes: dict[str, Any]) -> list[str]:
    """Fields whose change raised the number of the newest release."""
    found = []
    with on.endpoint() as made:
        last = on.releases(str(made["id"]))["endpointVersion"]
        for field, value in changes.items():
            on.patched(str(made["id"]), **{field: value})
            now = on.releases(str(made["id"]))["endpointVersion"]
            found += [field] if now != last else []
            last = now
    return sorted(found)


@check(
    "release-names",
    how="diff[].field of the releases that env and gpu.count made",
    expects={"env": ["template.env"], "gpu": ["gpuCount"]},
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        on.patched(str(made["id"]), env={"A": "1"})
        env = on.releases(str(made["id"]))["releases"][0]["diff"]
        on.patched(str(made["id"]), gpu={"count": 2})
        gpu = on.releases(str(made["id"]))["releases"][0]["diff"]
    return {"env": [one["field"] for one in env], "gpu": [one["field"] for one in gpu]}


@check(
    "other-release-names",
    how="diff[].field of the releases that args and disk made",
    expects=[
        "template.dockerArgs",
        "template.containerDiskInGb",
    ],
)
def _(on: Endpoints) -> Any:
    found = []
    with on.endpoint() as made:
        for change in ({"args": "--verify"}, {"disk": 25}):
            on.patched(str(made["id"]), **change)
            found += [one["field"] for one in on.releases(str(made["id"]))["releases"][0]["diff"]]
    return found


@check(
    "pages",
    how="GET /serverless and of releases with limit=1, walked by nextCursor",
    expects={"pagination": ["hasNextPage", "nextCursor"], "releases": [2, 1], "endpoints": True},
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as one, on.endpoint() as two:
        on.patched(str(one["id"]), disk=25)
        first = on.runpod.call("GET", "/serverless", params={"limit": 1}).json()
        ids = [made["id"] for made in _walk(on, "/serverless", "endpoints")]
        versions = [made["version"] for made in _walk(on, f"/serverless/{one['id']}/releases", "releases")]
    return {
        "pagination": sorted(first["pagination"]),
        "releases": versions,
        "endpoints": {one["id"], two["id"]} <= set(ids) and len(ids) == len(set(ids)),
    }


def _walk(on: Endpoints, path: str, wrapper: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    for _ in range(1000):
        body = on.runpod.call("GET", path, params={"limit": 1, **cursor}).json()
        found += body[wrapper]
        if not body["pagination"]["hasNextPage"]:
            return found
        cursor = {"cursor": body["pagination"]["nextCursor"]}
    raise ValueError("the list never ends")


@check("wrong-pages", how="a foreign cursor, limit 0 and limit 1001: status of each", expects=[422, 422, 422])
def _(on: Endpoints) -> Any:
    wrong: tuple[dict[str, Any], ...] = ({"cursor": "verify-live"}, {"limit": 0}, {"limit": 1001})
    return [on.runpod.call("GET", "/serverless", params=params).status_code for params in wrong]


@check("delete", how="DELETE of an endpoint, twice", expects=[204, 404])
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        return [on.delete(str(made["id"])).status_code for _ in range(2)]


@check(
    "delete-at-once",
    how="GET, list, job health and run right after a DELETE",
    expects={"get": 404, "listed": False, "health": 404, "run": 404},
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        identity = str(made["id"])
        on.delete(identity)
        listed = on.runpod.call("GET", "/serverless").json()["endpoints"]
        return {
            "get": on.runpod.call("GET", f"/serverless/{identity}").status_code,
            "listed": identity in [one["id"] for one in listed],
            "health": on.runpod.job("GET", f"/{identity}/health").status_code,
            "run": on.runpod.job("POST", f"/{identity}/run", json={"input": {"selftest": True}}).status_code,
        }


@check(
    "no-worker-without-a-job", how="workers of a new endpoint, after two seconds", expects={"status": 200, "total": 0}
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        on.runpod.sleep(2.0)
        answer = on.runpod.call("GET", f"/serverless/{made['id']}/workers")
        total = answer.json()["summary"]["total"] if answer.status_code == httpx.codes.OK else None
        return {"status": answer.status_code, "total": total}
