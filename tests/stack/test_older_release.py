"""A stack of an older release continues under this one: nothing is replaced or lost, secrets stay.
fixtures/ holds one state per release. From then on, names, types and parents of resources never change."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from tests.stack.conftest import CLOUDFLARE_TOKEN, RUNPOD_KEY, LocalCloud, make_project
from tests.stack.older_release import FIXTURES, new_release, restore

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]

RELEASES = sorted(FIXTURES.glob("*.json"))


def by_release(file: Path) -> str:
    return file.stem


def test_there_is_a_state_of_at_least_one_release() -> None:
    assert RELEASES


@pytest.mark.parametrize("release", ["0.1.0", "../0.2.0", "0.2", "v0.2.0", ""])
def test_a_stored_state_is_not_overwritten_and_its_name_is_a_release(release: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"exists already|not a release"):
        new_release(release)
    assert new_release("99.0.0") == "99.0.0"


@pytest.mark.parametrize("file", RELEASES, ids=by_release)
def test_a_stored_state_holds_no_secret_in_plain_text_and_no_path_of_a_machine(file: Path) -> None:
    text = file.read_text()
    secrets = re.findall(r'"(ciphertext|plaintext)"', text)
    assert len(secrets) >= 20
    assert set(secrets) == {"ciphertext"}
    assert [known for known in (RUNPOD_KEY, CLOUDFLARE_TOKEN, "splat_") if known in text] == []
    assert re.findall(r'"(?:file://)?/(?:home|root|tmp|work|Users)[^"]*"', text) == []
    assert json.loads(text)["release"] == file.stem


@pytest.mark.parametrize("file", RELEASES, ids=by_release)
def test_an_up_of_this_release_keeps_the_resources_of_an_older_one(
    file: Path,
    cloud: LocalCloud,
    engine_path: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", engine_path)
    project = make_project(tmp_path_factory.mktemp("project"), cloud, engine_path)
    ids = restore(file, project, cloud)
    before = {key: props.get("createdOn") or props.get("creationDate") for key, props in cloud.resources().items()}
    keys = cloud.told()["HOOK_KEYS"]

    planned = project.preview().change_summary

    assert set(planned) <= {"same", "update", "create"}
    assert planned["same"] > planned.get("update", 0) + planned.get("create", 0)

    done = project.up()

    assert done.outputs["endpointId"].value == ids["splat-gpu-endpoint"]
    assert [one["id"] for one in cloud.endpoints()] == [ids["splat-gpu-endpoint"]]
    after = {key: props.get("createdOn") or props.get("creationDate") for key, props in cloud.resources().items()}
    assert before.items() <= after.items()
    assert cloud.told()["HOOK_KEYS"] == keys
    project.preview(expect_no_changes=True)
    project.destroy()
    cloud.assert_empty()
