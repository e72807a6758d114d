"""Settings and given secrets from a stack's configuration; the only reader of pulumi.Config.
A value of a secret never enters Settings: it is a Pulumi secret from the moment it is read."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from infra.addresses import public_receiver
from infra.settings.model import NAMESPACE, Settings, all_settings

SHOWN_MAX = 200  # characters of a value in a message
# Read by the Cloudflare SDK itself; listed so that a misspelt key is found.
FOREIGN_KEYS = frozenset({"cloudflare:baseUrl"})


class SettingsError(Exception):
    """The stack's configuration cannot be used. `str()` is one line per key, with what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Secret:
    """A key whose value never enters Settings."""

    key: str
    environment: str
    required: bool
    description: str


RUNPOD_KEY = Secret(
    key="runpod:apiKey",
    environment="RUNPOD_API_KEY",
    required=True,
    description="RunPod API key with read and write on Serverless. The edge starts jobs with it too, unless "
    "`runpod:jobKey` is set.",
)
JOB_KEY = Secret(
    key="runpod:jobKey",
    environment="RUNPOD_JOB_KEY",
    required=False,
    description="Second RunPod API key, Restricted to this stack's endpoint, for the edge. Recommended: without it, "
    "the edge holds the key that can change the whole account.",
)
REGISTRY_PASSWORD = Secret(
    key=f"{NAMESPACE}:registryPassword",
    environment="REGISTRY_PASSWORD",
    required=False,
    description="Password or token of the private registry of `registryUsername`.",
)
ALERT_WEBHOOK = Secret(
    key=f"{NAMESPACE}:alertWebhook",
    environment="ALERT_WEBHOOK",
    required=False,
    description="Address that the app sends alerts to: an incoming webhook of Slack or Discord, or any receiver of "
    "Standard Webhooks. A public host over https.",
)
SECRETS: Mapping[str, Secret] = {
    secret.key: secret
    for secret in (
        RUNPOD_KEY,
        JOB_KEY,
        Secret(
            key="cloudflare:apiToken",
            environment="CLOUDFLARE_API_TOKEN",
            required=True,
            description="Cloudflare API token with edit on Workers Scripts, Workers R2 Storage, Account API Tokens.",
        ),
        REGISTRY_PASSWORD,
        ALERT_WEBHOOK,
    )
}


def load(**overrides: str) -> Settings:
    """Settings of the stack that is being deployed. `overrides` are values by flat key (`gpuCount="2"`), for a program
    that declares several services. Raises SettingsError."""
    # Pulumi offers no public way to list keys, and a misspelt key must be found. Both are what pulumi.Config itself
    # reads; should they move, Config.get per known key still gives everything but that check.
    from pulumi.runtime import config as runtime_config

    values = {**runtime_config.get_config_env(), **runtime_config.CONFIG.get()}
    problems = list(plain_text_secrets(values, is_secret=runtime_config.is_config_secret))
    try:
        settings = read_settings({**values, **{f"{NAMESPACE}:{key}": value for key, value in overrides.items()}})
    except SettingsError as invalid:
        problems.append(str(invalid))
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def read_settings(values: Mapping[str, str]) -> Settings:
    """Settings from Pulumi's configuration as full keys to text. Raises SettingsError with a line per problem. Empty
    text means "not set", since typed keys of Pulumi.yaml must have a default."""
    keys = {setting.key for setting in all_settings()} | SECRETS.keys() | FOREIGN_KEYS
    ours = {NAMESPACE, "runpod", "cloudflare"}
    problems = [_unknown(key, keys) for key in values if key.partition(":")[0] in ours and key not in keys]
    given: dict[str, Any] = {}
    for setting in all_settings():
        text = values.get(setting.key, "")
        if text != "":
            place = given.setdefault(setting.section, {}) if setting.section else given
            try:
                place[setting.alias] = _split(text) if setting.is_list else text
            except (ValueError, RecursionError):
                problems.append(f"{setting.key} is {_short(text)}: Input should be a JSON list, or names with commas")
    try:
        settings = Settings.model_validate(given)
    except ValidationError as invalid:
        problems += _sentences(invalid, values)
    if problems:
        raise SettingsError("\n".join(problems))
    return settings


def plain_text_secrets(values: Mapping[str, str], *, is_secret: Callable[[str], bool]) -> tuple[str, ...]:
    """A sentence per secret that was set without `--secret`."""
    return tuple(
        f"{key} is stored in plain text in the stack's file [marked-secrets]. Revoke it, create a new one, then run "
        f"`pulumi config set --secret {key}`"
        for key in SECRETS
        if values.get(key) and not is_secret(key)
    )


def secret(declared: Secret) -> Any:
    """The secret output from the stack's configuration, else from its environment variable; None when an optional one
    is absent. Raises SettingsError when a required one is."""
    import pulumi

    namespace, _, name = declared.key.partition(":")
    configured = pulumi.Config(namespace).get_secret(name)
    if configured is not None:
        return configured
    if os.environ.get(declared.environment):
        return pulumi.Output.secret(os.environ[declared.environment])
    if declared.required:
        raise SettingsError(
            f"{declared.key} is not set. Run `pulumi config set --secret {declared.key}`, or set "
            f"{declared.environment} in the environment"
        )
    return None


def job_key() -> Any:
    """The key that the edge uses on RunPod's job API: its own where there is one."""
    own = secret(JOB_KEY)
    return secret(RUNPOD_KEY) if own is None else own


def alert_webhook(app_url: str) -> Any:
    """The receiver of alerts as a secret output; None when there is none. Raises SettingsError, without the address,
    for one that the app must not call."""
    text = secret_text(ALERT_WEBHOOK)
    if text is None:
        return None
    try:
        public_receiver(text, app_url=app_url)
    except ValueError as wrong:
        raise SettingsError(f"{ALERT_WEBHOOK.key} {wrong}. Set a public address that begins with https") from None
    return secret(ALERT_WEBHOOK)


def secret_text(declared: Secret) -> str | None:
    """The same in plain text, for a query that the program itself makes (a registry's login). Never goes into a
    resource: that is what `secret` is for."""
    from pulumi.runtime import config as runtime_config

    return runtime_config.get_config(declared.key) or os.environ.get(declared.environment) or None


def _unknown(key: str, known: set[str]) -> str:
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"{key} is not a key of this project" + (f". Did you mean {close[0]}?" if close else "")


def _split(text: str) -> tuple[str, ...]:
    if text.lstrip().startswith("["):
        return tuple(str(entry) for entry in json.loads(text))
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _short(text: str) -> str:
    """A value as a message shows it: a pasted file would hide the message."""
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}… ({len(text)} characters)"


def _sentences(invalid: ValidationError, values: Mapping[str, str]) -> list[str]:
    """`photo-splat:gpuCount is 9: Input should be less than or equal to 8. GPUs per worker.`"""
    known = {(setting.section, setting.alias): setting for setting in all_settings()}
    lines = []
    for error in invalid.errors():
        message, place = error["msg"].removeprefix("Value error, "), error["loc"]
        if not place:  # a rule between keys
            lines += [f"{NAMESPACE}:{line}" for line in message.splitlines()]
            continue
        setting = known.get(("", str(place[0]))) or known[str(place[0]), str(place[1])]
        given = values.get(setting.key, "")
        lines.append(f"{setting.key} is {_short(given) or 'not set'}: {message}. {setting.info.description}")
    return lines
