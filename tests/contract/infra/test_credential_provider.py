"""Claims of registry credentials, account secrets and volumes: a rotation never leaves a gap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from infra.runpod.credentials import AccountSecretProvider, RegistryCredentialProvider, versioned_name
from infra.runpod.volume import NetworkVolumeProvider
from tests.contract.infra.conftest import Plugin, StandIn

pytestmark = pytest.mark.local_cloud

REGISTRY = {"baseName": "photo-splat-test", "owner": "abc", "username": "team", "password": "first password"}
SECRET = {"baseName": "photo-splat-test", "owner": "abc", "value": "first value"}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What differs between the two: provider, good inputs, the value that rotates, path and list wrapper."""

    provider: Any
    inputs: dict[str, Any]
    field: str
    path: str
    wrapper: str

    def ids(self, standin: StandIn) -> list[str]:
        return [one["id"] for one in standin.call("GET", self.path).json()[self.wrapper]]


KINDS = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            Kind(
                provider=RegistryCredentialProvider,
                inputs=REGISTRY,
                field="password",
                path="/v2/registries",
                wrapper="registries",
            ),
            id="registry",
        ),
        pytest.param(
            Kind(
                provider=AccountSecretProvider,
                inputs=SECRET,
                field="value",
                path="/v2/account/secrets",
                wrapper="secrets",
            ),
            id="secret",
        ),
    ],
)


def created(plugin: Plugin, inputs: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    checked, failures = plugin.check(inputs)
    assert failures == {}
    return plugin.create(checked)


@KINDS
def test_a_new_value_is_made_before_the_old_one_goes(stub: Any, standin: StandIn, kind: Kind) -> None:
    plugin = Plugin(stub, kind.provider())
    old_id, old = created(plugin, kind.inputs)

    news, _ = plugin.check({**kind.inputs, kind.field: "second"}, old)

    assert plugin.diff(old_id, old, news) == (True, ["name"])
    new_id, _ = plugin.create(news)  # the engine creates first: both are there now
    assert set(kind.ids(standin)) == {old_id, new_id}
    plugin.delete(old_id, old)
    assert kind.ids(standin) == [new_id]


@KINDS
def test_the_same_value_is_no_change_and_a_second_create_finds_the_first(
    stub: Any, standin: StandIn, kind: Kind
) -> None:
    plugin = Plugin(stub, kind.provider())
    id_, state = created(plugin, kind.inputs)
    news, _ = plugin.check(kind.inputs, state)
    assert plugin.diff(id_, state, news) == (False, [])
    assert created(plugin, kind.inputs)[0] == id_
    assert kind.ids(standin) == [id_]


@KINDS
def test_a_create_whose_answer_was_lost_finds_what_it_made(stub: Any, standin: StandIn, kind: Kind) -> None:
    standin.fault(kind="lost_answer", route=f"POST {kind.path}")
    id_, _ = created(Plugin(stub, kind.provider()), kind.inputs)
    assert kind.ids(standin) == [id_]


@KINDS
def test_what_is_gone_reads_as_gone_and_deletes_as_done(stub: Any, standin: StandIn, kind: Kind) -> None:
    plugin = Plugin(stub, kind.provider())
    id_, state = created(plugin, kind.inputs)
    assert plugin.read(id_, state)[0] == id_
    standin.call("DELETE", f"{kind.path}/{id_}")
    assert plugin.read(id_, state)[0] == ""
    plugin.delete(id_, state)


@KINDS
def test_an_empty_value_is_refused_at_check(stub: Any, kind: Kind) -> None:
    _, failures = Plugin(stub, kind.provider()).check({**kind.inputs, kind.field: ""})
    assert failures == {kind.field: "is empty"}


def test_a_name_tells_values_apart_and_hides_them() -> None:
    names = {versioned_name("base", owner, value) for owner in ("a", "b") for value in ("x", "y")}
    assert len(names) == 4
    assert versioned_name("base", "a", "x") == versioned_name("base", "a", "x")


VOLUME = {"name": "photo-splat-test", "size": 20, "dataCenter": "EU-RO-1", "type": ""}


@pytest.mark.parametrize(
    ("change", "replaces"),
    [
        ({"size": 40}, []),
        ({"name": "renamed"}, []),
        ({"size": 10}, ["size"]),  # the API only grows
        ({"dataCenter": "US-TX-3"}, ["dataCenter"]),
        ({"type": "HIGH_PERFORMANCE"}, ["type"]),
    ],
)
def test_a_volume_grows_in_place_and_is_replaced_for_the_rest(
    stub: Any, standin: StandIn, change: dict[str, Any], replaces: list[str]
) -> None:
    plugin = Plugin(stub, NetworkVolumeProvider())
    id_, state = created(plugin, VOLUME)
    news, _ = plugin.check({**VOLUME, **change}, state)
    assert plugin.diff(id_, state, news) == (True, replaces)
    if not replaces:
        after = plugin.update(id_, state, news)
        assert plugin.diff(id_, plugin.read(id_, after)[1], news) == (False, [])


@pytest.mark.parametrize(
    ("change", "path"), [({"size": 9}, "size"), ({"type": "FAST"}, "type"), ({"dataCenter": ""}, "dataCenter")]
)
def test_a_volume_that_cannot_be_is_refused_at_check(stub: Any, change: dict[str, Any], path: str) -> None:
    _, failures = Plugin(stub, NetworkVolumeProvider()).check({**VOLUME, **change})
    assert list(failures) == [path]
