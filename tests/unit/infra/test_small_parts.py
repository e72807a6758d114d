"""Claims of the small pure parts: names, content hash, bundle, migrations, minted secrets, local keys."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi.output import Unknown

from infra import local_stack, naming
from infra.bucket_place import PlaceProvider
from infra.content_hash import EmptyFolder, hash_folder
from infra.durable_objects import UnknownTag, decide, migration_for
from infra.edge_bundle import BundleMissing, parse_jsonc, read_bundle
from infra.minted import MintProvider
from infra.reference import stale
from infra.runpod.plan import UNKNOWN
from infra.settings import OLDEST_ENGINE
from infra.unknown import as_text

ROOT = Path(__file__).resolve().parents[3]

# names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "name"),
    [(("photo-splat", "dev"), "photo-splat-dev"), (("photo-splat", "pr-12"), "photo-splat-pr-12")],
)
def test_a_plain_name_stays_as_it_is(parts: tuple[str, str], name: str) -> None:
    assert naming.physical(*parts) == name


@pytest.mark.parametrize("stack", ["Dev", "dev_1", "x" * 80, "ünicode", "dev."])
def test_any_stack_gets_a_name_that_a_bucket_may_have(stack: str) -> None:
    name = naming.physical("photo-splat", stack)
    assert len(name) <= 63
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert name[-1] != "-"


def test_two_stacks_never_share_a_name() -> None:
    stacks = ["dev", "Dev", "DEV", "dev_", "x" * 80, "x" * 81]
    assert len({naming.physical("photo-splat", stack) for stack in stacks}) == len(stacks)


# content hash -----------------------------------------------------------------------------------


def sources(folder: Path) -> Path:
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM x\n")
    (folder / "src" / "a.py").write_text("a = 1\n")
    return folder


def test_the_hash_is_the_same_whatever_the_umask(tmp_path: Path) -> None:
    one, two = sources(tmp_path / "one"), sources(tmp_path / "two")
    for path in two.rglob("*.py"):
        path.chmod(0o664)
    (two / "Dockerfile").chmod(0o600)
    assert hash_folder(one) == hash_folder(two)


@pytest.mark.parametrize("change", ["content", "name", "run bit", "new file"])
def test_the_hash_changes_with_anything_a_build_takes_in(tmp_path: Path, change: str) -> None:
    folder = sources(tmp_path / "one")
    before = hash_folder(folder)
    match change:
        case "content":
            (folder / "src" / "a.py").write_text("a = 2\n")
        case "name":
            (folder / "src" / "a.py").rename(folder / "src" / "b.py")
        case "run bit":
            (folder / "src" / "a.py").chmod(0o755)
        case "new file":
            (folder / "src" / "b.py").write_text("")
    assert hash_folder(folder) != before


@pytest.mark.parametrize("name", ["src/__pycache__/a.pyc", ".git/HEAD", "tests/test_a.py", "src/x.egg-info/PKG-INFO"])
def test_the_hash_ignores_what_a_build_leaves_out(tmp_path: Path, name: str) -> None:
    folder = sources(tmp_path / "one")
    before = hash_folder(folder)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("generated")
    assert hash_folder(folder) == before


def test_a_folder_without_sources_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder):
        hash_folder(tmp_path)


# bundle -----------------------------------------------------------------------------------------


def test_jsonc_is_read_with_comments_and_trailing_commas() -> None:
    text = '{ // one\n "url": "https://x//y", /* two */ "list": [1, 2,], "text": "a, ]",\n}'
    assert parse_jsonc(text) == {"url": "https://x//y", "list": [1, 2], "text": "a, ]"}


def test_a_bundle_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(BundleMissing, match="npm run build"):
        read_bundle(tmp_path)


# Durable Object migrations ----------------------------------------------------------------------

HISTORY: list[dict[str, Any]] = [
    {"tag": "v1", "new_sqlite_classes": ["Project", "Index"]},
    {"tag": "v2", "new_sqlite_classes": ["Quota"]},
]
ALL = {"newTag": "v2", "steps": [{"newSqliteClasses": ["Index", "Project"]}, {"newSqliteClasses": ["Quota"]}]}


@pytest.mark.parametrize(
    ("deployed", "carried"),
    [
        (None, ALL),
        ("v1", {"newTag": "v2", "oldTag": "v1", "steps": [{"newSqliteClasses": ["Quota"]}]}),
        ("v2", {}),
    ],
)
def test_an_upload_carries_what_is_not_deployed_yet(deployed: str | None, carried: dict[str, Any]) -> None:
    assert migration_for(HISTORY, deployed) == carried


def test_a_tag_that_this_checkout_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownTag, match="newer checkout"):
        migration_for(HISTORY, "v9")


NEWS = {"accountId": "a", "scriptName": "s", "history": HISTORY, "fingerprint": "f1"}


@pytest.mark.parametrize(
    ("olds", "news", "deployed", "recorded", "decided"),
    [
        ({}, NEWS, None, "", ALL),
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "v2", ALL),  # nothing will be uploaded: no diff
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "", {}),  # killed between the upload and its record
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "v1", {}),
        ({**NEWS, "migrations": ALL}, {**NEWS, "fingerprint": "f2"}, "v2", "v2", {}),
        ({**NEWS, "migrations": {}}, NEWS, "v2", "", {}),
        ({**NEWS, "migrations": {}}, NEWS, None, "", ALL),  # the script was deleted: it needs all again
        ({**NEWS, "migrations": ALL}, NEWS, None, "", ALL),  # the first upload failed
    ],
)
def test_the_last_answer_holds_while_nothing_is_uploaded(
    olds: dict[str, Any], news: dict[str, Any], deployed: str | None, recorded: str, decided: dict[str, Any]
) -> None:
    assert decide(olds, news, deployed, recorded) == decided


# the place of a bucket --------------------------------------------------------------------------

PLACE = {"accountId": "a" * 32, "bucket": "splats", "jurisdiction": "eu", "location": "weur"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("accountId", "b" * 32, "photo-splat:cloudflareAccountId was aaaa"),
        ("bucket", "scenes", "photo-splat:bucketName was splats and cannot become scenes: a bucket cannot be renamed"),
        ("jurisdiction", "default", "photo-splat:jurisdiction was eu and cannot become default: Cloudflare fixes it"),
        ("location", "enam", "photo-splat:bucketLocation was weur and cannot become enam: Cloudflare hears this wish"),
        ("location", "", "photo-splat:bucketLocation was weur and cannot become not set"),
    ],
)
def test_a_bucket_that_would_have_to_move_is_refused_with_the_reason(name: str, value: str, says: str) -> None:
    [failure] = PlaceProvider().check(PLACE, {**PLACE, name: value}).failures or []
    assert failure.property == name
    assert failure.reason.startswith(says)
    assert "make a second stack there and copy the objects" in failure.reason


def test_a_bucket_that_stays_or_is_new_is_not_refused() -> None:
    assert not PlaceProvider().check({}, PLACE).failures
    assert not PlaceProvider().check(PLACE, dict(PLACE)).failures


# what is not known yet --------------------------------------------------------------------------


def test_an_unknown_is_the_text_of_the_wire_at_any_depth() -> None:
    given = {"env": {"MARK": Unknown(), "LEVEL": "info"}, "list": [Unknown(), 1.0], "none": None}
    assert as_text(given) == {"env": {"MARK": UNKNOWN, "LEVEL": "info"}, "list": [UNKNOWN, 1.0], "none": None}


# minted secrets ---------------------------------------------------------------------------------

INPUTS = {"bytes": 32.0, "generation": 1.0, "keepPrevious": True}


def test_a_minted_secret_has_the_asked_number_of_random_bytes() -> None:
    one, two = MintProvider().create(INPUTS), MintProvider().create(INPUTS)
    assert one.outs is not None
    assert two.outs is not None
    assert len(base64.b64decode(one.outs["current"])) == 32
    assert one.outs["current"] != two.outs["current"]
    assert one.id != two.id


def test_a_rotation_keeps_the_one_before_until_it_is_ended() -> None:
    provider = MintProvider()
    first = dict(provider.create(INPUTS).outs or {})
    second = dict(provider.update("id", first, {**INPUTS, "generation": 2.0}).outs or {})
    assert second["current"] != first["current"]
    assert second["previous"] == first["current"]
    ended = dict(provider.update("id", second, {**INPUTS, "generation": 2.0, "keepPrevious": False}).outs or {})
    assert (ended["current"], ended["previous"]) == (second["current"], "")


@pytest.mark.parametrize(("changes", "path"), [({"bytes": 8.0}, "bytes"), ({"generation": 0.0}, "generation")])
def test_a_weak_or_senseless_secret_is_refused(changes: dict[str, Any], path: str) -> None:
    [failure] = MintProvider().check({}, {**INPUTS, **changes}).failures or []
    assert failure.property == path


# local stack ------------------------------------------------------------------------------------

ADDRESSES = {
    "app_url": "http://127.0.0.1:8787/",
    "runpod_url": "http://127.0.0.1:8750",
    "control_url": "http://127.0.0.1:8751",
    "s3_endpoint": "http://127.0.0.1:8787/cdn-cgi/local/r2/s3",
}


def test_the_local_stack_file_is_the_committed_one_plus_addresses() -> None:
    committed = (ROOT / "Pulumi.local.yaml").read_text()
    made = yaml.safe_load(local_stack.render(committed, ADDRESSES))["config"]
    assert made.items() >= yaml.safe_load(committed)["config"].items()
    assert made["photo-splat:appUrl"] == "http://127.0.0.1:8787"
    assert made["runpod:apiUrl"] == made["runpod:jobUrl"] == "http://127.0.0.1:8750/v2"


def test_the_engines_salt_survives_another_render() -> None:
    first = local_stack.render("config: {}", ADDRESSES, "encryptionsalt: v1:abc\nconfig: {photo-splat:old: x}\n")
    assert yaml.safe_load(first)["encryptionsalt"] == "v1:abc"
    assert "photo-splat:old" not in first


# generated files --------------------------------------------------------------------------------


def test_the_schema_and_the_reference_page_are_fresh() -> None:
    assert stale(ROOT) == (), "run `python -m infra.reference`"


def test_the_double_can_be_run() -> None:
    assert os.access(ROOT / "local_cloud" / "cloudflare" / "bin" / "pulumi-resource-cloudflare", os.X_OK)


def test_set_up_and_docs_name_the_oldest_engine_that_the_program_takes() -> None:
    set_up = (ROOT / "scripts/bootstrap.d/engine.py").read_text()
    page = (ROOT / "docs/environments.md").read_text()
    assert f"OLDEST = ({OLDEST_ENGINE.replace('.', ', ')})" in set_up
    assert f"Pulumi {OLDEST_ENGINE.removesuffix('.0')} or newer" in page
