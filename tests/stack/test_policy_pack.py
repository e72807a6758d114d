"""The guardrails on the real engine: as the program's own transform, and as a policy pack from outside.
No cloud: a preview of unsafe resources asks no service."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pulumi
import pulumi.automation as auto
import pytest

from infra.policy.guardrails import Limits, guard
from tests.stack.conftest import CLOUDFLARE_TOKEN, PASSPHRASE, ROOT

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.timeout(300)]

ACCOUNT = "0" * 32


def unsafe() -> None:
    """Three resources, each against rules of its own."""
    import pulumi_cloudflare as cloudflare

    everyone = {"allowed": {"methods": ["GET"], "origins": ["*"]}}
    cloudflare.R2BucketCors("cors", account_id=ACCOUNT, bucket_name="splats", rules=[everyone])
    cloudflare.R2Bucket("bucket", account_id=ACCOUNT, name="splats")
    readable = {"name": "RUNPOD_API_KEY", "type": "plain_text", "text": "x"}
    cloudflare.WorkersScript(
        "script", account_id=ACCOUNT, script_name="splat", content="x", main_module="m.js", bindings=[readable]
    )


def unmarked() -> None:
    """A secret binding with plain text in a guarded component, and an unsafe resource outside of it."""
    import pulumi_cloudflare as cloudflare

    limits = Limits(workers_ceiling=1, min_workers_accepted=False, protect=False)
    guarded = pulumi.ResourceOptions(transforms=[guard(limits)])
    service = pulumi.ComponentResource("test:index:Service", "service", {}, guarded)
    everyone = {"allowed": {"methods": ["GET"], "origins": ["*"]}}
    cloudflare.R2BucketCors("outside", account_id=ACCOUNT, bucket_name="splats", rules=[everyone])
    hidden = {"name": "STACK_SECRET", "type": "secret_text", "text": pulumi.Output.secret("y")}
    clear = {"name": "HOOK_KEYS", "type": "secret_text", "text": "the plain text"}
    cloudflare.WorkersScript(
        "script",
        account_id=ACCOUNT,
        script_name="splat",
        content="x",
        main_module="m.js",
        bindings=[clear, hidden],
        opts=pulumi.ResourceOptions(parent=service),
    )


@pytest.fixture
def stack(tmp_path: Path, engine_folder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., auto.Stack]]:
    """Makes a stack of a program that is given as a function."""
    double = ROOT / "local_cloud" / "cloudflare" / "bin"
    path = os.pathsep.join([engine_folder, str(ROOT / ".venv" / "bin"), str(double), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    environment = {
        "PATH": path,
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "CLOUDFLARE_API_TOKEN": CLOUDFLARE_TOKEN,
        "CLOUDFLARE_BASE_URL": "http://127.0.0.1:9",  # nothing listens there, and nothing is asked
        "PYTHONWARNINGS": "ignore",
    }

    loops: list[asyncio.AbstractEventLoop] = []

    def make(program: Callable[[], None], name: str) -> auto.Stack:
        def entry() -> None:
            loops.append(asyncio.get_event_loop())
            program()

        options = auto.LocalWorkspaceOptions(work_dir=str(tmp_path), env_vars=environment)
        return auto.create_stack(name, project_name="unsafe", program=entry, opts=options)

    yield make
    for loop in loops:  # the SDK leaves the loop of a program that failed open (automation/_server.py)
        while loop.is_running():
            time.sleep(0.05)
        loop.close()


def test_the_pack_rejects_what_the_program_rejects_with_resource_rule_and_fix(
    stack: Callable[..., auto.Stack], tmp_path: Path
) -> None:
    limits = tmp_path / "limits.json"
    limits.write_text(json.dumps({"protected-data": {"stacks": ["live"]}}))  # prod, where nothing is said

    with pytest.raises(auto.CommandError) as failure:
        stack(unsafe, "live").preview(
            policy_packs=[str(ROOT / "policy")],
            policy_pack_configs=[str(limits)],
            suppress_progress=True,
            color="never",
        )

    said = str(failure.value)
    assert "[mandatory]  exact-origins  (cloudflare:index:R2BucketCors: cors)" in said
    assert "cors: CORS allows the origin '*', so any page could use the bucket with a leaked URL. Name the" in said
    assert "[mandatory]  secret-bindings  (cloudflare:index:WorkersScript: script)" in said
    assert "[mandatory]  protected-data  (cloudflare:index:R2Bucket: bucket)" in said


def test_a_guarded_component_rejects_an_unmarked_secret_shows_no_value_and_checks_nothing_else(
    stack: Callable[..., auto.Stack],
) -> None:
    with pytest.raises(auto.CommandError) as failure:
        stack(unmarked, "dev").preview(suppress_progress=True, color="never")

    said = str(failure.value)
    assert "script: binding HOOK_KEYS is not a Pulumi secret" in said
    assert "Wrap it in pulumi.Output.secret. [marked-secrets]" in said
    assert "STACK_SECRET" not in said
    assert "exact-origins" not in said
    assert "the plain text" not in said
