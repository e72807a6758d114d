"""Claims of the settings: what is refused, in which words, and what follows from what."""

from __future__ import annotations

import pytest

from infra.settings import (
    SCALING_PRESETS,
    SECRETS,
    Scaling,
    Settings,
    SettingsError,
    config_key,
    read_settings,
    secret,
    secrets_in_clear,
)

DIGEST = "ghcr.io/team/splat-worker@sha256:" + "a" * 64
BASE = {
    "photo-splat:cloudflareAccountId": "0123456789abcdef0123456789abcdef",
    "photo-splat:workersSubdomain": "team",
    "photo-splat:image": DIGEST,
}


def read(**changes: str) -> Settings:
    return read_settings({**BASE, **{f"photo-splat:{key}": value for key, value in changes.items()}})


def test_the_least_configuration_is_enough() -> None:
    settings = read()
    assert settings.gpu == ("RTX 4090",)
    assert settings.workers == (0, 2)
    assert settings.s3_url == "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"
    assert settings.public_url("photo-splat-dev") == "https://photo-splat-dev.team.workers.dev"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gpuCount": "9"}, "photo-splat:gpuCount is 9: Input should be less than or equal to 8"),
        ({"gpuCount": "many"}, "photo-splat:gpuCount is many"),
        ({"gpu": "a,b,c,d"}, "photo-splat:gpu is a, b, c, d"),
        ({"cloudflareAccountId": "me"}, "photo-splat:cloudflareAccountId is me"),
        ({"image": "repo:latest"}, "a tag can move under a running endpoint"),
        ({"image": "ghcr.io/team/splat-worker:latest"}, "a tag can move under a running endpoint"),
        ({"image": "ghcr.io/team/splat-worker:v1", "imageLookup": "false"}, "a tag, but imageLookup is false"),
        ({"image": "repo@sha256:12"}, "allowed `build`, `checkout`, repository@sha256"),
        ({"image": "build"}, "photo-splat:imageRepository is not set, but image is `build`"),
        ({"domain": "splat.example.org"}, "photo-splat:zoneId is not set, but domain is"),
        ({"adoptBucket": "true"}, "photo-splat:bucketName is not set, but adoptBucket is"),
        ({"adoptScript": "true"}, "photo-splat:scriptName is not set, but adoptScript is"),
        ({"bucketName": "My_Bucket"}, "photo-splat:bucketName is My_Bucket"),
        ({"scriptName": "dots.not.allowed"}, "photo-splat:scriptName is dots.not.allowed"),
        ({"workersSubdomain": ""}, "photo-splat:workersSubdomain is not set"),
        ({"accessTeam": "https://team.cloudflareaccess.com"}, "photo-splat:accessAud is not set, but accessTeam is"),
        ({"accessOthers": "view"}, "photo-splat:accessTeam is not set"),
        ({"accessTeam": "team"}, "photo-splat:accessTeam is team"),
        ({"executionTimeoutS": "100"}, "photo-splat:executionTimeoutS is 100, below jobSecondsMax (3600)"),
        ({"photosMin": "50", "photosMax": "20"}, "photo-splat:photosMin is 50, above photosMax (20)"),
        ({"workersMax": "11"}, "photo-splat:workersMax is 11, above workersCeiling (10)"),
        ({"workersMin": "3"}, "photo-splat:workersMin is 3, above workersMax (2)"),
        ({"workersMin": "1"}, "set alwaysOnAccepted to true if that is meant"),
        ({"scaling": "huge"}, "photo-splat:scaling is huge"),
        ({"jurisdiction": "mars"}, "photo-splat:jurisdiction is mars"),
        ({"bucketLocation": "moon"}, "photo-splat:bucketLocation is moon"),
        ({"queueDelayS": "0.1"}, "photo-splat:queueDelayS is 0.1"),
        ({"protect": "perhaps"}, "photo-splat:protect is perhaps"),
        ({"gpuu": "x"}, "photo-splat:gpuu is no key of this project: did you mean photo-splat:gpu?"),
    ],
)
def test_what_does_not_fit_is_refused_by_key_with_what_is_allowed(changes: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    assert says in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        read(gpuCount="9", diskGb="1", colour="red")
    text = str(caught.value)
    assert all(key in text for key in ("gpuCount", "diskGb", "colour"))


def test_a_misspelt_key_of_another_namespace_is_told_too() -> None:
    with pytest.raises(SettingsError, match="did you mean runpod:apiUrl"):
        read_settings({**BASE, "runpod:apiURL": "https://api.runpod.io/v2"})


def test_keys_of_other_projects_are_left_alone() -> None:
    assert read_settings({**BASE, "aws:region": "eu-north-1"}).gpu_count == 1


@pytest.mark.parametrize(
    ("text", "names"),
    [("RTX 4090", ("RTX 4090",)), ("L40S, RTX 4090", ("L40S", "RTX 4090")), ('["L4", "L40"]', ("L4", "L40"))],
)
def test_several_gpus_are_written_with_commas_or_as_a_list(text: str, names: tuple[str, ...]) -> None:
    assert read(gpu=text).gpu == names


@pytest.mark.parametrize("scaling", Scaling)
def test_a_scaling_name_stands_for_its_numbers(scaling: Scaling) -> None:
    preset = SCALING_PRESETS[scaling]
    settings = read(scaling=scaling.value)
    assert settings.workers == (preset.workers_min, preset.workers_max)
    assert settings.idle_s == preset.idle_timeout_s


def test_one_number_overrides_its_part_of_the_preset() -> None:
    settings = read(scaling="medium", workersMax="4", idleTimeoutS="7")
    assert (settings.workers, settings.idle_s) == ((0, 4), 7)


def test_workers_that_always_run_need_large_or_a_word() -> None:
    assert read(scaling="large").workers[0] == 1
    assert read(workersMin="1", alwaysOnAccepted="true").workers == (1, 2)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://photo-splat-dev.team.workers.dev"),
        ({"domain": "splat.example.org", "zoneId": "f" * 32}, "https://splat.example.org"),
        ({"appUrl": "http://127.0.0.1:8787/"}, "http://127.0.0.1:8787"),
    ],
)
def test_the_apps_address_follows_from_the_nearest_key(changes: dict[str, str], url: str) -> None:
    assert read(**changes).public_url("photo-splat-dev") == url


