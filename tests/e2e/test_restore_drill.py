"""The restore drill on one machine: back up, lose every Durable Object, restore, and read the same scenes and files.
The real engine, the command line and workerd. After the test of a whole job, its finished scene is among them."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_cloud import supervisor
from local_cloud.addresses import StateFolder
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.photos import find_photos
from tests.conftest import ROOT, LocalStack

pytestmark = [pytest.mark.slow, pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.timeout(600)]


def seen(client: EdgeClient) -> dict[str, Any]:
    """All that people and operators read of the deployment, and the digests of all artifacts."""
    projects = {one.id: client.project(one.id) for one in client.projects()}
    return {
        "order": [one.id for one in client.projects()],
        "projects": {key: one.model_dump() for key, one in projects.items()},
        "photos": {key: client.photo_names(key) for key in projects},
        "jobs": [one.model_dump() for one in client.jobs()],
        "spend": client.metrics().spend.month_usd,
    }


def files(client: EdgeClient, folder: Path) -> dict[str, str]:
    found = {}
    for project in client.projects():
        for name in sorted(project.artifacts):
            target = folder / project.id
            target.mkdir(parents=True, exist_ok=True)
            found[f"{project.id}/{name}"] = hashlib.sha256(
                client.download(project.id, name, target).read_bytes()
            ).hexdigest()
    return found


def lose_objects(stack: LocalStack) -> None:
    """The data of every Durable Object is gone; bucket, script and state stay."""
    state = StateFolder(root=stack.state)
    supervisor.stop(state)
    folders = [path for path in stack.state.rglob("do") if path.is_dir()]
    assert folders, "the runtime keeps Durable Objects in a folder of another name"
    for folder in folders:
        shutil.rmtree(folder)
    supervisor.start(state, root=ROOT)


def test_lost_objects_come_back_from_a_backup(local_stack: LocalStack, tmp_path: Path) -> None:
    file = tmp_path / "drill.backup"
    with EdgeClient(local_stack.app_url, local_stack.token()) as client:
        project = client.create_project("Restore drill")
        photos, _ = find_photos(local_stack.photos_dir, client.limits())
        for upload, photo in zip(client.request_uploads(project.id, photos[:5]), photos[:5], strict=True):
            client.put(upload, photo.path)
        assert client.missing_photos(project.id) == []
        assert client.project(project.id).state == "ready"
        link = httpx.post(
            f"{local_stack.app_url}/api/projects/{project.id}/shares",
            headers={"Authorization": f"Bearer {local_stack.token()}"},
            trust_env=False,
        ).json()["url"]
        shared = f"{local_stack.app_url}/api/shared/{link.rpartition('/')[2]}"
        before, bytes_before = seen(client), files(client, tmp_path / "before")

        made = local_stack.splat("backup", str(file), "--json")
        assert made.returncode == 0, made.stderr
        assert json.loads(made.stdout)["scenes"] == len(before["order"])

        lose_objects(local_stack)
        assert client.projects() == []
        assert httpx.get(shared, trust_env=False).status_code == 404

        restored = local_stack.splat("restore", str(file))
        assert restored.returncode == 0, restored.stderr
        assert "not in the bucket" not in restored.stderr
        assert seen(client) == before
        assert files(client, tmp_path / "after") == bytes_before
        assert client.missing_photos(project.id) == []
        assert httpx.get(shared, trust_env=False).json()["name"] == "Restore drill"

        again = local_stack.splat("restore", str(file))
        assert (again.returncode, "already has scenes" in again.stderr) == (1, True), again.stderr
        state = local_stack.splat("restore", str(file), "--state")
        assert (state.returncode, "has a state with" in state.stderr) == (1, True), state.stderr
        client.delete_project(project.id)


def test_the_state_of_a_stack_comes_back_from_a_backup(local_stack: LocalStack, tmp_path: Path) -> None:
    file = tmp_path / "state.backup"
    assert local_stack.splat("backup", str(file)).returncode == 0
    lost = sorted((local_stack.state / "state/.pulumi/stacks").rglob("local.json*"))
    assert lost
    emptied = json.loads(local_stack.splat("pulumi", "stack", "export").stdout)
    emptied["deployment"]["resources"] = []
    (tmp_path / "empty.json").write_text(json.dumps(emptied))
    assert local_stack.splat("pulumi", "stack", "import", "--file", str(tmp_path / "empty.json")).returncode == 0
    assert local_stack.splat("outputs").returncode == 1

    restored = local_stack.splat("restore", str(file), "--state")
    assert restored.returncode == 0, restored.stderr
    assert local_stack.outputs()["appUrl"] == local_stack.app_url
    unchanged = local_stack.splat("pulumi", "preview", "--expect-no-changes", "--diff")
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr
