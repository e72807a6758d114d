"""A new stack adopts an endpoint, a bucket and a script that exist: the same ids afterwards, nothing twice.
The whole path: query the stand-ins, write the configuration, preview, `up`, remove the keys, destroy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pulumi.automation as auto
import pytest

from scripts.splat_cli.adopt.command import adopt
from scripts.splat_cli.adopt.find import Found, Wanted
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import Engine
from tests.stack.conftest import ROOT, STACK, LocalCloud, Project, make_project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(600)]

ACCOUNT = "0" * 32
OLD_IMAGE = "ghcr.io/team/splat-worker@sha256:" + "a" * 64
OLD_BUCKET, OLD_SCRIPT, OLD_ENDPOINT = "my-splats", "splat-api", "my-splat-worker"
ALL = Wanted(endpoint=OLD_ENDPOINT, bucket=OLD_BUCKET, script=OLD_SCRIPT)


@pytest.fixture(scope="module")
def by_hand(cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Endpoint, bucket and script as a user created them in the consoles. Returns the endpoint's id."""
    script = tmp_path_factory.mktemp("hand") / "worker.js"
    script.write_text("export default { fetch: () => new Response('made by hand') };")
    props = {
        "R2Bucket": {"accountId": ACCOUNT, "name": OLD_BUCKET, "location": "enam"},
        "WorkersScript": {
            "accountId": ACCOUNT,
            "scriptName": OLD_SCRIPT,
            "mainModule": "worker.js",
            "compatibilityDate": "2026-01-01",
            "contentFile": str(script),
            "bindings": [{"name": "RUNPOD_KEY", "type": "secret_text", "text": "typed in by hand"}],
        },
    }
    for (kind, given), name in zip(props.items(), (OLD_BUCKET, OLD_SCRIPT), strict=True):
        cloud.cloudflare("PUT", f"/resources/{kind}/{name}", json={"props": given}).raise_for_status()
    made = cloud.runpod(
        "POST",
        "/v2/serverless",
        json={
            "name": OLD_ENDPOINT,
            "type": "QUEUE",
            "image": OLD_IMAGE,
            "gpu": {"pools": ["AMPERE_24"]},
            "workers": {"min": 0, "max": 3, "idleTimeout": 10},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
            "timeout": 600_000,
            "env": {"S3_SECRET": "typed in by hand"},
        },
    )
    return str(made.raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def fresh(cloud: LocalCloud, engine_path: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A stack without a deployment. Whatever it adopts is destroyed at the end."""
    with pytest.MonkeyPatch.context() as process:
        process.setenv("PATH", engine_path)
        made = make_project(tmp_path_factory.mktemp("project"), cloud, engine_path)
        (made.folder / ".tools").symlink_to(ROOT / ".tools")
        try:
            yield made
        finally:
            made.destroy()
        cloud.assert_empty()


@pytest.fixture
def engine(fresh: Project) -> Engine:
    return Engine(root=fresh.folder, stack=STACK, environment=fresh.environment)


def run_adopt(engine: Engine, wanted: Wanted, **given: Any) -> tuple[Found, str]:
    """What was found, and everything that was shown."""
    lines: list[str] = []
    found, _ = adopt(engine, wanted, show=lines.append, **given)
    return found, "\n".join(lines)


def ids(cloud: LocalCloud) -> dict[str, Any]:
    return {
        "endpoints": [one["id"] for one in cloud.endpoints()],
        "buckets": [
            (name, props["creationDate"]) for (kind, name), props in cloud.resources().items() if kind == "R2Bucket"
        ],
        "scripts": [
            (name, props["createdOn"]) for (kind, name), props in cloud.resources().items() if kind == "WorkersScript"
        ],
    }


def test_a_dry_run_writes_nothing(engine: Engine, by_hand: str, fresh: Project) -> None:
    before = (fresh.folder / f"Pulumi.{STACK}.yaml").read_text()

    _, said = run_adopt(engine, ALL, write=False)

    assert f"Found endpoint {OLD_ENDPOINT} ({by_hand}): 0 to 3 workers" in said
    assert f"Found bucket {OLD_BUCKET}: jurisdiction default, region enam" in said
    assert f"Found script {OLD_SCRIPT}: bindings: RUNPOD_KEY" in said
    assert (fresh.folder / f"Pulumi.{STACK}.yaml").read_text() == before


def test_a_missing_resource_is_an_error_and_nothing_is_written(engine: Engine, by_hand: str, fresh: Project) -> None:
    before = (fresh.folder / f"Pulumi.{STACK}.yaml").read_text()
    with pytest.raises(CommandError, match="no bucket 'elsewhere' in any jurisdiction"):
        run_adopt(engine, Wanted(endpoint=OLD_ENDPOINT, bucket="elsewhere"))
    fresh.set(jurisdiction="eu")
    with pytest.raises(CommandError, match=f"'{OLD_BUCKET}' is in jurisdiction default, but the stack uses eu"):
        run_adopt(engine, Wanted(bucket=OLD_BUCKET))
    fresh.set(jurisdiction="default")
    wrong = {**fresh.environment, "CLOUDFLARE_API_TOKEN": "another-token-0123456789-0123456789-abcdefghij"}
    with pytest.raises(CommandError, match="cloudflare:apiToken needs edit on Workers Scripts"):
        run_adopt(Engine(root=fresh.folder, stack=STACK, environment=wrong), Wanted(script=OLD_SCRIPT))
    assert "adopt" not in before + (fresh.folder / f"Pulumi.{STACK}.yaml").read_text()


def test_the_next_up_adopts_all_three_in_place(engine: Engine, by_hand: str, fresh: Project, cloud: LocalCloud) -> None:
    before = ids(cloud)

    found, said = run_adopt(engine, ALL)

    assert found.keys.items() <= engine.config().items()
    for line in (
        f"adopts endpoint {by_hand} and changes:",
        "  env.S3_SECRET: removed",
        "  gpu.pools: AMPERE_24 → ADA_24",
        "  workers.max: 3 → 1",
        f"adopts bucket {OLD_BUCKET} with its objects",
        "  removed bindings: RUNPOD_KEY",
    ):
        assert line in said
    assert "typed in by hand" not in said
    assert ids(cloud) == before

    done = fresh.up()

    assert ids(cloud) == before
    assert done.outputs["endpointId"].value == by_hand
    assert done.outputs["bucket"].value == OLD_BUCKET
    assert "replace" not in (done.summary.resource_changes or {})
    [endpoint] = cloud.endpoints()
    assert endpoint["workers"]["max"] == 1
    assert "S3_SECRET" not in endpoint["env"]
    assert cloud.told()["RUNPOD_ENDPOINT_ID"] == by_hand
    assert cloud.resources()["R2BucketCors", OLD_BUCKET]["rules"][0]["allowed"]["origins"] == [cloud.app_url]


def test_a_deployed_stack_adopts_nothing(engine: Engine, fresh: Project) -> None:
    with pytest.raises(CommandError, match="Stack local is already deployed"):
        run_adopt(engine, ALL)


def test_the_keys_can_be_removed_after_the_adoption(fresh: Project, cloud: LocalCloud) -> None:
    for key in ("adoptEndpointId", "adoptBucket", "adoptScript"):
        fresh.stack.remove_config(f"photo-splat:{key}")
    fresh.preview(expect_no_changes=True)


def test_a_bucket_that_would_have_to_move_is_rejected_before_anything_is_sent(
    fresh: Project, cloud: LocalCloud
) -> None:
    before = ids(cloud)
    fresh.set(jurisdiction="eu", bucketLocation="weur")

    with pytest.raises(auto.CommandError) as failure:
        fresh.up()

    said = str(failure.value)
    assert (
        "photo-splat:jurisdiction was default and cannot become eu: Cloudflare fixes it when the bucket is created"
        in said
    )
    assert "photo-splat:bucketLocation was not set and cannot become weur" in said
    assert "create a second stack there and copy the objects" in said
    assert "Traceback" not in said
    assert ids(cloud) == before
    fresh.set(jurisdiction="default", bucketLocation="")
