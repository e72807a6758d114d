"""Claims of the take-over key: an endpoint that is not there is said in the plan, by the key that names it."""

from __future__ import annotations

from tests.contract.infra.conftest import Plugin, StandIn
from tests.contract.infra.test_endpoint_provider import NEWS, made


def test_an_endpoint_that_is_not_there_is_refused_at_check_by_its_key(plugin: Plugin, standin: StandIn) -> None:
    _, failures = plugin.check({**NEWS, "adoptId": "gone0123456789"})
    assert "photo-splat:adoptEndpointId is gone0123456789, but the account" in failures["adoptId"]


def test_a_key_that_has_done_its_work_is_not_looked_up_again(plugin: Plugin, standin: StandIn) -> None:
    id_, _ = made(plugin)
    _, state = made(plugin, adoptId=id_)
    standin.call("DELETE", f"/v2/serverless/{id_}")
    _, failures = plugin.check({**NEWS, "adoptId": id_}, state)
    assert failures == {}
