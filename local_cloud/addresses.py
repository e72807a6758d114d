"""Where the local cloud lives: ports, addresses and files under one state folder.
Pure data and port probing; never starts or stops a process."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
# 8787 is the usual port of a Worker on a developer's machine; the other two are ours.
APP_PORT = 8787
RUNPOD_PORT = 8750
CONTROL_PORT = 8751
PORTS_TRIED = 40


class PortInUse(Exception):
    """The requested port is in use. The text is for people."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """One port per server, all on 127.0.0.1."""

    app: int
    runpod: int
    control: int


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses of a running local cloud, for the stack and the command line."""

    app_url: str
    runpod_url: str
    control_url: str
    supervisor_pid: int

    @property
    def s3_endpoint(self) -> str:
        """R2's S3 API as the runtime serves it; the bucket follows as path."""
        return f"{self.app_url}/cdn-cgi/local/r2/s3"


@dataclass(frozen=True, kw_only=True)
class StateFolder:
    """Files of one local cloud. `root` is `.local` in a checkout, a temporary folder in a test."""

    root: Path

    @property
    def cloud_file(self) -> Path:
        return self.root / "cloud.json"

    @property
    def ports_file(self) -> Path:
        return self.root / "ports.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def keys_file(self) -> Path:
        return self.root / "keys.json"

    @property
    def images_file(self) -> Path:
        return self.root / "images.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def runpod_state(self) -> Path:
        return self.root / "runpod"

    @property
    def cloudflare_state(self) -> Path:
        return self.root / "cloudflare"


def is_free(port: int) -> bool:
    """Whether a server can listen on 127.0.0.1:port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose_ports(state: StateFolder, *, app_port: int | None = None) -> Ports:
    """Ports for a start: each port of the last start if it is free, else the next free port.

    Raises PortInUse when the requested `app_port` is in use.
    """
    if app_port is not None and not is_free(app_port):
        raise PortInUse(f"Port {app_port} is in use by another program. Stop it, or choose another port with PORT=…")
    last = _last_ports(state)
    taken: set[int] = set()

    def pick(wanted: int) -> int:
        for port in range(wanted, wanted + PORTS_TRIED):
            if port not in taken and is_free(port):
                taken.add(port)
                return port
        with socket.socket() as probe:
            probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
            taken.add(port)
            return port

    return Ports(
        app=pick(app_port or (last.app if last else APP_PORT)),
        runpod=pick(last.runpod if last else RUNPOD_PORT),
        control=pick(last.control if last else CONTROL_PORT),
    )


def _last_ports(state: StateFolder) -> Ports | None:
    try:
        raw = json.loads(state.ports_file.read_text())
        return Ports(app=int(raw["app"]), runpod=int(raw["runpod"]), control=int(raw["control"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def private_folder(path: Path) -> None:
    """Create a folder that only its owner can open, or close it to others. Logs and state hold keys and photos."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    draft.replace(path)


def read_addresses(state: StateFolder) -> Addresses | None:
    """Addresses of the last start, or None before the first. The local cloud need not run."""
    try:
        raw = json.loads(state.cloud_file.read_text())
    except (OSError, ValueError):
        return None
    return Addresses(
        app_url=raw["cloudflare"]["url"],
        control_url=raw["cloudflare"]["control_url"],
        runpod_url=raw["runpod"]["url"],
        supervisor_pid=raw["supervisor"]["pid"],
    )
