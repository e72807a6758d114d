"""The settings: bounds and rules with their messages, presets, and derived values."""

from __future__ import annotations

import pytest

from infra.settings.load import SettingsError, read_settings
from infra.settings.model import Settings, all_settings
from infra.settings.presets import SCALING_PRESETS, Scaling

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
    assert settings.gpu.names == ("RTX 4090",)
    assert settings.scaling.workers == (0, 2)
    assert settings.s3_url == "https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com"
    assert settings.edge.public_url("photo-splat-dev") == "https://photo-splat-dev.team.workers.dev"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gpuCount": "9"}, "photo-splat:gpuCount is 9: Input should be less than or equal to 8"),
        ({"gpuCount": "many"}, "photo-splat:gpuCount is many"),
        ({"gpu": "L40S, cheapest"}, "photo-splat:gpu is L40S, cheapest: `cheapest` can only come first"),
        ({"gpu": "a,b,c,d"}, "photo-splat:gpu is a,b,c,d: Tuple should have at most 3 items"),
        ({"cloudflareAccountId": "me"}, "photo-splat:cloudflareAccountId is me"),
        ({"image": "repo:latest"}, "`latest`, which can change under a running endpoint"),
        ({"image": "ghcr.io/team/splat-worker:latest"}, "`latest`, which can change under a running endpoint"),
        ({"image": "ghcr.io/team/splat-worker:v1", "imageLookup": "false"}, "a tag, but imageLookup is false"),
        ({"image": "repo@sha256:12"}, "allowed are `build`, `checkout`, repository@sha256"),
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
        (
            {"workersMin": "1"},
            "photo-splat:workersMin is 1, and that many workers are always billed. Set it to 0, or set",
        ),
        ({"scaling": "huge"}, "photo-splat:scaling is huge"),
        ({"jurisdiction": "mars"}, "photo-splat:jurisdiction is mars"),
        ({"bucketLocation": "moon"}, "photo-splat:bucketLocation is moon"),
        ({"queueDelayS": "0.1"}, "photo-splat:queueDelayS is 0.1: Input should be greater than or equal to 0.5"),
        ({"idleTimeoutS": "0"}, "photo-splat:idleTimeoutS is 0: Input should be greater than or equal to 1"),
        ({"idleTimeoutS": "3601"}, "photo-splat:idleTimeoutS is 3601: Input should be less than or equal to 3600"),
        ({"executionTimeoutS": "4"}, "photo-splat:executionTimeoutS is 4: Input should be greater than or equal to 5"),
        ({"executionTimeoutS": "604801"}, "photo-splat:executionTimeoutS is 604801: Input should be less than"),
        ({"diskGb": "0"}, "photo-splat:diskGb is 0: Input should be greater than or equal to 5"),
        ({"flashboot": "ON"}, "photo-splat:flashboot is ON"),
        ({"protect": "perhaps"}, "photo-splat:protect is perhaps"),
        ({"gpuu": "x"}, "photo-splat:gpuu is not a key of this project. Did you mean photo-splat:gpu?"),
    ],
)
def test_a_value_that_does_not_fit_is_rejected_by_key_with_what_is_allowed(changes: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(**changes)
    assert says in str(caught.value)


@pytest.mark.parametrize("scaling", Scaling)
def test_a_scaling_name_stands_for_its_numbers(scaling: Scaling) -> None:
    preset = SCALING_PRESETS[scaling]
    settings = read(scaling=scaling.value)
    assert settings.scaling.workers == (preset.workers_min, preset.workers_max)
    assert settings.scaling.idle_s == preset.idle_timeout_s


def test_one_number_overrides_its_part_of_the_preset() -> None:
    settings = read(scaling="medium", workersMax="4", idleTimeoutS="7")
    assert (settings.scaling.workers, settings.scaling.idle_s) == ((0, 4), 7)


def test_workers_that_are_always_on_need_large_or_acceptance() -> None:
    assert read(scaling="large").scaling.workers[0] == 1
    assert read(workersMin="1", alwaysOnAccepted="true").scaling.workers == (1, 2)


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://photo-splat-dev.team.workers.dev"),
        ({"domain": "splat.example.org", "zoneId": "f" * 32}, "https://splat.example.org"),
        ({"appUrl": "http://127.0.0.1:8787/"}, "http://127.0.0.1:8787"),
    ],
)
def test_the_apps_address_comes_from_the_most_specific_key(changes: dict[str, str], url: str) -> None:
    assert read(**changes).edge.public_url("photo-splat-dev") == url


def test_the_jurisdiction_is_part_of_the_buckets_address() -> None:
    assert read(jurisdiction="eu").s3_url.endswith(".eu.r2.cloudflarestorage.com")


def test_every_key_has_a_description() -> None:
    assert [setting.key for setting in all_settings() if len(setting.info.description or "") < 20] == []


def test_keys_are_camel_case_in_their_namespace() -> None:
    keys = [setting.key for setting in all_settings()]
    assert {"photo-splat:gpuCount", "photo-splat:bucketLocation", "runpod:apiUrl"} <= set(keys)
    assert len(keys) == len(set(keys))
