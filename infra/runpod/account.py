"""The RunPod account that a dynamic provider works on: its client, from the stack's configuration.
The key comes from configuration or environment at `configure`; it never enters a constructor or props."""

from __future__ import annotations

import os

from pulumi.dynamic import ConfigureRequest

from infra.runpod.client import PRODUCTION_URL, RunPodClient


class MissingKey(Exception):
    """Neither the stack's configuration nor the environment holds a RunPod key."""


class StillThere(Exception):
    """Deleted, but not gone in time, or still used."""


def client_from_config(req: ConfigureRequest) -> RunPodClient:
    """The account's client: `runpod:apiKey` or RUNPOD_API_KEY, at `runpod:apiUrl`. Raises MissingKey."""
    key = req.config.get("runpod:apiKey") or os.environ.get("RUNPOD_API_KEY", "")
    if not key:
        raise MissingKey(
            "no RunPod API key: `pulumi config set --secret runpod:apiKey …`, or set RUNPOD_API_KEY in the environment"
        )
    return RunPodClient(api_key=key, api_url=req.config.get("runpod:apiUrl") or PRODUCTION_URL)
