"""The edge worker: script, app, bindings, address.
Bindings are those of docs/contracts.md, sorted by name; every secret binding is a Pulumi secret."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

from infra.cloudflare.durable_objects import HIDDEN, DurableObjectMigration, carried_tag
from infra.cloudflare.worker_bundle import EdgeBundle
from infra.lifecycle.generated_secret import GeneratedSecret
from infra.naming import account_unique_number
from infra.settings.model import EdgeSettings, LimitSettings, SecretSettings

REQUESTS_PER_PERIOD = 100
PERIOD_S = 10
OPERATOR_SCOPES = ("view", "upload", "operate")


@dataclass(frozen=True, kw_only=True)
class EdgeBindings:
    """What the script needs from the other parts of the service. Secrets are outputs marked secret."""

    stack: str
    s3_endpoint: str
    bucket_name: pulumi.Input[str]
    jurisdiction: str
    runpod_job_url: str
    price: pulumi.Input[Mapping[str, Any]]
    card: pulumi.Input[Mapping[str, Any] | None]
    runpod_endpoint_id: pulumi.Output[str]
    runpod_api_key: pulumi.Output[str]
    s3_access_key_id: pulumi.Output[str]
    s3_secret_access_key: pulumi.Output[str]
    alert_webhook: pulumi.Output[str] | None


class Edge(pulumi.ComponentResource):
    """`operator_token` (secret) opens every scope of the API; the script has only its SHA-256. `migration` is the
    Durable Object tag that the recorded upload carried, "" for none; the next run needs it as `recorded_migration`."""

    operator_token: pulumi.Output[str]
    migration: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        settings: EdgeSettings,
        limits: LimitSettings,
        secrets: SecretSettings,
        *,
        account_id: str,
        script_name: str,
        bundle: EdgeBundle,
        bindings: EdgeBindings,
        recorded_migration: pulumi.Input[str],
        protect: bool,
        stops_before: Sequence[pulumi.Resource] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`protect` keeps the script too, since its Durable Objects, which hold every project, are deleted with it.
        `stops_before` are resources that the script uses: they are deleted only after it."""
        # The provider marks the whole list of bindings as secret, so a plan cannot show what changes in it. These are
        # the settings among them, as inputs of the component, where a plan compares them value by value.
        shown = plain_settings(settings, limits, bindings, script_name)
        super().__init__("splat:edge:Edge", name, {"settings": shown}, opts)
        mine = pulumi.ResourceOptions(parent=self)
        hook_keys = GeneratedSecret(
            f"{name}-hook-keys",
            generation=secrets.hook_keys_generation,
            keep_previous=secrets.keep_previous_secrets,
            opts=mine,
        )
        operator = GeneratedSecret(
            f"{name}-operator-token",
            generation=secrets.operator_token_generation,
            keep_previous=secrets.keep_previous_secrets,
            opts=mine,
        )
        # One generation: with another key every browser would have to subscribe again.
        push_key = GeneratedSecret(f"{name}-push-key", opts=mine)
        self.operator_token = pulumi.Output.secret(operator.current.apply(bearer_token))
        upload = script_arguments(
            account_id=account_id,
            script_name=script_name,
            bundle=bundle,
            bindings=script_bindings(
                settings=settings,
                limits=limits,
                parts=bindings,
                script_name=script_name,
                hook_keys=hook_keys,
                operator=operator,
                push_key=push_key,
            ),
        )
        history = DurableObjectMigration(
            f"{name}-durable-objects",
            account_id=account_id,
            script_name=script_name,
            history=bundle.migrations,
            declared=[str(one["name"]) for one in upload["bindings"]],
            fingerprint=_fingerprint(upload, bundle),
            recorded=recorded_migration,
            opts=mine,
        )
        script = cloudflare.WorkersScript(
            f"{name}-script",
            **upload,
            migrations=history.migrations.apply(_or_nothing),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(stops_before),
                protect=protect,
                retain_on_delete=protect,
                hide_diffs=HIDDEN,
                import_=f"{account_id}/{script_name}" if settings.adopt_script else None,
            ),
        )
        # By the script's output, not its literal name, so that these are deleted before the script.
        cloudflare.WorkersScriptSubdomain(
            f"{name}-subdomain",
            account_id=account_id,
            script_name=script.script_name,
            enabled=settings.domain is None,
            previews_enabled=False,
            opts=mine,
        )
        if bundle.crons:
            cloudflare.WorkersCronTrigger(
                f"{name}-cron",
                account_id=account_id,
                script_name=script.script_name,
                schedules=[{"cron": cron} for cron in bundle.crons],
                opts=mine,
            )
        if settings.domain is not None:
            cloudflare.WorkersCustomDomain(
                f"{name}-domain",
                account_id=account_id,
                zone_id=settings.zone_id,
                hostname=settings.domain,
                service=script.script_name,
                # Without it the domain was replaced on every run (terraform-provider-cloudflare 6907).
                environment="production",
                opts=mine,
            )
        self.migration = pulumi.Output.unsecret(script.migrations.apply(_tag_of))
        self.register_outputs({"scriptName": script.script_name})


