"""The program of examples/two_services on the real engine: deployed, previewed without changes, destroyed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pulumi.automation as auto
import pytest

from tests.stack.conftest import ROOT, LocalCloud, configure_alone, project_environment, write_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def stack(cloud: LocalCloud, engine_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> auto.Stack:
    """A stack of the example, in a checkout with a tiny worker and page."""
    monkeypatch.setenv("PATH", engine_path)
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    write_project(checkout)
    example = checkout / "examples" / "two_services"
    shutil.copytree(ROOT / "examples" / "two_services", example, ignore=shutil.ignore_patterns("__pycache__"))
    environment = project_environment(checkout, engine_path)
    options = auto.LocalWorkspaceOptions(env_vars=environment)
    made = auto.create_stack("dev", work_dir=str(example), opts=options)
    configure_alone(made, cloud)
    return made


def test_two_services_share_a_stack_with_a_resource_of_its_own(stack: auto.Stack, cloud: LocalCloud) -> None:
    done = stack.up(suppress_progress=True, color="never")

    endpoints = {one["name"]: one for one in cloud.endpoints()}
    assert set(endpoints) == {"gallery-museum-dev", "gallery-street-dev"}
    assert [one["workers"]["max"] for _, one in sorted(endpoints.items())] == [3, 1]
    assert len({one["env"]["SPLAT_DEPLOYMENT"] for one in endpoints.values()}) == 2
    resources = cloud.resources()
    assert {name for kind, name in resources if kind == "R2Bucket"} == {*endpoints, "gallery-prints-dev"}
    for name in ("museum", "street"):
        outputs = done.outputs[name].value
        [endpoint] = [one for one in endpoints.values() if one["id"] == outputs["endpointId"]]
        assert endpoint["name"] == outputs["bucket"] == f"gallery-{name}-dev"
        script = resources["WorkersScript", f"gallery-{name}-dev"]
        texts = {one["name"]: one.get("text") for one in script["bindings"]}
        assert (texts["RUNPOD_ENDPOINT_ID"], texts["S3_BUCKET"]) == (endpoint["id"], outputs["bucket"])
        assert done.outputs[f"{name}RecordedMigration"].value == "v1"
    museum, street = (
        {one["name"]: one.get("text") for one in resources["WorkersScript", f"gallery-{name}-dev"]["bindings"]}
        for name in ("museum", "street")
    )
    assert [one["jobs_per_day"] for one in map(json.loads, (museum["LIMITS"], street["LIMITS"]))] == [200, 50]
    assert museum["HOOK_KEYS"] != street["HOOK_KEYS"]
    assert museum["S3_ACCESS_KEY_ID"] != street["S3_ACCESS_KEY_ID"]

    stack.preview(expect_no_changes=True, suppress_progress=True, color="never")

    stack.destroy(suppress_progress=True, color="never")
    cloud.assert_empty()
