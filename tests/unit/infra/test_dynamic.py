"""What all dynamic providers share."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from pulumi.dynamic import CreateResult
from pulumi.output import Unknown

from infra.dynamic import UNKNOWN, Props, StoredInputs, has_unknown, plain_errors, unknown_as_text


def test_an_unknown_is_the_text_of_the_wire_at_any_depth() -> None:
    given = {"env": {"MARK": Unknown(), "LEVEL": "info"}, "list": [Unknown(), 1.0], "none": None}
    assert unknown_as_text(given) == {"env": {"MARK": UNKNOWN, "LEVEL": "info"}, "list": [UNKNOWN, 1.0], "none": None}


def test_an_unknown_is_found_at_any_depth() -> None:
    assert has_unknown({"env": {"MARK": [UNKNOWN]}})
    assert has_unknown({"env": {"MARK": [Unknown()]}})  # the plugin gives `diff` its objects
    assert not has_unknown({"env": {"MARK": ["known"]}, "none": None})


class Broken(Exception):
    """An error that a user can act on."""


@plain_errors(Broken)
class Provider(StoredInputs):
    inputs = ("bucket", "key")
    id_input = "bucket"

    def create(self, props: Props) -> CreateResult:
        if problem := props.get("raise"):
            raise problem
        return super().create(props)


PROPS: Props = {"bucket": "b", "key": "k", "other": 1}


def test_a_resource_of_stored_inputs_stores_only_those_and_changes_only_with_those() -> None:
    made = Provider().create(PROPS)
    assert (made.id, made.outs) == ("b", {"bucket": "b", "key": "k"})
    assert not Provider().diff("b", PROPS, {**PROPS, "other": 2}).changes
    assert Provider().diff("b", PROPS, {**PROPS, "key": "new"}).changes
    assert Provider().update("b", PROPS, {**PROPS, "key": "new"}).outs == {"bucket": "b", "key": "new"}


@pytest.fixture
def tracebacks() -> Iterator[None]:
    yield
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


@pytest.mark.usefixtures("tracebacks")
def test_an_expected_error_has_no_traceback_and_an_unexpected_error_has() -> None:
    with pytest.raises(Broken):
        Provider().create({**PROPS, "raise": Broken()})
    assert sys.tracebacklimit == 0
    with pytest.raises(ZeroDivisionError):
        Provider().create({**PROPS, "raise": ZeroDivisionError()})
    assert not hasattr(sys, "tracebacklimit")
