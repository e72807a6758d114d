"""One stack through its whole life on the real engine: up, no change, drift, changes, destroy.
Real engine, real SDKs, real stand-ins; only the worker script and the page are tiny."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

import httpx
import pulumi.automation as auto
import pytest
from botocore.exceptions import ClientError

from tests.stack.conftest import BUCKET, CLOUDFLARE_TOKEN, ENDPOINT_NAME, RUNPOD_KEY, SCRIPT, LocalCloud, Project
from tests.stack.support.key_gate import KeyGate, key_gate

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


def known_secrets(project: Project, cloud: LocalCloud) -> dict[str, str]:
    """Every secret of the deployed stack, by what it is."""
    told = cloud.told()
    [token] = [props for (kind, _), props in cloud.resources().items() if kind == "AccountToken"]
    return {
        "RunPod key": told["RUNPOD_API_KEY"],
        "bucket token": token["value"],
        "bucket secret key": told["S3_SECRET_ACCESS_KEY"],
        "operator token": project.outputs()["operatorToken"].value,
        **{f"hook key {n}": key for n, key in enumerate(json.loads(told["HOOK_KEYS"]))},
    }


def test_the_exported_state_holds_no_secret_in_plain_text(project: Project, cloud: LocalCloud) -> None:
    known = {**known_secrets(project, cloud), "Cloudflare token": CLOUDFLARE_TOKEN}
    assert known["RunPod key"] == RUNPOD_KEY

    text = project.stored()

    assert '"urn:pulumi:local::photo-splat::' in text
    assert [name for name, value in known.items() if value in text] == []


def test_dependents_of_the_script_are_deleted_before_it(project: Project) -> None:
    found = {one["urn"].rpartition("::")[2]: one for one in project.stack.export_stack().deployment["resources"]}
    for name in ("splat-edge-subdomain", "splat-edge-cron"):
        assert found["splat-edge-script"]["urn"] in found[name]["dependencies"]


def test_drift_is_found_and_corrected(project: Project, cloud: LocalCloud) -> None:
    [endpoint] = cloud.endpoints()
    cloud.runpod("PATCH", f"/v2/serverless/{endpoint['id']}", json={"workers": {**endpoint["workers"], "max": 0}})
    cors = cloud.resources()["R2BucketCors", BUCKET]
    cors["rules"][0]["allowed"]["origins"] = ["https://elsewhere.example"]
    assert cloud.cloudflare("PUT", f"/resources/R2BucketCors/{BUCKET}", json={"props": cors}).status_code == 200

    refreshed = project.refresh()

    assert refreshed.summary.resource_changes["update"] == 2
    assert "workers.max is 0 instead of 1. RunPod lowers it after 7 days" in refreshed.stdout
    planned = project.preview()
    assert planned.change_summary["update"] == 2
    project.up()
    assert cloud.endpoints()[0]["workers"]["max"] == 1
    assert cloud.resources()["R2BucketCors", BUCKET]["rules"][0]["allowed"]["origins"] == [cloud.app_url]


def test_an_endpoint_that_vanished_is_made_again(project: Project, cloud: LocalCloud) -> None:
    before = project.outputs()["endpointId"].value
    cloud.runpod("DELETE", f"/v2/serverless/{before}")

    project.refresh()
    # The first upload after the creation carries no migration, which a plan must not show as the deletion of one.
    planned = project.preview(diff=True).stdout
    assert re.search(r'carries\W+"tag v1, new: Index, Project" => "no new class"', planned), planned
    assert "newTag" not in planned
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


NEW_RUNPOD_KEY = "rpa_NEW0KEY0OF0THE0TESTS0RUNPOD0ACCOUNT"
NEW_CLOUDFLARE_TOKEN = "new-token-of-the-tests-0123456789-abcdefghij"
REGISTRY_PASSWORDS = ("first-password-of-the-registry", "second-password-of-the-registry")


@pytest.fixture(scope="module", autouse=True)  # before the project, so that its last destroy still finds them
def gates(cloud: LocalCloud) -> Iterator[tuple[KeyGate, KeyGate]]:
    """RunPod and Cloudflare with accounts that have two keys each."""
    with (
        key_gate(cloud.runpod_url, RUNPOD_KEY, {RUNPOD_KEY, NEW_RUNPOD_KEY}) as runpod,
        key_gate(cloud.control_url, CLOUDFLARE_TOKEN, {CLOUDFLARE_TOKEN, NEW_CLOUDFLARE_TOKEN}) as cloudflare,
    ):
        yield runpod, cloudflare


def told_pair(cloud: LocalCloud) -> tuple[str, str]:
    told = cloud.told()
    return told["S3_ACCESS_KEY_ID"], told["S3_SECRET_ACCESS_KEY"]


def test_every_secret_rotates_and_the_old_ones_work_until_the_new_ones_do(
    project: Project, cloud: LocalCloud, gates: tuple[KeyGate, KeyGate]
) -> None:
    runpod, cloudflare = gates
    before = {**known_secrets(project, cloud), "Cloudflare token": CLOUDFLARE_TOKEN}
    first, hook_key, pair = before["operator token"], json.loads(cloud.told()["HOOK_KEYS"]), told_pair(cloud)

    def accepted() -> set[str]:
        return {entry["sha256"] for entry in json.loads(cloud.told()["API_TOKENS"])}

    def digest(token: str) -> str:
        return hashlib.sha256(token.encode()).hexdigest()

    def registries() -> list[str]:
        return [one["id"] for one in cloud.runpod("GET", "/v2/registries").json()["registries"]]

    project.stack.set_all_config(
        {
            "runpod:apiUrl": auto.ConfigValue(f"{runpod.url}/v2"),
            "cloudflare:baseUrl": auto.ConfigValue(cloudflare.url),
            "runpod:apiKey": auto.ConfigValue(NEW_RUNPOD_KEY, secret=True),
            "cloudflare:apiToken": auto.ConfigValue(NEW_CLOUDFLARE_TOKEN, secret=True),
            "photo-splat:registryUsername": auto.ConfigValue("team"),
            "photo-splat:registryPassword": auto.ConfigValue(REGISTRY_PASSWORDS[0], secret=True),
        }
    )
    project.set(operatorTokenGeneration="2", hookKeysGeneration="2", bucketKeyGeneration="2")
    second = project.up().outputs["operatorToken"].value
    assert first != second
    assert accepted() == {digest(first), digest(second)}
    assert json.loads(cloud.told()["HOOK_KEYS"])[1:] == hook_key
    assert cloud.told()["RUNPOD_API_KEY"] == NEW_RUNPOD_KEY
    assert told_pair(cloud) != pair
    # Jobs under way hold addresses that were signed with it.
    cloud.s3(pair).list_objects_v2(Bucket=BUCKET)
    [credential] = registries()

    project.set(keepPreviousSecrets="false")
    project.stack.set_config("photo-splat:registryPassword", auto.ConfigValue(REGISTRY_PASSWORDS[1], secret=True))
    assert project.up().outputs["operatorToken"].value == second
    assert accepted() == {digest(second)}
    assert len(json.loads(cloud.told()["HOOK_KEYS"])) == 1
    assert registries() == [cloud.endpoints()[0]["registry"]] != [credential]
    with pytest.raises(ClientError):
        cloud.s3(pair).list_objects_v2(Bucket=BUCKET)
    # While the script was without the new pair, the old one opened the bucket.
    uploaded = cloudflare.seen.index(f"PUT /resources/WorkersScript/{SCRIPT}")
    assert uploaded < cloudflare.seen.index(f"DELETE /resources/AccountToken/{pair[0]}")

    # Only now are the old keys revoked; nothing asks for them any more.
    runpod.accepted.discard(RUNPOD_KEY)
    cloudflare.accepted.discard(CLOUDFLARE_TOKEN)
    project.preview(expect_no_changes=True, refresh=True)
    known = {f"old {name}": value for name, value in before.items()} | known_secrets(project, cloud)
    known |= {
        "new Cloudflare token": NEW_CLOUDFLARE_TOKEN,
        "first": REGISTRY_PASSWORDS[0],
        "second": REGISTRY_PASSWORDS[1],
    }
    text = project.stored()
    assert [name for name, value in known.items() if value in text] == []


def test_a_plan_shows_the_settings_of_the_script_that_change(project: Project) -> None:
    """The provider hides all bindings of a script; the component shows those that are no secret."""
    project.set(jobsPerDay="7")
    said = project.preview(diff=True).stdout
    project.set(jobsPerDay="50")
    assert re.search(r"jobs_per_day\W+50\W+=>\W+7", said), said


def test_a_gpu_that_serverless_does_not_offer_fails_at_preview_with_a_suggestion(project: Project) -> None:
    project.set(gpu="A100 40GB")

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert 'does not offer "A100 40GB". Use' in str(failure.value)
    assert "Traceback" not in str(failure.value)
    project.set(gpu="RTX 4090")


def test_an_engine_that_is_too_old_is_rejected(project: Project) -> None:
    program = project.folder / "__main__.py"
    ours = program.read_text()
    program.write_text(ours.replace('pulumi_version(f">={OLDEST_ENGINE}")', "pulumi_version('>=99.0.0')"))
    assert program.read_text() != ours

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert ">=99.0.0" in str(failure.value)
    assert ".tools/engine/pulumi" in str(failure.value)
    assert "Traceback" not in str(failure.value)
    program.write_text(ours)


def test_a_setting_that_cannot_work_fails_before_anything_is_touched(project: Project) -> None:
    project.set(image="ghcr.io/team/splat-worker:latest")

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert "which can change under a running endpoint" in str(failure.value)
    assert "Traceback" not in str(failure.value)
    project.set(image="checkout")


def test_a_key_in_plain_text_is_rejected_and_not_shown(project: Project) -> None:
    before = project.stack.get_all_config().get("runpod:apiKey")
    project.stack.set_config("runpod:apiKey", auto.ConfigValue(NEW_RUNPOD_KEY))

    with pytest.raises(auto.CommandError) as failure:
        project.preview()

    assert "runpod:apiKey is stored in plain text in the stack's file" in str(failure.value)
    assert NEW_RUNPOD_KEY not in str(failure.value)
    project.stack.remove_config("runpod:apiKey")
    if before is not None:
        project.stack.set_config("runpod:apiKey", before)


def test_a_protected_stack_is_not_destroyed(project: Project, cloud: LocalCloud) -> None:
    project.set(protect="true")
    project.up()
    before = set(cloud.resources())

    with pytest.raises(auto.CommandError, match=r"cannot be deleted\s+because it is protected"):
        project.destroy()

    assert set(cloud.resources()) == before
    assert len(cloud.endpoints()) == 1
    resources = project.stack.export_stack().deployment["resources"]
    open_to_deletion = {
        one["urn"].rpartition("::")[2] for one in resources if one.get("custom") and not one.get("protect")
    }
    # Replaced by every rotation, and deleted after what uses them.
    assert {name for name in open_to_deletion if not name.startswith(("default", "pulumi-"))} == {
        "splat-storage-token-even",
        "splat-gpu-registry",
    }
    project.set(protect="false")
    project.up()


def test_destroy_leaves_nothing_although_the_bucket_is_full(project: Project, cloud: LocalCloud) -> None:
    s3 = cloud.s3()
    for number in range(3):
        s3.put_object(Bucket=BUCKET, Key=f"projects/p/photos/{number}.jpg", Body=b"photo")
    s3.create_multipart_upload(Bucket=BUCKET, Key="projects/p/half")

    project.destroy()

    cloud.assert_empty()
