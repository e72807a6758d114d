"""Checks of Cloudflare: reads through its API and the bucket's S3 address, and hands what it read to
judge/cloudflare.py. Leaves nothing in the bucket."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from infra.cloudflare.api import KeyRefused
from scripts.splat_cli.doctor.finding import Finding, Verdict, verdict
from scripts.splat_cli.doctor.judge import cloudflare as judge
from scripts.splat_cli.doctor.observe.stack import Observed
from scripts.splat_cli.doctor.runner import Check
from scripts.splat_cli.edge_client import Upload
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.photos import Photo

TOKEN = "Cloudflare token"  # noqa: S105 - a name
APP_HEADERS = ("content-type", "if-none-match")  # of the app's uploads
TIMEOUT_S = 10.0
PROBE_NAME = "splat doctor (deleted at once)"
# The smallest JPEG that the service takes as one: 1 × 1 px, grey.
PROBE_JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def checks(seen: Observed) -> list[Check]:
    return [
        Check(name=TOKEN, run=lambda: token_rights(seen)),
        Check(name="Worker script", run=lambda: script(seen), needs=TOKEN),
        Check(name="bucket key", run=lambda: bucket_key(seen), needs=TOKEN),
        Check(name="bucket CORS", run=lambda: cors(seen)),
        Check(name="presigned PUT and GET", run=lambda: round_trip(seen), needs="app"),
    ]


def token_rights(seen: Observed) -> Verdict:
    try:
        api = seen.cloudflare
    except CommandError as missing:
        finding = Finding(
            id="cloudflare-token", what="There is no Cloudflare token.", evidence=missing.message, fix=missing.hint
        )
        return verdict(TOKEN, "", [finding])
    storage = seen.access.settings.storage
    bucket = str(seen.recorded(":R2Bucket").outputs["name"])
    reads: tuple[tuple[str, Callable[[], object]], ...] = (
        ("edit on Workers Scripts", api.scripts),
        ("edit on Workers R2 Storage", lambda: api.bucket(bucket, jurisdiction=storage.jurisdiction.value)),
        ("edit on Account API Tokens", api.token_names),
    )
    refusals = []
    for right, read in reads:
        try:
            read()
        except KeyRefused as refused:
            refusals.append(judge.Refusal(right=right, evidence=str(refused).partition("). ")[0] + ")"))
    return judge.token_rights(TOKEN, tuple(refusals))


def script(seen: Observed) -> Verdict:
    found = seen.script_bindings()
    # A refresh puts what Cloudflare has into the outputs; the inputs are what the program declares.
    recorded = seen.recorded(":WorkersScript").inputs
    declared = {
        str(one["name"]): str(one.get("text")) if one.get("type") == "plain_text" else None
        for one in recorded.get("bindings") or ()
    }
    bindings, texts = found if found is not None else (None, {})
    return judge.script("Worker script", bindings, texts, declared=declared, redo=seen.redo)


def bucket_key(seen: Observed) -> Verdict:
    key_id = str(seen.recorded("cloudflare:BucketContents").outputs["accessKeyId"])
    return judge.bucket_key("bucket key", token_ids=seen.cloudflare.token_ids(), key_id=key_id, redo=seen.redo)


def cors(seen: Observed) -> Verdict:
    origin = seen.access.app_url
    answer = httpx.request(
        "OPTIONS",
        f"{seen.access.settings.s3_url}/{seen.access.outputs['bucket']}/splat-doctor",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "PUT",
            "Access-Control-Request-Headers": ",".join(APP_HEADERS),
        },
        timeout=TIMEOUT_S,
        trust_env=not seen.is_local,
    )
    return judge.cors(
        "bucket CORS",
        status=answer.status_code,
        headers=answer.headers,
        origin=origin,
        wanted=APP_HEADERS,
        redo=seen.redo,
    )


def round_trip(seen: Observed) -> Verdict:
    """Uploads one tiny photo to an address that the app signs, and reads it with the stack's own key pair. The two key
    pairs and the two addresses must agree. The photo's project is deleted in any case."""
    edge = seen.edge
    began_s = time.monotonic()
    project = edge.create_project(PROBE_NAME)
    try:
        [upload] = edge.request_uploads(
            project.id, [Photo(path=Path("probe.jpg"), name="probe.jpg", type="image/jpeg", size_bytes=len(PROBE_JPEG))]
        )
        put = _put(seen, upload)
        got = _get(seen, f"projects/{project.id}/photos/{upload.as_}") if 200 <= put < 300 else None
    finally:
        edge.delete_project(project.id)
    return judge.round_trip(
        "presigned PUT and GET",
        put=put,
        got=got.status_code if got is not None else None,
        same=got is not None and got.content == PROBE_JPEG,
        milliseconds=1000 * (time.monotonic() - began_s),
        redo=seen.redo,
    )


def _put(seen: Observed, upload: Upload) -> int:
    return httpx.put(
        upload.url, content=PROBE_JPEG, headers=upload.headers, timeout=TIMEOUT_S, trust_env=not seen.is_local
    ).status_code


def _get(seen: Observed, key: str) -> httpx.Response:
    """Read an object through an address presigned with the key pair in the stack's state."""
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    access = seen.recorded("cloudflare:BucketContents").outputs
    request = AWSRequest(method="GET", url=f"{access['endpoint']}/{access['bucket']}/{key}")
    credentials = Credentials(str(access["accessKeyId"]), str(access["secretAccessKey"]))
    S3SigV4QueryAuth(credentials, "s3", "auto", expires=60).add_auth(request)
    return httpx.get(str(request.url), timeout=TIMEOUT_S, trust_env=not seen.is_local)
