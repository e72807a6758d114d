"""The whole service on a local cloud, with the real Worker, app and engine; only the GPU worker is a process that
sleeps. The doctor examines it, then it is destroyed while a job runs."""

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
from scripts.splat_cli.doctor.examine import examine
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.photos import find_photos
from scripts.splat_cli.stack import Engine
from scripts.splat_cli.stack_access import read_stack
from tests.conftest import need
from tests.stack.conftest import BUCKET, ROOT, SCRIPT, LocalCloud, Project, make_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def whole(cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A stack with the checkout's own Worker. The last test of this module destroys it."""
    need(ROOT / "edge_worker/dist/index.js", hint="run scripts/bootstrap --test")
    monkeypatch = pytest.MonkeyPatch()
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
    monkeypatch.undo()


def findings(stack: Project) -> dict[str, str]:
    """What `splat doctor` finds now: check → id of its first finding."""
    engine = Engine(
        root=ROOT,
        stack="local",
        environment=stack.environment,
        config_file=stack.folder / "Pulumi.local.yaml",
    )
    verdicts = list(examine(read_stack(engine)))
    assert len(verdicts) > 15
    return {one.check: one.findings[0].id for one in verdicts if one.findings}


def test_the_doctor_finds_nothing_on_a_healthy_stack_and_each_fault_on_a_broken_one(
    whole: Project, cloud: LocalCloud
) -> None:
    assert findings(whole) == {}

    [endpoint] = cloud.endpoints()
    cloud.cloudflare("DELETE", f"/resources/R2BucketCors/{BUCKET}").raise_for_status()
    for kind, id_ in cloud.resources():
        if kind == "AccountToken":
            cloud.cloudflare("DELETE", f"/resources/AccountToken/{id_}").raise_for_status()
    cloud.runpod("PATCH", f"/v2/serverless/{endpoint['id']}", json={"timeout": 60_000}).raise_for_status()
    assert findings(whole) == {
        "endpoint settings": "endpoint-drift",
        "bucket key": "secrets-out-of-sync",
        "bucket CORS": "bucket-cors",
        "presigned PUT and GET": "bucket-round-trip",
    }

    whole.up(refresh=True)  # what `splat doctor --fix` runs
    assert findings(whole) == {}

    cloud.cloudflare(
        "PUT",
        f"/accounts/{'0' * 32}/workers/scripts/{SCRIPT}/secrets",
        json={"name": "LATE", "text": "by hand", "type": "secret_text"},
    ).raise_for_status()
    assert findings(whole) == {"Worker script": "script-unmanaged"}
    assert "the Worker has the binding LATE, which this stack does not declare" in whole.preview().stdout

    change_script(cloud, {"WORKER_URL": "http://127.0.0.1:9"}, without="LATE")
    with EdgeClient(cloud.app_url, str(whole.outputs()["operatorToken"].value)) as client:
        client.stop_jobs("A test stopped it.")
        assert findings(whole) == {
            "webhook address": "webhook-not-received",
            "Worker script": "script-drift",
            "service": "service-stopped",
        }
        client.resume_jobs()
    change_script(cloud, {"RUNPOD_API_KEY": "rpa_revoked"})
    assert findings(whole) == {
        "webhook address": "webhook-not-received",
        "Worker script": "script-drift",
        "secrets in sync": "secrets-out-of-sync",
    }
    cloud.cloudflare("DELETE", f"/resources/WorkersScript/{SCRIPT}").raise_for_status()
    found = findings(whole)
    assert (found["Worker script"], found["app"]) == ("script-missing", "app-unhealthy")

    whole.up(refresh=True)
    assert findings(whole) == {}


def change_script(cloud: LocalCloud, texts: dict[str, str], *, without: str = "") -> None:
    """Somebody changes text bindings of the deployed script by hand."""
    props = cloud.resources()["WorkersScript", SCRIPT]
    bindings = [{**one, "text": texts.get(one["name"], one.get("text"))} for one in props["bindings"]]
    bindings = [one for one in bindings if one["name"] != without]
    kept = [{key: value for key, value in one.items() if value is not None} for one in bindings]
    tag = props["migrationTag"]
    body = {"props": {**props, "bindings": kept, "migrations": {"oldTag": tag, "newTag": tag}}}
    cloud.cloudflare("PUT", f"/resources/WorkersScript/{SCRIPT}", json=body).raise_for_status()


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
