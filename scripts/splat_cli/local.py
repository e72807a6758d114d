"""Deploys and destroys the local stack and makes its first scene, one command at a time per checkout.
Each step is safe to repeat, so an interrupted `make up` continues where it stopped."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from infra.settings.local_stack import render
from local_cloud import supervisor
from local_cloud.addresses import Addresses, PortInUse, StateFolder, private_folder, write_private
from scripts.splat_cli.edge_client import EdgeClient, Project
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.photos import digest, find_photos
from scripts.splat_cli.progress import Stages
from scripts.splat_cli.reconstruct import reconstruct
from scripts.splat_cli.stack import LOCAL, Engine, report_repaired
from scripts.splat_cli.state_file import repair


class Busy(CommandError):
    """Another command holds the local stack."""


def state_folder(root: Path) -> StateFolder:
    """`.local` of the checkout. SPLAT_LOCAL_STATE moves it, so that tests can run beside a deployed stack."""
    return StateFolder(root=Path(os.environ.get("SPLAT_LOCAL_STATE", root / ".local")).resolve())


def deployed(root: Path) -> Engine:
    """The engine for a command on the local stack as it is: its state is readable, unless another command is writing
    it right now. Raises CommandError without a local stack."""
    state = state_folder(root)
    if not _backend(state).exists():
        raise CommandError("The local stack is not deployed.", hint="make up")
    with contextlib.suppress(Busy), one_at_a_time(state):
        report_repaired(repair(_backend(state)))
    return engine(root, state)


def engine(root: Path, state: StateFolder) -> Engine:
    """The engine with the local backend, keys and plugin folder. Raises CommandError when the passphrase is lost."""
    return _engine(root, state, _passphrase(root, state))


def _engine(root: Path, state: StateFolder, passphrase: str) -> Engine:
    keys = supervisor.keys(state)
    return Engine(
        root=root,
        stack=LOCAL,
        config_file=_config_file(state),
        environment={
            "PULUMI_HOME": str(state.root / "pulumi"),
            "PULUMI_BACKEND_URL": f"file://{_backend(state)}",
            "PULUMI_CONFIG_PASSPHRASE": passphrase,
            # The checkout holds everything the local stack needs, so the engine must download nothing.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "RUNPOD_API_KEY": keys.runpod_api_key,
            "RUNPOD_JOB_KEY": "",
            "CLOUDFLARE_API_TOKEN": keys.cloudflare_api_token,
        },
    )


def up(root: Path, *, console: Console, app_port: int | None = None) -> dict[str, Any]:
    """Start the local cloud and deploy the stack on it. A second run changes nothing. Returns the stack's outputs."""
    state = state_folder(root)
    with one_at_a_time(state):
        addresses = _start_cloud(root, state, console, app_port=app_port)
        engine_ = engine(root, state)
        previous = _config_file(state).read_text() if _config_file(state).exists() else None
        committed = (root / "Pulumi.local.yaml").read_text()
        _config_file(state).parent.mkdir(exist_ok=True)
        _config_file(state).write_text(render(committed, _render_addresses(addresses), previous))
        private_folder(_backend(state))
        _select(engine_, state)
        with Stages(console) as stages:
            stages.update("deploying the stack", 0.0)
            said = engine_.run("up", "--yes", "--skip-preview", "--suppress-outputs", quiet=True)
            stages.finish(changes(said))
        return engine_.outputs(show_secrets=True)


def down(root: Path, *, console: Console) -> None:
    """Destroy the stack, stop the local cloud, remove its state."""
    state = state_folder(root)
    if not state.root.exists():
        console.print("Nothing is deployed here.")
        return
    with one_at_a_time(state):
        if _config_file(state).exists() and any(_backend(state).rglob("*.json")):
            addresses = _start_cloud(root, state, console, app_port=None)
            engine_ = engine(root, state)
            _select(engine_, state)
            try:
                with Stages(console) as stages:
                    stages.update("destroying the stack", 0.0)
                    stages.finish(changes(engine_.run("destroy", "--yes", "--skip-preview", quiet=True)))
            except ServiceError as failure:
                # A local stack lives in one folder, so there is a way out of any state.
                drop = f"kill {addresses.supervisor_pid} && rm -rf {shlex.quote(str(state.root))}"
                hint = f"{failure.hint}. To drop the local stack with its scenes instead: {drop}"
                raise ServiceError(failure.message, hint=hint) from None
            # Without --preserve-config it would delete the committed Pulumi.local.yaml.
            engine_.run("stack", "rm", "--yes", "--preserve-config", quiet=True)
        if supervisor.stop(state):
            console.print("Local cloud stopped.")
    shutil.rmtree(state.root, ignore_errors=True)
    console.print("Removed everything: endpoint, worker, bucket, script, listening ports.")


