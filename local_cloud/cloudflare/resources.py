"""Each Cloudflare resource of the double: identity, required inputs, replacing inputs, computed outputs.
Data and pure functions. Comments quote the behaviour of the real provider."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Props = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One resource type. `identity` is the input that is its id on the control API; None where the
    service generates the id."""

    name: str
    identity: str | None
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()
    # Parts of the id in `pulumi import`; the last part is optional where it has a default.
    import_id: tuple[str, ...] = ()
    # Stays as in the state, whatever its input is: the real provider's plan modifier (v5.22).
    keeps: tuple[str, ...] = ()
    # The real provider's Delete is a no-op for these: a warning, and the rules stay.
    delete_is_no_op: bool = False


KINDS: Mapping[str, Kind] = {
    f"cloudflare:index/{token}": kind
    for token, kind in {
        "r2Bucket:R2Bucket": Kind(
            name="R2Bucket",
            identity="name",
            required=("accountId", "name"),
            optional=("jurisdiction", "location", "storageClass"),
            # No replace on jurisdiction: the change goes to a bucket that does not exist, and fails.
            replaces=("accountId", "name"),
            computed=("creationDate", "location", "storageClass", "jurisdiction"),
            import_id=("accountId", "name", "jurisdiction"),
            keeps=("location",),
        ),
        "r2BucketCors:R2BucketCors": Kind(
            name="R2BucketCors",
            identity="bucketName",
            required=("accountId", "bucketName"),
            optional=("jurisdiction", "rules"),
            replaces=("accountId", "bucketName", "jurisdiction"),
        ),
        "r2BucketLifecycle:R2BucketLifecycle": Kind(
            name="R2BucketLifecycle",
            identity="bucketName",
            required=("accountId", "bucketName"),
            optional=("jurisdiction", "rules"),
            replaces=("accountId", "bucketName", "jurisdiction"),
            delete_is_no_op=True,
        ),
        "accountToken:AccountToken": Kind(
            name="AccountToken",
            identity=None,
            required=("accountId", "name", "policies"),
            optional=("condition", "expiresOn", "notBefore", "status"),
            replaces=("accountId",),
            computed=("value", "status", "issuedOn", "modifiedOn", "lastUsedOn"),
        ),
        "workersScript:WorkersScript": Kind(
            name="WorkersScript",
            identity="scriptName",
            required=("accountId", "scriptName"),
            optional=(
                "assets",
                "bindings",
                "compatibilityDate",
                "compatibilityFlags",
                "content",
                "contentFile",
                "contentSha256",
                "contentType",
                "keepBindings",
                "limits",
                "logpush",
                "mainModule",
                "migrations",
                "observability",
                "placement",
                "tailConsumers",
                "usageModel",
            ),
            replaces=("accountId", "scriptName"),
            import_id=("accountId", "scriptName"),
            computed=("etag", "createdOn", "modifiedOn", "hasAssets", "hasModules", "handlers", "migrationTag"),
        ),
        "workersScriptSubdomain:WorkersScriptSubdomain": Kind(
            name="WorkersScriptSubdomain",
            identity="scriptName",
            required=("accountId", "scriptName", "enabled"),
            optional=("previewsEnabled",),
            replaces=("accountId", "scriptName"),
        ),
        "workersCronTrigger:WorkersCronTrigger": Kind(
            name="WorkersCronTrigger",
            identity="scriptName",
            required=("accountId", "scriptName", "schedules"),
            replaces=("accountId", "scriptName"),
            delete_is_no_op=True,
        ),
    }.items()
}


