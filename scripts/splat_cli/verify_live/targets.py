"""What a run is made on: the two live accounts from the environment, or stand-ins of its own for a rehearsal."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from common.content_hash import hash_folder
from infra.settings.local_stack import config_for
from infra.settings.model import NAMESPACE
from local_cloud import supervisor
from local_cloud.addresses import Addresses, StateFolder
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.stack import Engine
from scripts.splat_cli.verify_live.accounts import Cloudflare, Runpod
from scripts.splat_cli.verify_live.checks.stack import MakeEngine

REHEARSED_ACCOUNT = "0" * 32
REHEARSAL = "rehearsal"
RUNPOD_KEY, CLOUDFLARE_KEY, ACCOUNT = "RUNPOD_API_KEY", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"
NEEDED: Mapping[str, str] = {
    RUNPOD_KEY: "a RunPod key with every right on serverless (RunPod, Settings, API keys)",
    CLOUDFLARE_KEY: "a Cloudflare token with edit on Workers Scripts, Workers R2 Storage and Account API Tokens",
    ACCOUNT: "the id of the Cloudflare account: 32 hex digits on its home page",
}


@dataclass(frozen=True, kw_only=True)
class Targets:
    """secrets: values that no recording may hold. missing: names of variables that are not set."""

    runpod: Runpod | None
    cloudflare: Cloudflare | None
    image: str
    platform: str
    engine: MakeEngine | None = None
    secrets: tuple[str, ...] = field(default=(), repr=False)
    missing: tuple[str, ...] = ()

    def close(self) -> None:
        for account in (self.runpod, self.cloudflare):
            if account is not None:
                account.close()


def live(root: Path, *, image: str, variables: Mapping[str, str] = os.environ) -> Targets:
    """The accounts whose keys are set."""
    missing = tuple(name for name in NEEDED if not variables.get(name))
    runpod = None if RUNPOD_KEY in missing else Runpod(key=variables[RUNPOD_KEY])
    cloudflare = None
    if not {CLOUDFLARE_KEY, ACCOUNT} & set(missing):
        cloudflare = Cloudflare(account_id=variables[ACCOUNT], token=variables[CLOUDFLARE_KEY])
    return Targets(
        runpod=runpod,
        cloudflare=cloudflare,
        image=image,
        platform="live",
        engine=_live_engine(root, image, cloudflare) if runpod is not None and cloudflare is not None else None,
        secrets=tuple(variables[name] for name in NEEDED if variables.get(name)),
        missing=missing,
    )


def _live_engine(root: Path, image: str, cloudflare: Cloudflare) -> MakeEngine:
    @contextlib.contextmanager
    def made(stack: str) -> Iterator[Engine]:
        host = cloudflare.worker_url(stack).removeprefix("https://")
        config = {
            "cloudflareAccountId": cloudflare.account_id,
            "workersSubdomain": host.split(".")[1],
            "image": image,
            "workersMax": "1",
            "objectLifetimeDays": "2",
            "imageCheck": "false",
        }
        with _engine(root, stack, {f"{NAMESPACE}:{key}": value for key, value in config.items()}) as engine:
            yield engine

    return made


@contextlib.contextmanager
def rehearsal(root: Path) -> Iterator[Targets]:
    """Both stand-ins on free ports and in a temporary folder, with the worker of this checkout. Ended afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="splat-rehearsal-"))
    state = StateFolder(root=folder)
    try:
        try:
            addresses = supervisor.start(state, root=root)
        except supervisor.StartFailed as problem:
            raise ServiceError(f"The local cloud did not start. {problem}", hint="run the same command again") from None
        keys = supervisor.keys(state)
        targets = Targets(
            runpod=Runpod(
                key=keys.runpod_api_key, api_url=f"{addresses.runpod_url}/v2", job_url=f"{addresses.runpod_url}/v2"
            ),
            cloudflare=Cloudflare(
                account_id=REHEARSED_ACCOUNT,
                token=keys.cloudflare_api_token,
                api_url=addresses.control_url,
                s3_url=addresses.s3_endpoint,
                app_url=addresses.app_url,
            ),
            image=f"{supervisor.CHECKOUT_IMAGE}@sha256:{hash_folder(root / 'worker_image')}",
            platform=REHEARSAL,
            engine=_rehearsed_engine(root, addresses, keys),
            secrets=(keys.runpod_api_key, keys.cloudflare_api_token),
        )
        try:
            yield targets
        finally:
            targets.close()
    finally:
        supervisor.stop(state)
        shutil.rmtree(folder, ignore_errors=True)


def _rehearsed_engine(root: Path, addresses: Addresses, keys: supervisor.Keys) -> MakeEngine:
    committed = yaml.safe_load((root / "Pulumi.local.yaml").read_text())["config"]
    found = config_for(
        app_url=addresses.app_url,
        runpod_url=addresses.runpod_url,
        control_url=addresses.control_url,
        s3_endpoint=addresses.s3_endpoint,
    )
    config = {**committed, **found, f"{NAMESPACE}:imageCheck": "false"}

    @contextlib.contextmanager
    def made(stack: str) -> Iterator[Engine]:
        variables = {
            "RUNPOD_API_KEY": keys.runpod_api_key,
            "RUNPOD_JOB_KEY": "",
            "CLOUDFLARE_API_TOKEN": keys.cloudflare_api_token,
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        with _engine(root, stack, config, variables=variables, on_stand_ins=True) as engine:
            yield engine

    return made


@contextlib.contextmanager
def _engine(
    root: Path,
    stack: str,
    config: Mapping[str, str],
    *,
    variables: Mapping[str, str] | None = None,
    on_stand_ins: bool = False,
) -> Iterator[Engine]:
    """An engine with a new stack whose state, passphrase and configuration are in a temporary folder."""
    if not (root / "edge_worker/dist/index.js").exists():
        raise CommandError("The edge worker is not built.", hint="run scripts/bootstrap")
    with tempfile.TemporaryDirectory(prefix="splat-verify-") as folder:
        place = Path(folder)
        (place / "state").mkdir()
        (place / "Pulumi.yaml").write_text("name: photo-splat\nruntime: python\n")
        file = place / f"Pulumi.{stack}.yaml"
        file.write_text(yaml.safe_dump({"config": dict(config)}))
        engine = Engine(
            root=root,
            stack=stack,
            config_file=file,
            on_stand_ins=on_stand_ins,
            environment={
                **(variables or {}),
                **({"PULUMI_HOME": str(place / "home")} if on_stand_ins else {}),
                "PULUMI_BACKEND_URL": f"file://{place / 'state'}",
                "PULUMI_CONFIG_PASSPHRASE": secrets.token_hex(16),
            },
        )
        # `stack init` writes the encryption salt beside the Pulumi.yaml that it finds.
        engine.run("stack", "select", "--create", "--cwd", str(place), quiet=True)
        yield engine
