"""Stage 2, the account: credentials, catalogue, billing, limits. Creates credentials with passwords of no use."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import httpx

from scripts.splat_cli.verify_live.check import NotObserved, Stage
from scripts.splat_cli.verify_live.checks.endpoint_subject import Endpoints

STAGE: Stage[Endpoints] = Stage(name="account", title="RunPod account")
check = STAGE.check
RTX_4090 = "NVIDIA GeForce RTX 4090"
PASSWORD = "verify-live-password-of-no-use"  # noqa: S105


@contextlib.contextmanager
def _credential(on: Endpoints) -> Iterator[httpx.Response]:
    body = {"name": on.name, "username": "verify-live", "password": PASSWORD}
    answer = on.runpod.call("POST", "/registries", json=body)
    if answer.status_code != httpx.codes.CREATED:
        raise NotObserved(f"POST /registries answered {answer.status_code}: {answer.text[:200]}")
    try:
        yield answer
    finally:
        on.runpod.call("DELETE", f"/registries/{answer.json()['id']}")


@check("credential-answer", how="fields of the answer to POST /registries", expects=["id", "name"])
def _(on: Endpoints) -> Any:
    with _credential(on) as answer:
        return sorted(answer.json())


@check("credential-names", how="a second credential of the same name", expects=400)
def _(on: Endpoints) -> Any:
    with _credential(on):
        again = {"name": on.name, "username": "verify-live", "password": PASSWORD}
        answer = on.runpod.call("POST", "/registries", json=again)
        if answer.is_success:
            on.runpod.call("DELETE", f"/registries/{answer.json()['id']}")
        return answer.status_code


@check("credential-is-fixed", how="PATCH of a credential", expects=405)
def _(on: Endpoints) -> Any:
    with _credential(on) as answer:
        return on.runpod.call("PATCH", f"/registries/{answer.json()['id']}", json={}).status_code


@check("deleted-credential", how="`registry` of an endpoint whose credential was deleted", expects=None)
def _(on: Endpoints) -> Any:
    with _credential(on) as answer, on.endpoint(registry=answer.json()["id"]) as made:
        on.runpod.call("DELETE", f"/registries/{answer.json()['id']}")
        return on.get(str(made["id"]))["registry"]


def _gpus(on: Endpoints, query: str = "") -> dict[str, Any]:
    return {one["id"]: one for one in on.runpod.call("GET", f"/catalog/gpus{query}").json()["gpus"]}


@check("catalogue-pool", how=f"pool of {RTX_4090}", expects="ADA_24")
def _(on: Endpoints) -> Any:
    return _gpus(on)[RTX_4090]["pool"]


@check("catalogue-price", how=f"price.serverless of {RTX_4090}, $ an hour", expects=1.116)
def _(on: Endpoints) -> Any:
    return round(float(_gpus(on)[RTX_4090]["price"]["serverless"]), 4)


@check("catalogue-product", how="include=AVAILABILITY without product", expects=400)
def _(on: Endpoints) -> Any:
    return on.runpod.call("GET", "/catalog/gpus?include=AVAILABILITY").status_code


@check("catalogue-stock", how="values of availability", expects=True)
def _(on: Endpoints) -> Any:
    stocked = _gpus(on, "?include=AVAILABILITY&product=SERVERLESS").values()
    return {one["availability"] for one in stocked if "availability" in one} <= {"NONE", "LOW", "MEDIUM", "HIGH"}


@check("limits-path", how="GET /account/limits", expects=200)
def _(on: Endpoints) -> Any:
    return on.runpod.call("GET", "/account/limits").status_code


@check(
    "limits-fields",
    how="fields of GET /account/limits",
    expects={"serverlessWorkers": ["limit", "used"], "spendRate": ["limit", "used"]},
)
def _(on: Endpoints) -> Any:
    body = on.runpod.call("GET", "/account/limits").json()
    return {name: sorted(fields) for name, fields in sorted(body.items()) if isinstance(fields, dict)}


@check("quota", how="serverlessWorkers.limit; it follows the balance", expects=10)
def _(on: Endpoints) -> Any:
    return on.runpod.call("GET", "/account/limits").json()["serverlessWorkers"]["limit"]


@check(
    "billing",
    how="fields of GET /billing/serverless",
    expects={"body": ["metadata", "records"], "totals": True},
)
def _(on: Endpoints) -> Any:
    body = on.runpod.call("GET", "/billing/serverless", params={"lastN": 3}).json()
    totals = {"totalAmount", "gpuAmount", "diskAmount"} <= body["metadata"]["totals"].keys()
    return {"body": sorted(body), "totals": totals}


@check("billing-bounds", how="GET /billing?lastN=0", expects=422)
def _(on: Endpoints) -> Any:
    return on.runpod.call("GET", "/billing", params={"lastN": "0"}).status_code


@check("rate-windows", how="windows in RateLimit-Policy, seconds", expects=[60, 3600, 86_400])
def _(on: Endpoints) -> Any:
    return [window for _, window in _policy(on)]


@check("rate-quotas", how="quotas in RateLimit-Policy", expects=[180, 7200, 50_000])
def _(on: Endpoints) -> Any:
    return [quota for quota, _ in _policy(on)]


def _policy(on: Endpoints) -> list[tuple[int, int]]:
    """(quota, window in seconds), shortest window first."""
    answer = on.runpod.call("GET", "/registries")
    text = answer.headers.get("ratelimit-policy", "")
    return sorted(((int(q), int(w)) for q, w in re.findall(r"q=(\d+);w=(\d+)", text)), key=lambda one: one[1])


@check("rate-left", how="RateLimit of two calls: whether r falls by one", expects=True)
def _(on: Endpoints) -> Any:
    left = []
    for _ in range(2):
        text = on.runpod.call("GET", "/registries").headers["ratelimit"]
        left.append(int(re.findall(r"r=(\d+)", text)[0]))
    return left[1] == left[0] - 1