def scene(root: Path, client: EdgeClient, photos: Path, *, name: str, preset: str, console: Console) -> Project:
    """The scene of these photos. Makes it unless it exists already."""
    record = state_folder(root).root / "scenes.json"
    chosen, _ = find_photos(photos, client.limits())
    key = digest(chosen, preset=preset)
    known = _known_scenes(record)
    existing = _finished(client, known.get(key))
    if existing is not None:
        return existing
    made = reconstruct(client, photos, name=name, preset=preset, console=console)
    write_private(record, json.dumps({**known, key: made.id}))
    return made


@contextlib.contextmanager
def one_at_a_time(state: StateFolder) -> Iterator[None]:
    """A lock on the local stack. Raises CommandError while another command holds it."""
    private_folder(state.root)
    with (state.root / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Busy(
                f"Another command (process {lock.read().strip() or 'unknown'}) is changing the local stack.",
                hint="wait for it, or stop it with Ctrl-C in its terminal",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _start_cloud(root: Path, state: StateFolder, console: Console, *, app_port: int | None) -> Addresses:
    was_running = supervisor.is_running(state)
    try:
        addresses = supervisor.start(state, root=root, app_port=app_port)
    except (supervisor.StartFailed, PortInUse) as problem:
        raise ServiceError(
            f"The local cloud did not start. {problem}",
            hint=f"check the logs in {state.logs}, then run the same command again",
        ) from None
    wanted = f"http://127.0.0.1:{app_port}"
    if app_port is not None and addresses.app_url != wanted:
        raise CommandError(
            f"The local cloud already runs at {addresses.app_url}, not {wanted}.",
            hint="run make down first, or leave out PORT",
        )
    if not was_running:
        console.print(f"Local cloud: app {addresses.app_url}, RunPod stand-in {addresses.runpod_url}")
    return addresses


def _select(engine_: Engine, state: StateFolder) -> None:
    """Create the stack unless it exists, and release its lock.

    `pulumi stack init` writes its encryption salt beside the Pulumi.yaml that it finds. It gets a Pulumi.yaml of its
    own, so that the committed Pulumi.local.yaml does not change (docs/decisions/0004).
    """
    report_repaired(repair(_backend(state)))
    folder = _config_file(state).parent
    (folder / "Pulumi.yaml").write_text("name: photo-splat\nruntime: python\n")
    engine_.run("stack", "select", "--create", "--cwd", str(folder), quiet=True)
    # An interrupted engine leaves its lock. one_at_a_time ensures that no other engine is running.
    with contextlib.suppress(ServiceError):
        engine_.run("cancel", "--yes", quiet=True)


def changes(said: str) -> str:
    """The engine's summary of what it did: `20 resources created`."""
    block = said.partition("Resources:")[2].partition("\n\n")[0]
    counts = re.findall(r"(\d+) (created|updated|replaced|deleted|unchanged)", block)
    words = [f"{count} {what}" for count, what in counts]
    if not words:
        return ""
    first, *others = words
    return ", ".join([first.replace(" ", " resources " if not first.startswith("1 ") else " resource ", 1), *others])


def _render_addresses(addresses: Addresses) -> dict[str, str]:
    return {
        "app_url": addresses.app_url,
        "runpod_url": addresses.runpod_url,
        "control_url": addresses.control_url,
        "s3_endpoint": addresses.s3_endpoint,
    }


def _config_file(state: StateFolder) -> Path:
    return state.root / "project/Pulumi.local.yaml"


def _backend(state: StateFolder) -> Path:
    return state.root / "state"


def _passphrase(root: Path, state: StateFolder) -> str:
    """The passphrase of this stack, from its own file only: what a shell exports belongs to other stacks.

    An earlier release preferred an exported PULUMI_CONFIG_PASSPHRASE and then wrote no file. Such a stack takes the
    exported passphrase into its file once, if it opens the state. Raises CommandError when there is none.
    """
    file = state.root / "passphrase"
    if file.exists():
        return file.read_text().strip()
    if _backend(state).exists() and any(_backend(state).rglob("*.json")):
        exported = os.environ.get("PULUMI_CONFIG_PASSPHRASE", "")
        if not exported or not _opens(_engine(root, state, exported)):
            raise CommandError(
                f"The passphrase of the local stack is missing ({file}).",
                hint="put the passphrase that created the stack into this file, then run the same command",
            )
        write_private(file, exported)
    else:
        write_private(file, secrets.token_hex(24))
    return file.read_text().strip()


def _opens(engine_: Engine) -> bool:
    """Whether the engine's passphrase decrypts the stack."""
    try:
        engine_.config()
    except CommandError:
        return False
    return True


def _known_scenes(record: Path) -> dict[str, str]:
    try:
        return dict(json.loads(record.read_text()))
    except (OSError, ValueError):
        return {}


def _finished(client: EdgeClient, project_id: str | None) -> Project | None:
    if project_id is None:
        return None
    try:
        project = client.project(project_id)
    except CommandError:
        return None
    return project if project.state == "done" else None
