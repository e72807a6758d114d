"""The whole service as components, from settings to outputs.
Wires only: no setting is read here and no resource is made here but through a component."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pulumi

from infra import naming
from infra import settings as configuration
from infra.components.edge import Edge, EdgeBindings
from infra.components.endpoint import GpuEndpoint, GpuPlan, RegistryLogin, ScalePlan
from infra.components.image import WorkerImage
from infra.components.storage import Storage
from infra.edge_bundle import read_bundle
from infra.guardrails import Limits, guard, guard_outputs
from infra.image_facts import check_cards, least_cuda
from infra.last_run import last_outputs
from infra.leftovers import Leftovers
from infra.minted import Minted
from infra.running_jobs import RunningJobs
from infra.settings import Settings
from infra.stray_tokens import StrayTokens

# Relative to the folder of Pulumi.yaml, so that state and plan are the same in every checkout.
WORKER_FOLDER = Path("worker_image")
EDGE_FOLDER = Path("edge_worker")
# Output that the next run reads: see infra/durable_objects.py.
MIGRATION = "recordedMigration"


def build(settings: Settings) -> dict[str, pulumi.Output[Any] | str]:
    """Declare every resource of the stack. Returns its outputs."""
    low, high = settings.workers
    guard(
        Limits(
            workers_ceiling=settings.workers_ceiling,
            min_workers_accepted=settings.standing_workers_accepted,
            protect=settings.protect,
        )
    )
    project, stack = pulumi.get_project(), pulumi.get_stack()
    name = naming.physical(project, stack)
    script_name = settings.script_name or name
    app_url = settings.public_url(script_name)
    registry_password = configuration.secret(f"{project}:registryPassword", environment=os.environ)
    login = None
    if settings.registry_username and registry_password is not None:
        login = RegistryLogin(username=settings.registry_username, password=registry_password)
    # Made before anything outside is: a run that was cut off finds its own endpoint by this mark.
    deployment = Minted("deployment")
    bucket_name = settings.bucket_name or name
    leftovers = Leftovers(
        "leftovers",
        account_id=settings.cloudflare_account_id,
        deployment=deployment.id,
        registry_name=name,
        script=script_name,
        bucket=bucket_name,
        jurisdiction=settings.jurisdiction.value,
        keep=settings.protect,
    )
    image = WorkerImage(
        "worker",
        source=settings.image,
        folder=WORKER_FOLDER,
        repository=settings.image_repository,
        registry_username=settings.registry_username,
        registry_password=registry_password,
        looks_up=settings.image_lookup,
        registry_login_text=configuration.secret_text(f"{project}:registryPassword", environment=os.environ),
    )
    check_cards(image.facts, settings.gpu)
    storage = Storage(
        "storage",
        account_id=settings.cloudflare_account_id,
        bucket_name=bucket_name,
        s3_url=settings.s3_url,
        app_url=app_url,
        deployment_id=leftovers.deployment,
        jurisdiction=settings.jurisdiction.value,
        location=settings.bucket_location,
        object_lifetime_days=settings.object_lifetime_days,
        key_generation=settings.bucket_key_generation,
        keep_previous_key=settings.keep_previous_secrets,
        adopt=settings.adopt_bucket,
        protect=settings.protect,
        after=[leftovers],
    )
    endpoint = GpuEndpoint(
        "gpu",
        physical_name=name,
        deployment_id=leftovers.deployment,
        image=image.reference,
        gpu=GpuPlan(
            names=settings.gpu,
            count=settings.gpu_count,
            min_cuda_version=least_cuda(image.facts, settings.min_cuda_version),
        ),
        scale=ScalePlan(
            workers_min=low,
            workers_max=high,
            idle_timeout_s=settings.idle_s,
            queue_delay_s=settings.queue_delay_s,
            timeout_s=settings.execution_timeout_s,
            flashboot=settings.flashboot,
        ),
        disk_gb=settings.disk_gb,
        data_centers=settings.data_centers,
        registry=login,
        adopt_id=settings.adopt_endpoint_id,
        tries_images=settings.image_trial,
        stops_before=[storage.contents],
    )
    edge = Edge(
        "edge",
        account_id=settings.cloudflare_account_id,
        script_name=script_name,
        bundle=read_bundle(EDGE_FOLDER),
        bindings=EdgeBindings(
            stack=stack,
            worker_url=app_url,
            s3_endpoint=settings.s3_url,
            bucket_name=storage.bucket_name,
            jurisdiction=settings.jurisdiction.value,
            runpod_job_url=settings.runpod_job_url,
            price=endpoint.price,
            limits=settings.limits,
            access=settings.access,
            runpod_endpoint_id=endpoint.endpoint_id,
            runpod_api_key=configuration.secret("runpod:apiKey", environment=os.environ),
            s3_access_key_id=storage.access_key_id,
            s3_secret_access_key=storage.secret_access_key,
        ),
        hook_keys_generation=settings.hook_keys_generation,
        operator_token_generation=settings.operator_token_generation,
        keep_previous_secrets=settings.keep_previous_secrets,
        recorded_migration=last_outputs().apply(lambda outputs: str(outputs.get(MIGRATION) or "")),
        domain=settings.domain,
        zone_id=settings.zone_id,
        adopt=settings.adopt_script,
        protect=settings.protect,
        stops_before=[storage.contents],
    )
    # Made last, so deleted first: jobs are cancelled while there is still somebody who can say so.
    after_all = pulumi.ResourceOptions(depends_on=[edge])
    RunningJobs("running-jobs", app_url=app_url, token=edge.operator_token, opts=after_all)
    # Only now does the script sign with the key in use; no older key may go before.
    StrayTokens(
        "stray-tokens",
        account_id=settings.cloudflare_account_id,
        token_name=storage.token_name,
        keep=storage.token_ids,
        opts=after_all,
    )
    return guard_outputs(
        {
            "appUrl": app_url,
            "endpointId": endpoint.endpoint_id,
            "imageReference": image.reference,
            "bucket": storage.bucket_name,
            "gpu": endpoint.price.apply(lambda price: price["gpu"]),
            "priceUsdPerS": endpoint.price.apply(lambda price: price["usd_per_s"]),
            "operatorToken": edge.operator_token,
            MIGRATION: edge.migration,
        }
    )
