"""The engine's state in an S3-compatible bucket, as on R2: proved on the local R2 S3 endpoint.
The state bucket is made outside the stack, with a key of its own (docs/operations.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config

from tests.stack.conftest import LocalCloud, Project, make_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1200)]

STATE_BUCKET = "splat-state"
ACCOUNT = "0" * 32


@pytest.fixture(scope="module")
def state_key(cloud: LocalCloud) -> Iterator[tuple[str, str]]:
    """A bucket for state and the S3 pair that opens it; both are gone afterwards."""
    bucket = {"accountId": ACCOUNT, "name": STATE_BUCKET}
    cloud.cloudflare("PUT", f"/resources/R2Bucket/{STATE_BUCKET}", json={"props": bucket}).raise_for_status()
    resources = json.dumps({f"com.cloudflare.edge.r2.bucket.{ACCOUNT}_default_{STATE_BUCKET}": "*"})
    policy = {"effect": "allow", "permissionGroups": [{"id": "1"}], "resources": resources}
    token = cloud.cloudflare(
        "PUT",
        "/resources/AccountToken/new",
        json={"props": {"accountId": ACCOUNT, "name": "state", "policies": [policy]}},
    ).json()["props"]
    pair = (token["id"], hashlib.sha256(token["value"].encode()).hexdigest())
    yield pair
    s3 = client(cloud, pair)
    for item in s3.list_objects_v2(Bucket=STATE_BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=STATE_BUCKET, Key=item["Key"])
    cloud.cloudflare("DELETE", f"/resources/R2Bucket/{STATE_BUCKET}").raise_for_status()
    cloud.cloudflare("DELETE", f"/resources/AccountToken/{token['id']}").raise_for_status()


def client(cloud: LocalCloud, pair: tuple[str, str]) -> object:
    return boto3.client(
        "s3",
        endpoint_url=f"{cloud.app_url}/cdn-cgi/local/r2/s3",
        region_name="auto",
        aws_access_key_id=pair[0],
        aws_secret_access_key=pair[1],
        config=Config(s3={"addressing_style": "path"}),
    )


def test_a_stack_lives_its_life_with_its_state_in_a_bucket(
    cloud: LocalCloud,
    engine_path: str,
    state_key: tuple[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", engine_path)
    endpoint = f"{cloud.app_url}/cdn-cgi/local/r2/s3"
    made: Project = make_project(
        tmp_path_factory.mktemp("project"),
        cloud,
        engine_path,
        backend=f"s3://{STATE_BUCKET}/team?endpoint={endpoint}&region=auto&s3ForcePathStyle=true",
        more={"AWS_ACCESS_KEY_ID": state_key[0], "AWS_SECRET_ACCESS_KEY": state_key[1]},
    )
    made.up()
    try:
        s3 = client(cloud, state_key)
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=STATE_BUCKET)["Contents"]]
        assert "team/.pulumi/stacks/photo-splat/local.json" in keys
        assert not any("locks" in key for key in keys)
        made.preview(expect_no_changes=True)
    finally:
        made.destroy()
    assert cloud.endpoints() == []