def missing_or_unknown(kind: Kind, inputs: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """(property, reason) of inputs that the real schema rejects."""
    failures = [(name, f"is required by {kind.name}") for name in kind.required if inputs.get(name) is None]
    allowed = {*kind.required, *kind.optional}
    failures += [
        (name, f"is not an input of {kind.name}; inputs: {', '.join(sorted(allowed))}")
        for name in sorted(inputs)
        if name not in allowed and not name.startswith("__")
    ]
    return tuple(failures)


def script_failures(
    inputs: Mapping[str, Any], base: Path, unknown: Callable[[Any], bool]
) -> tuple[tuple[str, str], ...]:
    """The real provider's checks of a script's files."""
    failures: list[tuple[str, str]] = []
    file, claimed = inputs.get("contentFile"), inputs.get("contentSha256")
    if file is not None and not unknown(file):
        path = base / str(file)
        if not path.is_file():
            failures.append(("contentFile", f"{file} is not a file"))
        elif claimed is None:
            failures.append(("contentSha256", "is required with contentFile"))
        elif not unknown(claimed) and claimed != hashlib.sha256(path.read_bytes()).hexdigest():
            failures.append(("contentSha256", f"is not the SHA-256 of {file}"))
    folder = (inputs.get("assets") or {}).get("directory")
    if folder is not None and not unknown(folder) and not (base / str(folder)).is_dir():
        failures.append(("assets.directory", f"{folder} is not a folder"))
    return tuple(failures)


def manifest_sha256(folder: Path) -> str:
    """The real provider's asset_manifest_sha256: it changes with any asset."""
    manifest = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def for_control(kind: Kind, inputs: Mapping[str, Any], base: Path) -> Props:
    """Inputs for the control API: files and folders by absolute path."""
    props = {key: value for key, value in inputs.items() if not key.startswith("__")}
    if kind.name == "WorkersScript":
        if props.get("contentFile") is not None:
            props["contentFile"] = str((base / props["contentFile"]).resolve())
        if (props.get("assets") or {}).get("directory") is not None:
            props["assets"] = {
                **props["assets"],
                "directory": str((base / props["assets"]["directory"]).resolve()),
            }
    return props


def outputs(kind: Kind, inputs: Mapping[str, Any], answered: Mapping[str, Any], base: Path) -> Props:
    """State after create or update: the inputs and the outputs that the service computed."""
    outs = {key: value for key, value in inputs.items() if not key.startswith("__")}
    outs.update({key: answered[key] for key in kind.computed if answered.get(key) is not None})
    if kind.name == "WorkersScript" and (outs.get("assets") or {}).get("directory") is not None:
        assets = outs["assets"]
        outs["assets"] = {**assets, "assetManifestSha256": manifest_sha256(base / assets["directory"])}
    return outs


def import_parts(kind: Kind, identity: str) -> Props:
    """The parts of an import id: "account/bucket/eu" → accountId, name, jurisdiction. {} for a plain id."""
    return dict(zip(kind.import_id, identity.split("/"), strict=False)) if "/" in identity else {}


def is_elsewhere(parts: Mapping[str, Any], answered: Mapping[str, Any]) -> bool:
    """Whether an import id names another jurisdiction than the bucket's; the real service answers 404 then."""
    return bool(parts) and answered.get("jurisdiction", "default") != parts.get("jurisdiction", "default")


def read_back(kind: Kind, state: Mapping[str, Any], answered: Mapping[str, Any]) -> Props:
    """State after a refresh. What the real service never returns stays as it was: secret values, paths,
    and every binding in the state, as in WorkersScript.Read of v5.22."""
    unreadable = {"bindings", "contentFile", "contentSha256", "assets", "migrations", "value", "keepBindings"}
    known = {*kind.required, *kind.optional, *kind.computed}
    fresh = {key: value for key, value in answered.items() if key in known and key not in unreadable}
    gone = {key for key in state if key not in answered and key not in unreadable and key in kind.optional}
    return {**{key: value for key, value in state.items() if key not in gone}, **fresh}


def changes(
    kind: Kind, olds: Mapping[str, Any], news: Mapping[str, Any], base: Path, unknown: Callable[[Any], bool]
) -> tuple[str, ...]:
    """Inputs that differ from the state, sorted. An absent input that the service computes is not compared."""
    differing = []
    for key in sorted({*kind.required, *kind.optional}):
        old, new = olds.get(key), news.get(key)
        if key in kind.keeps or (new is None and key in kind.computed):
            continue
        if key == "assets" and old is not None and new is not None:
            old_manifest = old.get("assetManifestSha256")
            old = {name: value for name, value in old.items() if name != "assetManifestSha256"}
            folder = new.get("directory")
            if folder is not None and not unknown(folder) and old_manifest != manifest_sha256(base / folder):
                differing.append(key)
                continue
        if old != new:
            differing.append(key)
    return tuple(differing)
