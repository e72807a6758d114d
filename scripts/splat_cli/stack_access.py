"""A stack as a command sees it: its engine, its outputs and configuration, and clients of its accounts and its app.
Reads through the engine, so every backend works. Changes nothing, prints nothing, and no secret is in a repr."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import RetryPolicy, RunPodClient
from infra.settings.load import SECRETS, SettingsError, read_settings
from infra.settings.model import Settings
from scripts.splat_cli.edge_client import EdgeClient
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import LOCAL, Engine, check_stack, up_hint

# How the engine writes a secret into an exported state.
SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's constant, no secret
STACK_TYPE = "pulumi:pulumi:Stack"
# Commands show a failure; they do not wait through it as a deployment does.
COMMAND_RETRY = RetryPolicy(attempts=2, first_wait_s=0.3, longest_wait_s=2.0, longest_retry_after_s=5.0)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A resource in the stack's state. `inputs` and `outputs` hold secrets in plain text."""

    type: str
    name: str
    id: str
    inputs: Mapping[str, Any] = field(repr=False)
    outputs: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class StackAccess:
    """One deployed stack. outputs, config (full key to text) and resources hold secrets in plain text."""

    stack: str
    outputs: Mapping[str, Any] = field(repr=False)
    config: Mapping[str, str] = field(repr=False)
    resources: tuple[Recorded, ...] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)

    @property
    def app_url(self) -> str:
        return str(self.outputs["appUrl"])

    @property
    def endpoint_id(self) -> str:
        return str(self.outputs["endpointId"])

    @cached_property
    def settings(self) -> Settings:
        """The settings of the configuration as it is now, which may be newer than the deployment. Raises
        CommandError."""
        try:
            return read_settings(self.config)
        except SettingsError as invalid:
            raise CommandError(
                f"The configuration of stack {self.stack} is invalid.\n{invalid}", hint="fix the key named above"
            ) from None

    def secret(self, key: str) -> str:
        """A secret of the configuration, else of its environment variable; "" where it is not set."""
        return self.config.get(key) or self.variables.get(key, "")

    def recorded(self, type_suffix: str) -> tuple[Recorded, ...]:
        """Resources whose type ends like this: `recorded("runpod:Endpoint")`."""
        return tuple(one for one in self.resources if one.type.endswith(type_suffix))

    def secret_values(self) -> frozenset[str]:
        """Every secret of the stack that could be printed somewhere, in plain text."""
        found = {self.secret(key) for key in SECRETS} | {str(self.outputs.get("operatorToken", ""))}
        for one in self.resources:
            if one.type.endswith("lifecycle:GeneratedSecret"):
                found |= {str(one.outputs.get(name, "")) for name in ("current", "previous")}
            elif one.type.endswith("cloudflare:BucketContents"):
                found.add(str(one.outputs.get("secretAccessKey", "")))
        return frozenset(found - {""})

    def edge(self) -> EdgeClient:
        """A client of the app, with the operator token. Use as a context manager."""
        return EdgeClient(self.app_url, str(self.outputs["operatorToken"]))

    def runpod(self, *, retry: RetryPolicy = COMMAND_RETRY) -> RunPodClient:
        """A client of the RunPod account; the caller closes it. Raises CommandError without a key."""
        return RunPodClient(
            api_key=self._required("runpod:apiKey"),
            api_url=self.settings.runpod_api_url,
            job_url=self.settings.runpod_job_url,
            retry=retry,
        )

    def cloudflare(self) -> CloudflareApi:
        """A client of the Cloudflare account. Raises CommandError without a token."""
        return CloudflareApi(
            account_id=self.settings.account_id,
            token=self._required("cloudflare:apiToken"),
            api_url=self.config.get("cloudflare:baseUrl", ""),
        )

    def _required(self, key: str) -> str:
        found = self.secret(key)
        if not found:
            raise CommandError(
                f"{key} of stack {self.stack} is not set.",
                hint=f"splat pulumi config set --secret {key} --stack {self.stack}, or set "
                f"{SECRETS[key].environment} in the environment",
            )
        return found


def find_engine(root: Path, stack: str) -> Engine:
    """The engine of a stack. Raises CommandError for an unknown stack, and for a local stack that is not deployed."""
    check_stack(root, stack)
    if stack != LOCAL:
        return Engine(root=root, stack=stack)
    from scripts.splat_cli import local

    return local.deployed(root)


def open_stack(root: Path, stack: str) -> StackAccess:
    """Everything about a deployed stack, in the time of one engine call. Raises CommandError when it is not deployed,
    and ServiceError when the engine fails."""
    return read_stack(find_engine(root, stack))


def read_stack(engine: Engine) -> StackAccess:
    """The same through a given engine."""
    with ThreadPoolExecutor(2) as pool:
        config, export = pool.submit(engine.config), pool.submit(engine.export)
        resources = read_export(export.result())
        found = next((one.outputs for one in resources if one.type == STACK_TYPE), {})
        if "appUrl" not in found:
            raise CommandError(f"Stack {engine.stack} is not deployed.", hint=up_hint(engine.stack))
        return StackAccess(
            stack=engine.stack,
            outputs=found,
            config=config.result(),
            resources=resources,
            variables={key: engine.variable(one.environment) for key, one in SECRETS.items()},
        )


def open_edge(root: Path, stack: str) -> EdgeClient:
    """A client with address and token from SPLAT_URL and SPLAT_TOKEN, or else from the stack's outputs."""
    url, token = os.environ.get("SPLAT_URL"), os.environ.get("SPLAT_TOKEN")
    if url and token:
        return EdgeClient(url.rstrip("/"), token)
    if url or token:
        missing = "SPLAT_TOKEN" if url else "SPLAT_URL"
        raise CommandError(
            f"{missing} is not set, but {'SPLAT_URL' if url else 'SPLAT_TOKEN'} is.",
            hint="set both, or neither",
        )
    outputs = find_engine(root, stack).outputs(show_secrets=True)
    return EdgeClient(outputs["appUrl"], outputs["operatorToken"])


def read_export(export: Mapping[str, Any]) -> tuple[Recorded, ...]:
    """The resources of `pulumi stack export --show-secrets`."""
    deployment = export.get("deployment") or {}
    return tuple(
        Recorded(
            type=str(one["type"]),
            name=str(one["urn"]).rpartition("::")[2],
            id=str(one.get("id") or ""),
            inputs=_plain(one.get("inputs") or {}),
            outputs=_plain(one.get("outputs") or {}),
        )
        for one in deployment.get("resources") or ()
        if not one.get("delete")  # a replaced resource that waits for its deletion
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if SECRET_MARK in value:
            return _plain(json.loads(value["plaintext"])) if "plaintext" in value else None
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