def script_arguments(
    *, account_id: str, script_name: str, bundle: EdgeBundle, bindings: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Everything in an upload of the script except its migration."""
    first = bundle.run_worker_first
    return {
        "account_id": account_id,
        "script_name": script_name,
        "content_file": bundle.script.as_posix(),
        "content_sha256": bundle.script_sha256,
        "main_module": bundle.script.name,
        "compatibility_date": bundle.compatibility_date,
        "compatibility_flags": list(bundle.compatibility_flags) or None,
        "assets": {
            "directory": bundle.assets.as_posix(),
            "config": {
                "not_found_handling": bundle.not_found_handling,
                "run_worker_first": first if isinstance(first, bool) else list(first),
            },
        },
        "bindings": list(bindings),
        # The provider wants both fields inside logs (6.x), though the API has defaults.
        "observability": {"enabled": True, "logs": {"enabled": True, "invocation_logs": True}},
    }


def plain_settings(
    settings: EdgeSettings, limits: LimitSettings, parts: EdgeBindings, script_name: str
) -> dict[str, pulumi.Input[str]]:
    """The bindings that hold no secret, by name."""
    return {
        "STACK": parts.stack,
        "WORKER_URL": settings.public_url(script_name),
        "S3_ENDPOINT": parts.s3_endpoint,
        "S3_BUCKET": parts.bucket_name,
        "RUNPOD_JOB_URL": parts.runpod_job_url,
        "PRICE": pulumi.Output.json_dumps(parts.price, sort_keys=True),
        "CARD": pulumi.Output.json_dumps(parts.card, sort_keys=True),
        "LIMITS": json.dumps(limits.model_dump(), sort_keys=True),
        **({"ACCESS": json.dumps(settings.access, sort_keys=True)} if settings.access is not None else {}),
    }


def script_bindings(
    *,
    settings: EdgeSettings,
    limits: LimitSettings,
    parts: EdgeBindings,
    script_name: str,
    hook_keys: GeneratedSecret,
    operator: GeneratedSecret,
    push_key: GeneratedSecret,
) -> list[dict[str, Any]]:
    """Every binding of the contract, sorted by name: the API returns this order, and another order is a diff."""
    jurisdiction = None if parts.jurisdiction == "default" else parts.jurisdiction
    rows: dict[str, dict[str, Any]] = {
        "ASSETS": {"type": "assets"},
        "BUCKET": {"type": "r2_bucket", "bucket_name": parts.bucket_name}
        | ({"jurisdiction": jurisdiction} if jurisdiction else {}),
        "PROJECT": {"type": "durable_object_namespace", "class_name": "Project"},
        "INDEX": {"type": "durable_object_namespace", "class_name": "Index"},
        "RATE_LIMIT": {
            "type": "ratelimit",
            "namespace_id": account_unique_number(script_name),
            "simple": {"limit": REQUESTS_PER_PERIOD, "period": PERIOD_S},
        },
        **{name: _text(value) for name, value in plain_settings(settings, limits, parts, script_name).items()},
        "RUNPOD_ENDPOINT_ID": _secret(parts.runpod_endpoint_id),
        "RUNPOD_API_KEY": _secret(parts.runpod_api_key),
        "S3_ACCESS_KEY_ID": _secret(parts.s3_access_key_id),
        "S3_SECRET_ACCESS_KEY": _secret(parts.s3_secret_access_key),
        "HOOK_KEYS": _secret(pulumi.Output.all(hook_keys.current, hook_keys.previous).apply(key_list)),
        "PUSH_KEY": _secret(push_key.current),
        "API_TOKENS": _secret(pulumi.Output.all(operator.current, operator.previous).apply(token_list)),
    }
    if parts.alert_webhook is not None:
        rows["ALERT_WEBHOOK"] = _secret(parts.alert_webhook)
    return [{"name": name, **rows[name]} for name in sorted(rows)]


def bearer_token(random_base64: str) -> str:
    """The operator token: a prefix that secret scanners recognise, and URL-safe bytes."""
    safe = base64.urlsafe_b64encode(base64.b64decode(random_base64)).decode().rstrip("=")
    return f"splat_{safe}"


def token_list(current_and_previous: Sequence[str]) -> str:
    """API_TOKENS: hashes of the current operator token and, during a rotation, of the previous token."""
    names = ("operator", "operator-previous")
    return json.dumps(
        [
            {
                "name": name,
                "sha256": hashlib.sha256(bearer_token(value).encode()).hexdigest(),
                "scopes": list(OPERATOR_SCOPES),
            }
            for name, value in zip(names, current_and_previous, strict=True)
            if value
        ]
    )


def key_list(current_and_previous: Sequence[str]) -> str:
    """HOOK_KEYS: current first; what was signed with the previous key still verifies."""
    return json.dumps([value for value in current_and_previous if value])


def _fingerprint(upload: Mapping[str, Any], bundle: EdgeBundle) -> pulumi.Output[str]:
    """Changes with anything that uploads the script again. Secret, since it is derived from secrets."""
    text = pulumi.Output.json_dumps({**upload, "assets_sha256": bundle.assets_sha256}, sort_keys=True)
    return pulumi.Output.secret(text.apply(lambda known: hashlib.sha256(known.encode()).hexdigest()))


def _tag_of(migrations: Any) -> str:
    """The tag in the script's recorded migrations. The SDK gives the fields Python's names."""
    return carried_tag({"newTag": migrations.new_tag} if migrations is not None else None)


def _or_nothing(pending: Mapping[str, Any]) -> Any:
    """An upload without a migration must not name one at all."""
    return pending or None


def _text(value: pulumi.Input[str]) -> dict[str, Any]:
    return {"type": "plain_text", "text": value}


def _secret(value: pulumi.Input[str]) -> dict[str, Any]:
    return {"type": "secret_text", "text": pulumi.Output.secret(value)}