def test_the_jurisdiction_is_part_of_the_buckets_address() -> None:
    assert read(jurisdiction="eu").s3_url.endswith(".eu.r2.cloudflarestorage.com")


def test_every_key_says_what_it_is_for() -> None:
    assert [name for name, field in Settings.model_fields.items() if len(field.description or "") < 20] == []


def test_keys_are_camel_case_in_their_namespace() -> None:
    assert config_key("gpu_count") == "photo-splat:gpuCount"
    assert config_key("runpod_api_url") == "runpod:apiUrl"


def test_a_secret_of_the_environment_is_a_secret_output() -> None:
    import pulumi

    made = secret("runpod:apiKey", environment={"RUNPOD_API_KEY": "rpa_x"})
    assert isinstance(made, pulumi.Output)


def test_a_missing_required_secret_says_both_ways_to_give_it() -> None:
    with pytest.raises(SettingsError, match=r"config set --secret runpod:apiKey .* RUNPOD_API_KEY"):
        secret("runpod:apiKey", environment={})


def test_a_missing_optional_secret_is_none() -> None:
    assert secret("photo-splat:registryPassword", environment={}) is None


def test_secrets_are_no_settings() -> None:
    assert not {config_key(name) for name in Settings.model_fields} & SECRETS.keys()


def test_the_settings_shown_in_a_traceback_hold_no_input() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**BASE, "runpod:apiUrl": "rpa_PASTED_IN_THE_WRONG_PLACE"})
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("values", "encrypted", "told"),
    [
        ({"runpod:apiKey": "rpa_CLEAR"}, set(), ["runpod:apiKey"]),
        ({"runpod:apiKey": "rpa_x", "cloudflare:apiToken": "CLEAR"}, {"runpod:apiKey"}, ["cloudflare:apiToken"]),
        ({"photo-splat:registryPassword": "CLEAR"}, set(), ["photo-splat:registryPassword"]),
        ({"runpod:apiKey": "", "photo-splat:gpu": "L40S"}, set(), []),
    ],
)
def test_a_secret_set_in_clear_is_told_by_its_key_with_the_mend(
    values: dict[str, str], encrypted: set[str], told: list[str]
) -> None:
    found = secrets_in_clear(values, is_secret=encrypted.__contains__)

    assert [sentence.partition(" ")[0] for sentence in found] == told
    assert all("pulumi config set --secret" in sentence and "CLEAR" not in sentence for sentence in found)
