"""Settings and secrets from a stack's configuration: lists, misspelt keys, secrets in plain text."""

from __future__ import annotations

from collections.abc import Iterator

import pulumi
import pytest

from infra.settings.load import (
    REGISTRY_PASSWORD,
    RUNPOD_KEY,
    SECRETS,
    SettingsError,
    load,
    plain_text_secrets,
    read_settings,
    secret,
)
from infra.settings.model import all_settings
from tests.unit.infra.settings.test_model import BASE, read


def test_every_problem_is_reported_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(gpuCount="9", diskGb="1", colour="red")
    text = str(caught.value)
    assert all(key in text for key in ("gpuCount", "diskGb", "colour"))


def test_a_misspelt_key_of_another_namespace_is_reported_too() -> None:
    with pytest.raises(SettingsError, match="Did you mean runpod:apiUrl"):
        read_settings({**BASE, "runpod:apiURL": "https://api.runpod.io/v2"})


def test_keys_of_other_projects_are_left_alone() -> None:
    assert read_settings({**BASE, "aws:region": "eu-north-1"}).gpu.count == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("RTX 4090", ("RTX 4090",)),
        ("L40S, RTX 4090", ("L40S", "RTX 4090")),
        ('["L4", "L40"]', ("L4", "L40")),
        ("Cheapest, L40S", ("cheapest", "L40S")),
    ],
)
def test_several_gpus_are_written_with_commas_or_as_a_list(text: str, names: tuple[str, ...]) -> None:
    assert read(gpu=text).gpu.names == names


@pytest.mark.parametrize("text", ['["RTX 4090"', "[" * 100_000, "[RTX 4090]"], ids=["cut", "deep", "not JSON"])
def test_a_list_that_is_no_json_is_reported_by_its_key(text: str) -> None:
    with pytest.raises(SettingsError, match=r"photo-splat:gpu is .*: Input should be a JSON list"):
        read(gpu=text)


def test_a_long_value_is_cut_short_in_its_message() -> None:
    with pytest.raises(SettingsError, match=r"a… \(100000 characters\)") as caught:
        read(gpuCount="a" * 100_000)
    assert len(str(caught.value)) < 1000


def test_a_secret_of_the_environment_is_a_secret_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    assert isinstance(secret(RUNPOD_KEY), pulumi.Output)


def test_a_missing_required_secret_names_both_ways_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with pytest.raises(SettingsError, match=r"config set --secret runpod:apiKey`, or set RUNPOD_API_KEY"):
        secret(RUNPOD_KEY)


def test_a_missing_optional_secret_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_PASSWORD", raising=False)
    assert secret(REGISTRY_PASSWORD) is None


def test_no_secret_is_a_setting() -> None:
    assert not {setting.key for setting in all_settings()} & SECRETS.keys()


def test_the_settings_shown_in_a_traceback_hold_no_input() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**BASE, "runpod:apiUrl": "rpa_PASTED_IN_THE_WRONG_PLACE"})
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("values", "encrypted", "reported"),
    [
        ({"runpod:apiKey": "rpa_PLAIN"}, set(), ["runpod:apiKey"]),
        ({"runpod:apiKey": "rpa_x", "cloudflare:apiToken": "PLAIN"}, {"runpod:apiKey"}, ["cloudflare:apiToken"]),
        ({"photo-splat:registryPassword": "PLAIN"}, set(), ["photo-splat:registryPassword"]),
        ({"runpod:apiKey": "", "photo-splat:gpu": "L40S"}, set(), []),
    ],
)
def test_a_secret_in_plain_text_is_reported_by_its_key_with_the_fix(
    values: dict[str, str], encrypted: set[str], reported: list[str]
) -> None:
    found = plain_text_secrets(values, is_secret=encrypted.__contains__)

    assert [sentence.partition(" ")[0] for sentence in found] == reported
    assert all("pulumi config set --secret" in sentence and "PLAIN" not in sentence for sentence in found)


@pytest.fixture
def configured() -> Iterator[None]:
    """The stack's configuration as the engine gives it to a program."""
    pulumi.runtime.set_all_config({**BASE, "photo-splat:gpuCount": "4"})
    yield
    pulumi.runtime.set_all_config({})


@pytest.mark.usefixtures("configured")
def test_overrides_by_flat_key_replace_the_stacks_values() -> None:
    assert load().gpu.count == 4
    assert load(gpuCount="2", scaling="medium").gpu.count == 2
    with pytest.raises(SettingsError, match="photo-splat:gpuCounts is not a key"):
        load(gpuCounts="2")
