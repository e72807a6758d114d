"""`splat adopt`: with the stack's own keys and configuration, find, show, write, preview."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.cloudflare.api import CloudflareApi
from infra.runpod.client import PRODUCTION_URL, RunPodClient
from scripts.splat_cli.adopt.changes import changes
from scripts.splat_cli.adopt.find import ACCOUNT_KEY, PROJECT, Found, Wanted, find
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.stack import Engine


def adopt(
    engine: Engine, wanted: Wanted, *, show: Callable[[str], None], write: bool = True
) -> tuple[Found, tuple[str, ...]]:
    """Find and show, write the keys, preview. `write` False stops after the first.

    Returns what was found and the lines of what the next `pulumi up` changes.
    """
    config = engine.config()
    if engine.is_deployed():
        raise CommandError(
            f"Stack {engine.stack} is already deployed, with an endpoint, a bucket and a script of its own.",
            hint="adopt with a new stack (pulumi stack init), before its first `pulumi up`",
        )
    account = config.get(ACCOUNT_KEY, "")
    if not account:
        raise CommandError(
            f"{ACCOUNT_KEY} of stack {engine.stack} is not set.",
            hint=f"splat pulumi config set cloudflareAccountId … --stack {engine.stack}",
        )
    runpod = RunPodClient(
        api_key=_key(engine, config, "runpod:apiKey", "RUNPOD_API_KEY"),
        api_url=config.get("runpod:apiUrl") or PRODUCTION_URL,
    )
    cloudflare = CloudflareApi(
        account_id=account,
        token=_key(engine, config, "cloudflare:apiToken", "CLOUDFLARE_API_TOKEN"),
        api_url=config.get("cloudflare:baseUrl", ""),
    )
    jurisdiction = config.get(f"{PROJECT}:jurisdiction") or "default"
    try:
        found = find(wanted, runpod=runpod, cloudflare=cloudflare, jurisdiction=jurisdiction)
    finally:
        runpod.close()
    for what, name, about in found.rows:
        show(f"Found {what} {name}: {about}")
    if not write:
        return found, ()
    engine.set_config(found.keys)
    show(f"Written to the configuration of stack {engine.stack}: {', '.join(sorted(found.keys))}")
    changed = changes(found, engine.plan())
    show("The next `pulumi up`:")
    for line in changed:
        show(f"  {line}")
    return found, changed


def _key(engine: Engine, config: Mapping[str, str], key: str, variable: str) -> str:
    found = config.get(key) or engine.variable(variable)
    if not found:
        raise CommandError(
            f"{key} of stack {engine.stack} is not set.",
            hint=f"splat pulumi config set --secret {key}, or set {variable} in the environment",
        )
    return found
