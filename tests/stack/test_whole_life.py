"""One stack through its whole life on the real engine: up, no change, drift, changes, destroy.
Real engine, real SDKs, real stand-ins; only the worker script and the page are tiny."""

from __future__ import annotations

import hashlib
import json

import httpx
import pulumi.automation as auto
import pytest

from tests.stack.conftest import BUCKET, CLOUDFLARE_TOKEN, ENDPOINT_NAME, RUNPOD_KEY, SCRIPT, LocalCloud, Project

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(1200)]


def test_up_makes_the_service_and_a_second_one_changes_nothing(project: Project, cloud: LocalCloud) -> None:
    outputs = project.outputs()

    [endpoint] = cloud.endpoints()
    assert outputs["endpointId"].value == endpoint["id"]
    assert endpoint["name"] == ENDPOINT_NAME
    assert endpoint["gpu"]["pools"] == ["ADA_24"]
    assert endpoint["image"] == outputs["imageReference"].value
    assert set(kind for kind, _ in cloud.resources()) == {
        "AccountToken",
        "R2Bucket",
        "R2BucketCors",
        "R2BucketLifecycle",
        "WorkersScript",
        "WorkersScriptSubdomain",
        "WorkersCronTrigger",
    }
    told = cloud.told()
    assert told["RUNPOD_ENDPOINT_ID"] == endpoint["id"]
    assert told["WORKER_URL"] == cloud.app_url == outputs["appUrl"].value
    assert told["objects"] == 5
    assert json.loads(told["PRICE"])["gpu"] == "RTX 4090"
    operator = outputs["operatorToken"]
    assert operator.secret
    assert json.loads(told["API_TOKENS"])[0]["sha256"] == hashlib.sha256(operator.value.encode()).hexdigest()

    assert project.preview(expect_no_changes=True).change_summary.keys() == {"same"}


def test_the_exported_state_holds_no_secret_in_clear(project: Project, cloud: LocalCloud) -> None:
    outputs = project.outputs()
    told = cloud.told()
    [token] = [props for (kind, _), props in cloud.resources().items() if kind == "AccountToken"]
    known = {
        "RunPod key": RUNPOD_KEY,
        "Cloudflare token": CLOUDFLARE_TOKEN,
        "bucket token": token["value"],
        "bucket secret key": told["S3_SECRET_ACCESS_KEY"],
        "operator token": outputs["operatorToken"].value,
        **{f"hook key {n}": key for n, key in enumerate(json.loads(told["HOOK_KEYS"]))},
    }

    text = project.stored()

    assert '"urn:pulumi:local::photo-splat::' in text
    assert [name for name, value in known.items() if value in text] == []


def test_what_was_changed_behind_its_back_is_found_and_mended(project: Project, cloud: LocalCloud) -> None:
    [endpoint] = cloud.endpoints()
    cloud.runpod("PATCH", f"/v2/serverless/{endpoint['id']}", json={"workers": {**endpoint["workers"], "max": 0}})
    cors = cloud.resources()["R2BucketCors", BUCKET]
    cors["rules"][0]["allowed"]["origins"] = ["https://elsewhere.example"]
    assert cloud.cloudflare("PUT", f"/resources/R2BucketCors/{BUCKET}", json={"props": cors}).status_code == 200

    refreshed = project.refresh()

    assert refreshed.summary.resource_changes["update"] == 2
    assert "workers.max is 0 instead of 1: RunPod itself cuts it after 7 days" in refreshed.stdout
    planned = project.preview()
    assert planned.change_summary["update"] == 2
    project.up()
    assert cloud.endpoints()[0]["workers"]["max"] == 1
    assert cloud.resources()["R2BucketCors", BUCKET]["rules"][0]["allowed"]["origins"] == [cloud.app_url]


def test_an_endpoint_that_vanished_is_made_again(project: Project, cloud: LocalCloud) -> None:
    before = project.outputs()["endpointId"].value
    cloud.runpod("DELETE", f"/v2/serverless/{before}")

    project.refresh()
    after = project.up().outputs["endpointId"].value

    assert after != before
    assert [endpoint["id"] for endpoint in cloud.endpoints()] == [after]
    assert cloud.told()["RUNPOD_ENDPOINT_ID"] == after


def test_a_new_script_goes_up_without_repeating_its_migration(project: Project, cloud: LocalCloud) -> None:
    script = project.folder / "edge_worker" / "dist" / "index.js"
    script.write_text(script.read_text().replace("...texts, objects", "...texts, second: true, objects"))

    project.up()

    assert cloud.told()["second"] is True
    assert cloud.resources()["WorkersScript", SCRIPT]["migrationTag"] == "v1"
    project.up(expect_no_changes=True)


def test_a_new_page_alone_is_uploaded(project: Project, cloud: LocalCloud) -> None:
    (project.folder / "edge_worker" / "dist" / "web" / "index.html").write_text("<!doctype html><title>second</title>")

    changed = project.up().summary.resource_changes

    assert changed["update"] == 2  # the script, and what decides its migration
    assert "second" in httpx.get(cloud.app_url, timeout=30).text


def test_secrets_rotate_and_the_old_ones_work_until_they_are_ended(project: Project, cloud: LocalCloud) -> None:
    first = project.outputs()["operatorToken"].value
    key = json.loads(cloud.told()["HOOK_KEYS"])

    def accepted() -> set[str]:
        return {entry["sha256"] for entry in json.loads(cloud.told()["API_TOKENS"])}

    def digest(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    project.set(operatorTokenGeneration="2", hookKeysGeneration="2")
    second = project.up().outputs["operatorToken"].value
    assert first != second
    assert accepted() == {digest(first), digest(second)}
    assert json.loads(cloud.told()["HOOK_KEYS"])[1:] == key

    project.set(keepPreviousSecrets="false")
    assert project.up().outputs["operatorToken"].value == second
    assert accepted() == {digest(second)}
    assert len(json.loads(cloud.told()["HOOK_KEYS"])) == 1


def test_a_gpu_that_serverless_does_not_offer_fails_at_preview_with_what_to_take(project: Project) -> None:
    project.set(gpu="A100 40GB")

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert 'does not offer "A100 40GB"; take' in str(failure.value)
    assert "Traceback" not in str(failure.value)
    project.set(gpu="RTX 4090")


def test_a_setting_that_cannot_work_fails_before_anything_is_touched(project: Project) -> None:
    project.set(image="ghcr.io/team/splat-worker:latest")

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert "a tag can move" in str(failure.value)
    assert "Traceback" not in str(failure.value)
    project.set(image="checkout")


def test_destroy_leaves_nothing_although_the_bucket_is_full(project: Project, cloud: LocalCloud) -> None:
    s3 = cloud.s3()
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"projects/p/photos/{number}.jpg", Body=b"photo")
    s3.create_multipart_upload(Bucket=BUCKET, Key="projects/p/half")

    project.destroy()

    cloud.assert_empty()
