"""A stack is destroyed while a job runs: the job is cancelled first, and whoever watches gets the reason.
The real Worker and app, the real engine; only the GPU worker is a process that sleeps."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from infra.lifecycle.cancel_jobs import REASON
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.photos import find_photos
from tests.conftest import need
from tests.stack.conftest import ROOT, LocalCloud, Project, make_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def whole(
    cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A stack with the checkout's own Worker."""
    need(ROOT / "edge_worker/dist/index.js", hint="run scripts/bootstrap --test")
    monkeypatch.setenv("PATH", engine_path)
    made = make_project(tmp_path_factory.mktemp("project"), cloud, engine_path)
    for part in ("dist", "wrangler.jsonc"):
        target, source = made.folder / "edge_worker" / part, ROOT / "edge_worker" / part
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    made.up()
    yield made
    if cloud.endpoints():
        made.destroy()


def test_a_running_job_is_cancelled_first_and_says_why(whole: Project, cloud: LocalCloud) -> None:
    outputs = whole.outputs()
    token = str(outputs["operatorToken"].value)
    with EdgeClient(cloud.app_url, token) as client:
        photos, _ = find_photos(ROOT / "samples/photos", client.limits())
        project = client.create_project("Still life")
        for upload, photo in zip(client.request_uploads(project.id, photos), photos, strict=True):
            client.put(upload, photo.path)
        client.start(project.id, "preview")
    address = f"{cloud.app_url.replace('http', 'ws')}/api/projects/{project.id}/events"

    seen: list[str] = []
    with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as watched:
        printed = whole.destroy().stdout
        with suppress(ConnectionClosed):  # the Worker goes without a word after its last event
            seen.extend(str(message) for message in watched)

    assert f"cancelled the job of project {project.id}, with the reason: {REASON}" in printed
    assert json.loads(seen[-1])["project"]["state"] == "cancelled", seen[-1]
    assert json.loads(seen[-1])["project"]["error"]["message"] == REASON
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{cloud.app_url}/api/health", timeout=5).raise_for_status()
    cloud.assert_empty()
