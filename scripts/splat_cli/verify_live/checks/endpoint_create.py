"""Stage 1a, management API: what a create fills in, returns and rejects. Nothing here starts a worker."""

from __future__ import annotations

import json
from typing import Any

from scripts.splat_cli.verify_live.check import NotObserved, Stage, outcome
from scripts.splat_cli.verify_live.checks.endpoint_subject import Endpoints

STAGE: Stage[Endpoints] = Stage(name="management", title="RunPod management API")
check = STAGE.check
ABSENT = "verify-live-absent"
FAR_TOO_MANY = 100_000  # workers


@check("create-answer", how="POST /serverless with the least body", expects={"status": 201, "type": "application/json"})
def _(on: Endpoints) -> Any:
    answer = on.rejected(workers={"max": 1})
    return {"status": answer.status_code, "type": answer.headers.get("content-type", "").split(";")[0]}


def _default(*names: str) -> Any:
    """What a create fills in for fields that the body leaves out."""

    def observe(on: Endpoints) -> Any:
        with on.endpoint(workers=None) as made:
            found = {name: made.get(name, "absent") for name in names}
        return found[names[0]] if len(names) == 1 else found

    return observe


HOW_DEFAULT = "POST /serverless without the field"
check("default-workers", how=HOW_DEFAULT, expects={"min": 0, "max": 3, "idleTimeout": 10})(_default("workers"))
check("default-flashboot", how=HOW_DEFAULT, expects="OFF")(_default("flashboot"))
check("default-timeout", how=HOW_DEFAULT, expects=300_000)(_default("timeout"))
check("default-disk", how=HOW_DEFAULT, expects=20)(_default("disk"))
check(
    "default-lists", how=HOW_DEFAULT, expects={"env": {}, "registry": None, "networkVolumes": [], "dataCenterIds": []}
)(_default("env", "registry", "networkVolumes", "dataCenterIds"))


@check(
    "default-gpu", how=HOW_DEFAULT, expects={"count": 1, "allowedCudaVersions": [], "minCudaVersion": None, "pools": 1}
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        gpu = made["gpu"]
    return {**{key: gpu.get(key, "absent") for key in ("count", "allowedCudaVersions", "minCudaVersion")}} | {
        "pools": len(gpu["pools"])
    }


@check(
    "request-urls",
    how="names of requestUrls, and how the status address marks the job",
    expects={
        "names": ["cancel", "health", "purgeQueue", "retry", "run", "runSync", "status", "stream"],
        "job": "%7Bjob_id%7D",
    },
)
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        urls = made["requestUrls"]
    last = str(urls["status"]).rstrip("/").rpartition("/")[2]
    return {"names": sorted(urls), "job": last}


@check(
    "read-has-plain-env",
    how="GET of an endpoint with a variable and a placeholder of an absent secret",
    expects={"KEY": "value", "UNRESOLVED": "{{ RUNPOD_SECRET_verify_live_absent }}"},
)
def _(on: Endpoints) -> Any:
    with on.endpoint(env={"KEY": "value", "UNRESOLVED": "{{ RUNPOD_SECRET_verify_live_absent }}"}) as made:
        return on.get(str(made["id"]))["env"]


@check("read-has-no-template", how="fields of GET that would name a template or a version", expects=[])
def _(on: Endpoints) -> Any:
    with on.endpoint() as made:
        return sorted({"templateId", "version", "endpointVersion"} & on.get(str(made["id"])).keys())


@check(
    "unknown-field",
    how="POST with the field `bogus`",
    expects={"status": 422, "type": "application/problem+json", "errors": "list"},
)
def _(on: Endpoints) -> Any:
    answer = on.rejected(bogus=1)
    errors = answer.json().get("errors")
    return {
        "status": answer.status_code,
        "type": answer.headers.get("content-type", "").split(";")[0],
        "errors": type(errors).__name__,
    }


@check("words-of-unknown-field", how="errors[0] of the same answer", expects=True)
def _(on: Endpoints) -> Any:
    errors = on.rejected(bogus=1).json().get("errors") or [""]
    return "$: additional properties 'bogus' not allowed" in errors[0]


@check("numbers", how='timeout 60000.0, "3" and 3.5: status of each create', expects=[201, 422, 422])
def _(on: Endpoints) -> Any:
    return [on.rejected(timeout=value, workers={"max": 1}).status_code for value in (60_000.0, "3", 3.5)]


@check("content-type-ignored", how="POST of JSON as text/plain", expects=201)
def _(on: Endpoints) -> Any:
    text = json.dumps(on.body(workers={"max": 1}))
    return on.post(content=text, headers={"Content-Type": "text/plain"}).status_code


def _refusal(*words: str, **changes: Any) -> Any:
    """Status and words of a create that breaks a rule."""
    return lambda on: outcome(on.rejected(**changes), *words)


check("type-id-as-pool", how="a GPU type id in gpu.pools", expects=400)(
    lambda on: on.rejected(gpu={"pools": [on.gpus[0]]}).status_code
)
check("excluding-all", how="excludedTypes with every type of the pool", expects=400)(
    lambda on: on.rejected(gpu={"pools": [on.pool], "excludedTypes": list(on.gpus)}).status_code
)
check("excluded-without-pools", how="PATCH of gpu.excludedTypes alone", expects=422)(
    lambda on: _patch_status(on, gpu={"excludedTypes": list(on.gpus)})
)
check("gpu-and-cpu", how="POST with gpu and cpu", expects=400)(
    lambda on: on.rejected(cpu=[{"id": "cpu5c", "vcpuCount": 4}]).status_code
)
check("cuda-exclusive", how="allowedCudaVersions with minCudaVersion", expects=400)(
    lambda on: (
        on.rejected(gpu={"pools": [on.pool], "allowedCudaVersions": ["12.8"], "minCudaVersion": "12.1"}).status_code
    )
)
check("unresolvable-image", how="an image of a host that does not exist", expects="rejected")(
    lambda on: "accepted" if on.rejected(image="nobody.invalid/none:v1", workers={"max": 1}).is_success else "rejected"
)
check("unresolvable-image-status", how="status of the same answer", expects=400)(
    lambda on: on.rejected(image="nobody.invalid/none:v1", workers={"max": 1}).status_code
)
check("unknown-registry", how="an unknown credential in `registry`", expects=400)(
    lambda on: on.rejected(registry=ABSENT, workers={"max": 1}).status_code
)
check("unknown-data-center", how="dataCenterIds with MOON-1", expects=400)(
    lambda on: on.rejected(dataCenterIds=["MOON-1"], workers={"max": 1}).status_code
)
check("unknown-template", how="an unknown templateId", expects=404)(
    lambda on: on.rejected(templateId=ABSENT, workers={"max": 1}).status_code
)
check(
    "over-quota",
    how=f"workers.max of {FAR_TOO_MANY}",
    expects={"status": 400, "names": ["max workers across all endpoints"]},
)(_refusal("max workers across all endpoints", workers={"max": FAR_TOO_MANY}))


def _patch_status(on: Endpoints, **changes: Any) -> int:
    with on.endpoint() as made:
        return on.patch(str(made["id"]), **changes).status_code


@check("names-repeat", how="two endpoints of one name", expects=True)
def _(on: Endpoints) -> Any:
    with on.endpoint() as one, on.endpoint() as two:
        return one["id"] != two["id"] and one["name"] == two["name"]


@check("unknown-query-ignored", how="GET /serverless?bogus=1", expects=200)
def _(on: Endpoints) -> Any:
    return on.runpod.call("GET", "/serverless", params={"bogus": "1"}).status_code


@check(
    "unknown-id",
    how="GET of an id that does not exist",
    expects={"status": 404, "type": "application/problem+json"},
)
def _(on: Endpoints) -> Any:
    answer = on.runpod.call("GET", f"/serverless/{ABSENT}")
    return {"status": answer.status_code, "type": answer.headers.get("content-type", "").split(";")[0]}


@check("wrong-method", how="PUT /serverless", expects={"status": 405, "allow": ["GET", "POST"]})
def _(on: Endpoints) -> Any:
    answer = on.runpod.call("PUT", "/serverless", json={})
    allowed = answer.headers.get("allow", "").replace(" ", "").split(",")
    return {"status": answer.status_code, "allow": sorted(set(allowed) - {"HEAD", "OPTIONS", ""})}


@check("wrong-key", how="GET /serverless with another key", expects=401)
def _(on: Endpoints) -> Any:
    answer = on.runpod.call("GET", "/serverless", headers={"Authorization": "Bearer rpa_0"})
    if answer.status_code == 429:
        raise NotObserved("the rate limit answered first")
    return answer.status_code
