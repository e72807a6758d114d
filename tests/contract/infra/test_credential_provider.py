"""Registry credentials: a rotation never leaves a gap."""

from __future__ import annotations

from typing import Any

import pytest

from infra.runpod.resources.credential import RegistryCredentialProvider, is_version_of, versioned_name
from tests.contract.infra.conftest import Plugin, StandIn

pytestmark = pytest.mark.local_cloud

PATH = "/v2/registries"
REGISTRY = {"baseName": "photo-splat-test", "owner": "abc", "username": "team", "password": "first password"}


def ids(standin: StandIn) -> list[str]:
    return [one["id"] for one in standin.call("GET", PATH).json()["registries"]]


def created(plugin: Plugin, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    checked, failures = plugin.check(inputs)
    assert failures == {}
    return plugin.create(checked)


def test_a_new_password_is_created_before_the_old_credential_is_deleted(stub: Any, standin: StandIn) -> None:
    plugin = Plugin(stub, RegistryCredentialProvider())
    old_id, old = created(plugin, REGISTRY)

    news, _ = plugin.check({**REGISTRY, "password": "second"}, old)

    assert plugin.diff(old_id, old, news) == (True, ["name"])
    new_id, _ = plugin.create(news)  # the engine creates first: both are there now
    assert set(ids(standin)) == {old_id, new_id}
    plugin.delete(old_id, old)
    assert ids(standin) == [new_id]


def test_the_same_password_is_no_change_and_a_second_create_finds_the_first(stub: Any, standin: StandIn) -> None:
    plugin = Plugin(stub, RegistryCredentialProvider())
    id_, state = created(plugin, REGISTRY)
    news, _ = plugin.check(REGISTRY, state)
    assert plugin.diff(id_, state, news) == (False, [])
    assert created(plugin, REGISTRY)[0] == id_
    assert ids(standin) == [id_]


def test_a_create_whose_answer_was_lost_finds_what_it_made(stub: Any, standin: StandIn) -> None:
    standin.fault(kind="lost_answer", route=f"POST {PATH}")
    id_, _ = created(Plugin(stub, RegistryCredentialProvider()), REGISTRY)
    assert ids(standin) == [id_]


def test_what_is_gone_reads_as_gone_and_deletes_as_done(stub: Any, standin: StandIn) -> None:
    plugin = Plugin(stub, RegistryCredentialProvider())
    id_, state = created(plugin, REGISTRY)
    assert plugin.read(id_, state)[0] == id_
    standin.call("DELETE", f"{PATH}/{id_}")
    assert plugin.read(id_, state)[0] == ""
    plugin.delete(id_, state)


def test_an_empty_password_is_rejected_at_check(stub: Any) -> None:
    _, failures = Plugin(stub, RegistryCredentialProvider()).check({**REGISTRY, "password": ""})
    assert failures == {"password": "is empty"}


def test_a_name_tells_values_apart_and_hides_them() -> None:
    names = {versioned_name("base", owner, value) for owner in ("a", "b") for value in ("x", "y")}
    assert len(names) == 4
    assert versioned_name("base", "a", "x") == versioned_name("base", "a", "x")


def test_a_versioned_name_is_recognised_by_its_base() -> None:
    assert is_version_of("base", versioned_name("base", "a", "x"))
    assert not is_version_of("base", versioned_name("base-2", "a", "x"))
    assert not is_version_of("base", "base")
