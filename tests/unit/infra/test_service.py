"""The whole service under mocks: its resources, their secrecy, their bindings and their names.
No engine and no network; tests/stack deploys it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from infra.cloudflare.worker_bundle import parse_jsonc
from infra.lifecycle.last_outputs import READ_OUTPUTS
from infra.runpod.job_memory import card_room, too_many_photos
from infra.settings.load import read_settings
from infra.settings.model import Settings

ROOT = Path(__file__).resolve().parents[3]
BASE = {
    "photo-splat:cloudflareAccountId": "0123456789abcdef0123456789abcdef",
    "photo-splat:workersSubdomain": "team",
    "photo-splat:image": "ghcr.io/team/splat-worker@sha256:" + "a" * 64,
    "photo-splat:imageLookup": "false",
}
SMALL_CARD = card_room("RTX 2000 Ada", 16)
RUNPOD_KEY = "rpa_KEY_OF_THE_TEST"
COMPUTED: dict[str, dict[str, Any]] = {
    "cloudflare:index/accountToken:AccountToken": {"value": "token-value"},
    "pulumi-python:dynamic/lifecycle:GeneratedSecret": {"current": "AAAA" * 8, "previous": ""},
    "pulumi-python:dynamic/runpod:Endpoint": {
        "price": {"gpu": "RTX 4090", "usd_per_s": 0.00031, "as_of": "2026-11-23", "source": "catalogue"},
        "gpu": {"pools": ["ADA_24"]},
        "card": SMALL_CARD,
    },
    "pulumi-python:dynamic/runpod:CheapestCard": {"names": ["RTX 3090", "L40S"]},
    "pulumi-python:dynamic/cloudflare:DurableObjectMigration": {"migrations": {"newTag": "v1"}},
}
Made = dict[str, pulumi.runtime.MockResourceArgs]


class Recorder(pulumi.runtime.Mocks):
    """Answers like services that compute what they must; records the inputs, secrets marked."""

    def __init__(self) -> None:
        self.made: Made = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.made[args.name] = args
        return f"{args.name}-id", {**args.inputs, **COMPUTED.get(args.typ, {})}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        assert args.token == READ_OUTPUTS, f"the program called {args.token}"
        return {"outputs": {}}


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Made, dict[str, Any]]]]:
    """Runs the program with settings; returns its resources and its outputs."""
    (tmp_path / "worker_image").mkdir()
    (tmp_path / "worker_image" / "Dockerfile").write_text("FROM scratch\n")
    web = tmp_path / "edge_worker" / "dist" / "web"
    web.mkdir(parents=True)
    (web / "index.html").write_text("page")
    (tmp_path / "edge_worker" / "dist" / "index.js").write_text("export default {}")
    shutil.copy(ROOT / "edge_worker" / "wrangler.jsonc", tmp_path / "edge_worker")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNPOD_API_KEY", RUNPOD_KEY)
    monkeypatch.delenv("RUNPOD_JOB_KEY", raising=False)

    def run(stack: str = "dev", watch: dict[str, Any] | None = None, **changes: str) -> tuple[Made, dict[str, Any]]:
        settings = read_settings({**BASE, **{f"photo-splat:{key}": value for key, value in changes.items()}})
        return _run(settings, stack, watch if watch is not None else {})

    yield run
    pulumi.runtime.set_all_config({})


def _run(settings: Settings, stack: str, watch: dict[str, Any]) -> tuple[Made, dict[str, Any]]:
    from infra.service import SplatService

    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="photo-splat", stack=stack)
    outputs: dict[str, Any] = {}

    @pulumi.runtime.test
    def program() -> Any:
        built = SplatService("splat", settings).outputs

        async def kinds() -> None:
            for name, value in {**built, **watch}.items():
                output = pulumi.Output.from_input(value)
                outputs[name] = (await output.future(), await output.is_secret())

        return pulumi.Output.from_input(kinds()).apply(lambda _: None)

    program()
    return recorder.made, outputs


def test_a_plan_can_show_the_settings_of_the_script_beside_its_secret_bindings(
    deploy: Callable[..., tuple[Made, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    components: dict[str, Any] = {}
    register = pulumi.runtime.mocks.MockMonitor.RegisterResource

    def recorded(monitor: Any, request: Any) -> Any:
        if request.type == "splat:edge:Edge":
            components.update(rpc.deserialize_properties(request.object))
        return register(monitor, request)

    monkeypatch.setattr(pulumi.runtime.mocks.MockMonitor, "RegisterResource", recorded)
    made, _ = deploy(jobsPerDay="7")
    shown = components["settings"]
    assert json.loads(shown["LIMITS"])["jobs_per_day"] == 7
    assert "usd_per_s" in shown["PRICE"]
    plain = {one["name"]: unwrapped(one["text"]) for one in bindings(made) if one["type"] == "plain_text"}
    assert shown == plain


def unwrapped(value: Any) -> Any:
    """A wire value without its secret wrapper. Reading a list with a secret in it wraps the whole list."""
    if isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig:
        return value["value"]
    return value


def bindings(made: Made) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = unwrapped(made["splat-edge-script"].inputs["bindings"])
    return listed


def contract(*, optional: bool = False) -> dict[str, str]:
    """Binding names to types, as docs/contracts.md says; with or without the optional ones."""
    text = (ROOT / "docs" / "contracts.md").read_text()
    table = text.partition("## Bindings of the edge worker")[2].partition("\n## ")[0]
    found: dict[str, str] = {}
    for names, kind, rest in re.findall(r"^\| (`[^|]+) \| (\w+)([^|]*)\|", table, re.MULTILINE):
        if optional or "optional" not in rest:
            found.update(dict.fromkeys(re.findall(r"`([A-Z0-9_]+)`", names), kind))
    return found


def test_the_bindings_are_those_of_the_contract_sorted_by_name(deploy: Any) -> None:
    made, _ = deploy()
    names = [binding["name"] for binding in bindings(made)]
    assert names == sorted(names)
    assert {binding["name"]: binding["type"] for binding in bindings(made)} == contract()


def test_with_access_and_a_receiver_of_alerts_the_script_gets_them(
    deploy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_WEBHOOK", "https://hooks.slack.com/services/T0/B0/secret")
    made, _ = deploy(
        accessTeam="https://team.cloudflareaccess.com", accessAud="e" * 64, accessOperators="a@x.org, b@x.org"
    )
    assert {binding["name"]: binding["type"] for binding in bindings(made)} == contract(optional=True)
    [receiver] = [binding for binding in bindings(made) if binding["name"] == "ALERT_WEBHOOK"]
    assert receiver["text"] == "https://hooks.slack.com/services/T0/B0/secret"
    [access] = [binding for binding in bindings(made) if binding["name"] == "ACCESS"]
    assert json.loads(access["text"]) == {
        "team": "https://team.cloudflareaccess.com",
        "aud": "e" * 64,
        "operators": ["a@x.org", "b@x.org"],
        "others": None,
    }


def test_the_edge_workers_own_configuration_names_the_same_bindings(deploy: Any) -> None:
    made, _ = deploy()
    wrangler = parse_jsonc((ROOT / "edge_worker" / "wrangler.jsonc").read_text())
    configured = {
        wrangler["assets"]["binding"]: "assets",
        **{one["binding"]: "r2_bucket" for one in wrangler["r2_buckets"]},
        **{one["name"]: "durable_object_namespace" for one in wrangler["durable_objects"]["bindings"]},
        **{one["name"]: "ratelimit" for one in wrangler["ratelimits"]},
        **dict.fromkeys(wrangler["vars"], "plain_text"),
        **dict.fromkeys(wrangler["secrets"]["required"], "secret_text"),
    }
    assert {binding["name"]: binding["type"] for binding in bindings(made)} == configured
    classes = {one["name"]: one["class_name"] for one in wrangler["durable_objects"]["bindings"]}
    assert {b["name"]: b["className"] for b in bindings(made) if "className" in b} == classes


def test_every_secret_binding_is_a_pulumi_secret_and_no_other_is(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.components import edge

    secrecy: dict[str, pulumi.Output[Any]] = {}
    kinds: dict[str, str] = {}
    original = edge.script_arguments

    def record(**given: Any) -> dict[str, Any]:
        for binding in given["bindings"]:
            kinds[binding["name"]] = binding["type"]
            if "text" in binding:
                secrecy[binding["name"]] = pulumi.Output.from_input(binding["text"])
        return original(**given)

    monkeypatch.setattr(edge, "script_arguments", record)
    _, outputs = deploy(watch=secrecy)

    for name in secrecy:
        assert outputs[name][1] == (kinds[name] == "secret_text"), name
    assert sum(kind == "secret_text" for kind in kinds.values()) == 7


def test_the_script_gets_what_its_bindings_promise(deploy: Any) -> None:
    made, _ = deploy()
    texts = {binding["name"]: binding.get("text") for binding in bindings(made)}
    assert texts["WORKER_URL"] == "https://photo-splat-dev.team.workers.dev"
    assert texts["S3_BUCKET"] == "photo-splat-dev"
    assert texts["RUNPOD_ENDPOINT_ID"] == "splat-gpu-endpoint-id"
    assert texts["RUNPOD_API_KEY"] == RUNPOD_KEY
    limits = json.loads(str(texts["LIMITS"]))
    documented = re.search(r"`LIMITS`.*JSON: `([^`]+)`", (ROOT / "docs" / "contracts.md").read_text())
    assert documented is not None
    assert sorted(limits) == sorted(name.strip() for name in documented.group(1).split(","))
    wrangler = parse_jsonc((ROOT / "edge_worker" / "wrangler.jsonc").read_text())
    assert sorted(limits) == sorted(json.loads(wrangler["vars"]["LIMITS"]))
    schema = re.search(
        r"LimitsSchema = z\.object\(\{(.*?)\}\)", (ROOT / "edge_worker/shared/limits.ts").read_text(), re.DOTALL
    )
    assert schema is not None
    assert sorted(limits) == sorted(re.findall(r"(\w+):", schema.group(1)))
    assert set(json.loads(str(texts["PRICE"]))) == {"gpu", "usd_per_s", "as_of", "source"}
    assert json.loads(str(texts["CARD"])) == SMALL_CARD
    assert set(json.loads(wrangler["vars"]["CARD"])) == set(json.loads(str(texts["CARD"])))


@pytest.mark.parametrize(("photos_max", "warned"), [("300", False), ("1000", True)])
def test_more_photos_than_the_smallest_card_holds_are_warned_about(
    deploy: Any, monkeypatch: pytest.MonkeyPatch, photos_max: str, warned: bool
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: said.append(text))
    deploy(photosMax=photos_max)
    assert [text for text in said if "photosMax" in text] == ([too_many_photos(1000, SMALL_CARD)] if warned else [])


def test_the_edge_gets_its_own_runpod_key_where_there_is_one(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_JOB_KEY", "rpa_RESTRICTED_TO_THE_ENDPOINT")
    made, _ = deploy()
    texts = {binding["name"]: binding.get("text") for binding in bindings(made)}
    assert texts["RUNPOD_API_KEY"] == "rpa_RESTRICTED_TO_THE_ENDPOINT"


def test_the_operator_token_is_a_secret_output_and_the_script_has_only_its_hash(deploy: Any) -> None:
    made, outputs = deploy()
    token, is_secret = outputs["operatorToken"]
    assert is_secret
    assert token.startswith("splat_")
    texts = json.dumps(bindings(made))
    assert token not in texts


def test_only_the_operator_token_is_a_secret_output(deploy: Any) -> None:
    _, outputs = deploy()
    assert {name for name, (_, is_secret) in outputs.items() if is_secret} == {"operatorToken"}
    assert set(outputs) == {
        "appUrl",
        "bucket",
        "endpointId",
        "gpu",
        "imageReference",
        "operatorToken",
        "priceUsdPerS",
    }


def test_the_endpoint_runs_an_image_by_digest_and_gets_no_secret(deploy: Any) -> None:
    made, _ = deploy()
    inputs = made["splat-gpu-endpoint"].inputs
    assert "@sha256:" in inputs["image"]
    assert inputs["env"] == {"SPLAT_DEPLOYMENT": "splat-deployment-id.endpoint"}
    assert inputs["timeout"] == 5_400_000
    assert "templateId" not in inputs


def test_the_same_jurisdiction_stands_everywhere(deploy: Any) -> None:
    made, _ = deploy(jurisdiction="eu")
    for name in ("splat-storage-bucket", "splat-storage-cors", "splat-storage-lifecycle"):
        assert made[name].inputs["jurisdiction"] == "eu"
    [bucket] = [binding for binding in bindings(made) if binding["type"] == "r2_bucket"]
    assert bucket["jurisdiction"] == "eu"
    assert "_eu_photo-splat-dev" in made["splat-storage-token"].inputs["policies"][0]["resources"]
    assert ".eu.r2." in made["splat-storage-contents"].inputs["endpoint"]


def test_the_default_jurisdiction_is_not_named_in_the_binding(deploy: Any) -> None:
    made, _ = deploy()
    [bucket] = [binding for binding in bindings(made) if binding["type"] == "r2_bucket"]
    assert "jurisdiction" not in bucket


def test_the_bucket_key_opens_this_bucket_only(deploy: Any) -> None:
    made, _ = deploy()
    [policy] = made["splat-storage-token"].inputs["policies"]
    assert json.loads(policy["resources"]) == {
        "com.cloudflare.edge.r2.bucket.0123456789abcdef0123456789abcdef_default_photo-splat-dev": "*"
    }
    ids = [group["id"] for group in policy["permissionGroups"]]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("changes", "names", "in_use"),
    [
        ({}, {"splat-storage-token"}, "splat-storage-token"),
        ({"bucketKeyGeneration": "2"}, {"splat-storage-token", "splat-storage-token-even"}, "splat-storage-token-even"),
        ({"bucketKeyGeneration": "3"}, {"splat-storage-token", "splat-storage-token-even"}, "splat-storage-token"),
        ({"bucketKeyGeneration": "3", "keepPreviousSecrets": "false"}, {"splat-storage-token"}, "splat-storage-token"),
    ],
)
def test_a_new_bucket_key_keeps_the_key_of_running_jobs(
    deploy: Any, changes: dict[str, str], names: set[str], in_use: str
) -> None:
    made, _ = deploy(**changes)
    assert {name for name, one in made.items() if one.typ == "cloudflare:index/accountToken:AccountToken"} == names
    texts = {binding["name"]: binding.get("text") for binding in bindings(made)}
    assert texts["S3_ACCESS_KEY_ID"] == f"{in_use}-id"
    assert set(made["splat-orphan-tokens"].inputs["keep"]) == {f"{name}-id" for name in names}
    assert made["splat-storage-orphan-tokens"].inputs["keep"] == []


def test_only_pages_of_the_app_may_use_the_bucket(deploy: Any) -> None:
    made, _ = deploy()
    [rule] = made["splat-storage-cors"].inputs["rules"]
    assert rule["allowed"]["origins"] == ["https://photo-splat-dev.team.workers.dev"]
    assert rule["allowed"]["methods"] == ["GET", "HEAD", "PUT"]
    assert "*" not in rule["allowed"]["headers"]


@pytest.mark.parametrize(
    ("days", "ids"), [("0", ["abort-unfinished-uploads"]), ("7", ["abort-unfinished-uploads", "expire-objects"])]
)
def test_unfinished_uploads_are_aborted_with_and_without_other_rules(deploy: Any, days: str, ids: list[str]) -> None:
    made, _ = deploy(objectLifetimeDays=days)
    rules = made["splat-storage-lifecycle"].inputs["rules"]
    assert [rule["id"] for rule in rules] == ids
    assert rules[0]["abortMultipartUploadsTransition"]["condition"] == {"type": "Age", "maxAge": 604_800}
    if days != "0":
        assert rules[1]["deleteObjectsTransition"]["condition"] == {"type": "Age", "maxAge": int(days) * 86_400}


def test_physical_names_carry_the_stack_and_logical_ones_do_not(deploy: Any) -> None:
    one, _ = deploy(stack="dev")
    two, _ = deploy(stack="prod")
    assert one.keys() == two.keys()
    for made, stack in ((one, "dev"), (two, "prod")):
        assert made["splat-storage-bucket"].inputs["name"] == f"photo-splat-{stack}"
        assert made["splat-edge-script"].inputs["scriptName"] == f"photo-splat-{stack}"
        assert made["splat-gpu-endpoint"].inputs["name"] == f"photo-splat-{stack}"


def test_configured_names_replace_the_derived_names(deploy: Any) -> None:
    made, outputs = deploy(bucketName="old-splats", scriptName="old-api")
    assert made["splat-storage-bucket"].inputs["name"] == outputs["bucket"][0] == "old-splats"
    assert made["splat-edge-script"].inputs["scriptName"] == "old-api"
    assert outputs["appUrl"][0] == "https://old-api.team.workers.dev"
    assert "_default_old-splats" in made["splat-storage-token"].inputs["policies"][0]["resources"]


def test_component_types_never_change(deploy: Any) -> None:
    made, _ = deploy()
    assert {args.typ for args in made.values() if args.typ.startswith("splat:")} == {
        "splat:edge:Edge",
        "splat:endpoint:GpuEndpoint",
        "splat:image:WorkerImage",
        "splat:service:SplatService",
        "splat:storage:Storage",
    }


def test_a_domain_replaces_the_workers_dev_address(deploy: Any) -> None:
    made, outputs = deploy(domain="splat.example.org", zoneId="f" * 32)
    assert outputs["appUrl"][0] == "https://splat.example.org"
    assert made["splat-edge-domain"].inputs["hostname"] == "splat.example.org"
    assert made["splat-edge-domain"].inputs["environment"] == "production"
    assert made["splat-edge-subdomain"].inputs["enabled"] is False


def test_the_script_is_uploaded_from_its_file_with_its_hash(deploy: Any) -> None:
    made, _ = deploy()
    script = made["splat-edge-script"].inputs
    assert script["contentFile"] == "edge_worker/dist/index.js"
    assert script["contentSha256"] == hashlib.sha256(Path(script["contentFile"]).read_bytes()).hexdigest()
    assert "content" not in script
    assert script["observability"] == {"enabled": True, "logs": {"enabled": True, "invocationLogs": True}}


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        ("gpu", "L40S", "splat-gpu-endpoint"),
        ("scaling", "medium", "splat-gpu-endpoint"),
        ("image", "ghcr.io/team/splat-worker@sha256:" + "b" * 64, "splat-gpu-endpoint"),
        ("jurisdiction", "eu", "splat-storage-bucket"),
        ("workersSubdomain", "others", "splat-edge-script"),
    ],
)
def test_one_key_switches_one_thing(deploy: Any, key: str, value: str, changed: str) -> None:
    before, _ = deploy()
    after, _ = deploy(**{key: value})
    assert after.keys() == before.keys()
    assert after[changed].inputs != before[changed].inputs


def test_the_checkout_is_an_image_named_by_its_content(deploy: Any) -> None:
    _, outputs = deploy(image="checkout")
    assert re.fullmatch(r"checkout\.local/splat-worker@sha256:[0-9a-f]{64}", outputs["imageReference"][0])


def test_a_build_pushes_by_content_and_is_referenced_by_digest(deploy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMPUTED, "docker-build:index:Image", {"digest": "sha256:" + "d" * 64})
    made, outputs = deploy(image="build", imageRepository="ghcr.io/team/splat-worker")
    build = made["splat-image-build"].inputs
    assert outputs["imageReference"][0] == "ghcr.io/team/splat-worker@sha256:" + "d" * 64
    assert re.fullmatch(r"ghcr\.io/team/splat-worker:[0-9a-f]{16}", build["tags"][0])
    assert build["push"] is True
    assert build["buildOnPreview"] is False
    assert build["platforms"] == ["linux/amd64"]
    assert build["cacheFrom"][0]["registry"]["ref"] == build["cacheTo"][0]["registry"]["ref"]


@pytest.mark.parametrize("protect", ["true", "false"])
def test_a_protected_stack_keeps_its_data_even_without_its_declaration(
    deploy: Callable[..., tuple[Made, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, protect: str
) -> None:
    asked: dict[str, Any] = {}
    register = pulumi.runtime.mocks.MockMonitor.RegisterResource

    def recorded(monitor: Any, request: Any) -> Any:
        asked[request.name] = request
        return register(monitor, request)

    monkeypatch.setattr(pulumi.runtime.mocks.MockMonitor, "RegisterResource", recorded)
    deploy("prod", protect=protect)

    data = {"splat-storage-bucket", "splat-storage-contents", "splat-edge-script"} if protect == "true" else set()
    assert {name for name, request in asked.items() if request.retainOnDelete} == data
    assert {name for name, request in asked.items() if request.protect} >= data


def test_the_cheapest_card_reaches_the_endpoint_and_its_image_check(deploy: Any) -> None:
    made, _ = deploy(gpu="cheapest, L40S")
    asked = made["splat-gpu-cheapest-card"].inputs
    assert (asked["architectures"], asked["others"]) == ([], ["L40S"])  # an image without labels
    for resource in ("splat-gpu-endpoint", "splat-gpu-image-check"):
        assert made[resource].inputs["gpuNames"] == ["RTX 3090", "L40S"]


def test_a_named_card_needs_no_choice(deploy: Any) -> None:
    made, _ = deploy(gpu="L40S")
    assert "splat-gpu-cheapest-card" not in made
    assert made["splat-gpu-endpoint"].inputs["gpuNames"] == ["L40S"]
