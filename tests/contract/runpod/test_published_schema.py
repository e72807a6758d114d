"""Schemathesis drives the stand-in from RunPod's own OpenAPI document: requests that fit it and ones that do not.
No violation on any path that the stand-in models; the other paths answer 404."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks

from . import spec
from .conftest import KEY, REPOSITORY, StandIn

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]

MODELLED = "|".join(
    (
        r"^/v2/serverless(/\{id\}(/workers|/releases)?)?$",
        r"^/v2/registries(/\{id\})?$",
        r"^/v2/catalog/gpus(/\{id\})?$",
        r"^/v2/billing(/serverless)?$",
    )
)
schema = schemathesis.openapi.from_dict(spec.document()).include(path_regex=MODELLED)


@schema.hook  # of this document only: a hook of the library would also change the requests of other suites
def map_body(context: Any, body: Any) -> Any:
    """Names that no generator can know: an image that exists here, a pool of the catalogue.

    Only where the value was right by the schema: a wrong one on purpose must stay wrong.
    """
    if not isinstance(body, dict):
        return body
    if is_text(body.get("image")):
        body["image"] = f"{REPOSITORY}:generated"
        gpu, workers = body.get("gpu"), body.get("workers")
        if isinstance(gpu, dict) and isinstance(gpu.get("pools"), list) and gpu["pools"]:
            body["gpu"]["pools"] = ["ADA_24"] if all(is_text(pool) for pool in gpu["pools"]) else gpu["pools"]
        if isinstance(workers, dict):
            for name in ("min", "max"):
                if type(workers.get(name)) is int and workers[name] > 0:
                    workers[name] = 0
    return body


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


@pytest.fixture(scope="module", autouse=True)
def unlimited(shared_standin: StandIn) -> Any:
    shared_standin.settings(rate_limit_minute=None, worker_quota=1000)
    yield
    shared_standin.http.post("/_control/reset")


@schema.parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_exchange_is_as_published(case: schemathesis.Case, shared_standin: StandIn) -> None:
    case.call_and_validate(
        base_url=shared_standin.url,
        headers={"Authorization": f"Bearer {KEY}"},
        excluded_checks=excluded(case),
    )


def excluded(case: schemathesis.Case) -> list[Any]:
    """Checks that do not apply. A rule about the account (an id that exists, a known pool) can refuse a body that fits
    the schema. A case that is wrong only in its query or headers can pass: the platform ignores unknown parameters,
    and the test adds the key. A wrong body or path must be refused."""
    parts = case.meta.components.items()
    wrong = {str(getattr(where, "value", where)) for where, part in parts if part.mode.is_negative}
    may_pass = wrong <= {"query", "header"}
    return [checks.positive_data_acceptance, *([checks.negative_data_rejection] if may_pass else [])]


@pytest.mark.parametrize("path", sorted({path for path in spec.document()["paths"]}))
def test_a_wrong_verb_is_405_with_allow_and_an_unmodelled_path_404(shared_standin: StandIn, path: str) -> None:
    concrete = path.replace("{id}", "absent").replace("{workerId}", "absent")
    answer = shared_standin.http.request("PUT", concrete)
    assert answer.status_code in (404, 405)
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.status_code == 405:
        verbs = {verb.upper() for verb in spec.document()["paths"][path]} & {"GET", "POST", "PATCH", "DELETE"}
        assert {verb.strip() for verb in answer.headers["allow"].split(",")} == verbs


@pytest.mark.parametrize("header", [None, "Bearer wrong", "rpa_test_key_of_the_account", "Basic abc"])
def test_a_missing_or_wrong_key_is_401(shared_standin: StandIn, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    with httpx.Client(base_url=shared_standin.url, headers=headers, trust_env=False) as http:
        for path in ("/v2/serverless", "/v2/registries", "/v2/account/limits", "/v2/billing", "/v2/catalog/gpus"):
            answer = http.get(path)
            assert answer.status_code == 401
            assert not spec.violations("GET", path, 401, answer.headers["content-type"], answer.content)
