"""The configuration of one local run: the committed Pulumi.local.yaml plus the addresses of a running local cloud.
Pure text in, text out; the only place that names the keys that differ on the local stack."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

from infra.settings.model import NAMESPACE


def config_for(*, app_url: str, runpod_url: str, control_url: str, s3_endpoint: str) -> dict[str, str]:
    """The configuration keys that follow from where the stand-ins listen."""
    return {
        f"{NAMESPACE}:appUrl": app_url.rstrip("/"),
        f"{NAMESPACE}:s3Endpoint": s3_endpoint.rstrip("/"),
        "runpod:apiUrl": f"{runpod_url.rstrip('/')}/v2",
        "runpod:jobUrl": f"{runpod_url.rstrip('/')}/v2",
        "cloudflare:baseUrl": control_url.rstrip("/"),
    }


def render(committed: str, addresses: Mapping[str, str], previous: str | None = None) -> str:
    """Text of the stack file for this run: the committed one plus `addresses` (the arguments of
    `config_for`). The engine keeps its encryption salt in this file, so that of `previous` is kept."""
    document = yaml.safe_load(committed) or {}
    document["config"] = {**(document.get("config") or {}), **config_for(**addresses)}
    for key in ("secretsprovider", "encryptionsalt", "encryptedkey"):
        before = (yaml.safe_load(previous) or {}) if previous else {}
        if key in before:
            document[key] = before[key]
    return str(yaml.safe_dump(document, sort_keys=True))
