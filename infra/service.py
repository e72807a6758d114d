"""The whole service as one component, from settings to outputs.
Several services may stand in one program: each has its own names, marker, guardrails and records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import get_root_resource

from infra import naming
from infra.cloudflare.orphan_tokens import OrphanTokens
from infra.cloudflare.worker_bundle import read_bundle
from infra.components.edge import Edge, EdgeBindings
from infra.components.endpoint import GpuEndpoint
from infra.components.image import WorkerImage
from infra.components.storage import Storage
from infra.lifecycle.cancel_jobs import CancelJobs
from infra.lifecycle.generated_secret import GeneratedSecret
from infra.lifecycle.last_outputs import last_outputs
from infra.lifecycle.orphans import Orphans
from infra.policy.guardrails import Limits, guard, guard_outputs
from infra.runpod.job_memory import too_many_photos
from infra.settings.load import REGISTRY_PASSWORD, alert_webhook, job_key, secret, secret_text
from infra.settings.model import Settings

# 3.256 and 3.257 cannot write state to R2 (pulumi/pulumi issue 24219, fixed in 3.258.0).
OLDEST_ENGINE = "3.258.0"


class SplatService(pulumi.ComponentResource):
    """Photos in, 3D scenes out. `outputs` are what operators need, ready for `pulumi.export`; `operatorToken` is a
    secret. `app_url`, `bucket_name` and `endpoint_id` are for resources of your own."""

    app_url: str
    bucket_name: pulumi.Output[str]
    endpoint_id: pulumi.Output[str]
    outputs: dict[str, pulumi.Output[Any] | str]
    recorded_migration: pulumi.Output[str]

    def __init__(
        self, name: str, settings: Settings, opts: pulumi.ResourceOptions | None = None, *, checkout: Path = Path()
    ) -> None:
        """`name` is part of every resource's name. `checkout` is the folder of this project, relative to the folder of
        Pulumi.yaml, so that state and plan are the same on every machine. Raises SettingsError, BundleMissing,
        IncompatibleImage and RegistryError."""
        limits = Limits(
            workers_ceiling=settings.scaling.workers_ceiling,
            min_workers_accepted=settings.scaling.standing_workers_accepted,
            protect=settings.protect,
        )
        guarded = pulumi.ResourceOptions(transforms=[guard(limits)])
        super().__init__("splat:service:SplatService", name, {}, pulumi.ResourceOptions.merge(opts, guarded))
        mine = pulumi.ResourceOptions(parent=self)
        stack = pulumi.get_stack()
        physical_name = naming.physical(pulumi.get_project(), name, stack)
        script_name = settings.edge.script_name or physical_name
        bucket_name = settings.storage.bucket_name or physical_name
        self.app_url = settings.edge.public_url(script_name)
        registry_password = secret(REGISTRY_PASSWORD)
        # Created before anything outside is: an interrupted run finds its own endpoint by this marker.
        deployment = GeneratedSecret(f"{name}-deployment", opts=mine)
        orphans = Orphans(
            f"{name}-orphans",
            account_id=settings.account_id,
            deployment=deployment.id,
            registry_name=physical_name,
            script=script_name,
            bucket=bucket_name,
            jurisdiction=settings.storage.jurisdiction.value,
            keep=settings.protect,
            opts=mine,
        )
        image = WorkerImage(
            f"{name}-image",
            settings.image,
            folder=checkout / "worker_image",
            registry_password=registry_password,
            registry_password_text=secret_text(REGISTRY_PASSWORD),
            opts=mine,
        )
        storage = Storage(
            f"{name}-storage",
            settings.storage,
            settings.secrets,
            account_id=settings.account_id,
            bucket_name=bucket_name,
            s3_url=settings.s3_url,
            app_url=self.app_url,
            deployment_id=orphans.deployment,
            protect=settings.protect,
            after=[orphans],
            opts=mine,
        )
        endpoint = GpuEndpoint(
            f"{name}-gpu",
            physical_name=physical_name,
            deployment_id=orphans.deployment,
            gpu=settings.gpu,
            scaling=settings.scaling,
            image=image.reference,
            labels=image.labels,
            image_check=settings.image.check,
            registry_username=settings.image.registry_username,
            registry_password=registry_password,
            stops_before=[storage.contents],
            opts=mine,
        )
        endpoint.card.apply(lambda card: self._warn_of_too_many_photos(settings.limits.photos_max, card))
        # The stack's own output, as the only thing that the next run can read (infra/cloudflare/durable_objects.py).
        record = f"{name}RecordedMigration"
        edge = Edge(
            f"{name}-edge",
            settings.edge,
            settings.limits,
            settings.secrets,
            account_id=settings.account_id,
            script_name=script_name,
            bundle=read_bundle(checkout / "edge_worker"),
            bindings=EdgeBindings(
                stack=stack,
                s3_endpoint=settings.s3_url,
                bucket_name=storage.bucket_name,
                jurisdiction=settings.storage.jurisdiction.value,
                runpod_job_url=settings.runpod_job_url,
                price=endpoint.price,
                card=endpoint.card,
                runpod_endpoint_id=endpoint.endpoint_id,
                runpod_api_key=job_key(),
                s3_access_key_id=storage.access_key_id,
                s3_secret_access_key=storage.secret_access_key,
                alert_webhook=alert_webhook(self.app_url),
            ),
            recorded_migration=last_outputs().apply(lambda outputs: str(outputs.get(record) or "")),
            protect=settings.protect,
            stops_before=[storage.contents],
            opts=mine,
        )
        self.recorded_migration = edge.migration
        # A remote component has no stack to export to; its program exports the output (infra/package.py).
        if get_root_resource() is not None:
            pulumi.export(record, edge.migration)
        # Created last, so deleted first: jobs are cancelled while the app can still notify their owners.
        after_all = pulumi.ResourceOptions(parent=self, depends_on=[edge])
        CancelJobs(f"{name}-cancel-jobs", app_url=self.app_url, token=edge.operator_token, opts=after_all)
        # Only now does the script sign with the current key, so an older key may not be revoked earlier.
        OrphanTokens(
            f"{name}-orphan-tokens",
            account_id=settings.account_id,
            token_name=storage.token_name,
            keep=storage.token_ids,
            opts=after_all,
        )
        self.bucket_name = storage.bucket_name
        self.endpoint_id = endpoint.endpoint_id
        self.outputs = guard_outputs(
            {
                "appUrl": self.app_url,
                "endpointId": endpoint.endpoint_id,
                "imageReference": image.reference,
                "bucket": storage.bucket_name,
                "gpu": endpoint.price.apply(lambda price: price["gpu"]),
                "priceUsdPerS": endpoint.price.apply(lambda price: price["usd_per_s"]),
                "operatorToken": edge.operator_token,
            }
        )
        self.register_outputs(self.outputs)

    def _warn_of_too_many_photos(self, photos_max: int, card: Mapping[str, Any] | None) -> None:
        if sentence := too_many_photos(photos_max, card):
            pulumi.log.warn(sentence, self)
