"""The provider of endpoints: values that a preview does not know, and an account with an endpoint of another kind."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from pulumi.output import Unknown

from infra.dynamic import UNKNOWN
from infra.runpod.client import RetryPolicy, RunPodClient
from infra.runpod.model import NotInPlace
from infra.runpod.resources.endpoint import EndpointProvider

WANTED: dict[str, Any] = {
    "name": "photo-splat-test",
    "type": "QUEUE",
    "image": "ghcr.io/team/worker:v1",
    "gpu": {"pools": ["ADA_24"]},
    "workers": {"min": 0, "max": 2, "idleTimeout": 10},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
    "timeout": 600_000,
    "flashboot": "OFF",
    "disk": 20,
    "env": {"SPLAT_DEPLOYMENT": "abc.endpoint"},
    "dataCenterIds": [],
}


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            {"type": "LOAD_BALANCER", "gpu": {"pools": ["ADA_24"]}, "scaling": {"type": "REQUEST_COUNT"}},
            "type cannot change on an existing endpoint",
        ),
        ({"gpu": None, "cpu": [{"id": "cpu5c", "vcpuCount": 4}]}, "gpu cannot change on an existing endpoint"),
    ],
    ids=["load balancer", "without a GPU"],
)
@pytest.mark.parametrize("adopt", ["by its id", "by its marker"])
def test_an_endpoint_of_another_kind_is_not_adopted(other: dict[str, Any], reason: str, adopt: str) -> None:
    endpoint = {key: value for key, value in {**WANTED, **other, "id": "ep1"}.items() if value is not None}
    requests: list[str] = []

    def account(request: httpx.Request) -> httpx.Response:
        requests.append(request.method)
        one = request.url.path.endswith("/ep1")
        return httpx.Response(200, json=endpoint if one else {"endpoints": [endpoint]})

    provider = EndpointProvider()
    provider._client = RunPodClient(
        api_key="rpa_x",
        api_url="https://api.example/v2",
        transport=httpx.MockTransport(account),
        retry=RetryPolicy(attempts=1),
    )
    with pytest.raises(NotInPlace, match=reason):
        provider.create({**WANTED, "adoptId": "ep1" if adopt == "by its id" else None})
    assert set(requests) == {"GET"}, "nothing was created or changed"


@pytest.mark.parametrize("unknown", [Unknown(), UNKNOWN], ids=["object", "text"])
@pytest.mark.parametrize("name", sorted(WANTED))
def test_an_input_that_a_preview_does_not_know_is_a_change(name: str, unknown: object) -> None:
    """An image that is built by the same run has no digest before."""
    news = {**WANTED, name: unknown}
    assert EndpointProvider().diff("ep1", WANTED, news).changes
    inside = {**WANTED, "env": {"SPLAT_DEPLOYMENT": unknown}}
    assert EndpointProvider().diff("ep1", WANTED, inside).changes
