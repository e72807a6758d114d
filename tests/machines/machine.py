"""A new machine: a Debian of its own made by debootstrap, with only what the README asks for, and a user without root.
Needs root here; everything it started ends with its process namespace."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("ca-certificates", "git", "make", "python3", "python3-venv")
USER = "neu"
USER_ID = 4711
# A space, an umlaut and a quote: what people name folders, and what breaks first lines of scripts and shell words.
FOLDER = "Meine Bücher & co's/photo-splat"
HOME = Path("/home") / USER
PROJECT = HOME / FOLDER
CACHES = Path("/var/cache/downloads")
# How this machine reaches the registries (a proxy, its certificate) is not what is tested.
NETWORK_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "GOPROXY", "GONOSUMDB", "GOSUMDB",
)  # fmt: skip
NETWORK_FILES = (
    "/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/etc/pip.conf", "/etc/npmrc",
)  # fmt: skip


def missing() -> str:
    """Why no such machine can be made here, or nothing."""
    if os.geteuid() != 0:
        return "debootstrap and chroot need root"
    absent = [program for program in ("debootstrap", "unshare", "nsenter", "chroot") if shutil.which(program) is None]
    return f"{', '.join(absent)} missing: apt-get install debootstrap util-linux coreutils" if absent else ""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a command ended: exit code, and stdout and stderr together as a person reads them."""

    code: int
    output: str


@dataclass
class Machine:
    """A root file system in `root`; `downloads` is shared between machines, as a proxy of a company would be.

    python: a version to install and use beside the system's own, such as 3.14.
    """

    suite: str
    root: Path
    downloads: Path
    python: str = ""
    init: subprocess.Popen[bytes] | None = field(default=None)

    def make(self) -> None:
        """Install the system. Raises CalledProcessError with debootstrap's last lines in its notes."""
        scripts = Path("/usr/share/debootstrap/scripts")
        extra = (f"python{self.python}", f"python{self.python}-venv") if self.python else ()
        include = f"--include={','.join([*PACKAGES, *extra])}"
        command = ["debootstrap", "--variant=minbase", include, self.suite, str(self.root)]
        if not (scripts / self.suite).exists():
            command += ["", str(scripts / "sid")]  # a Debian newer than this debootstrap, from its usual mirror
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, command)
            error.add_note("\n".join(done.stdout.splitlines()[-15:]))
            raise error
        for name in NETWORK_FILES:
            if Path(name).is_file():
                shutil.copyfile(name, self.root / name.lstrip("/"))
        passwd = self.root / "etc/passwd"
        passwd.write_text(f"{passwd.read_text()}{USER}:x:{USER_ID}:{USER_ID}::{HOME}:/bin/sh\n")
        self.host_path(HOME).mkdir(parents=True)
        self.host_path(CACHES).mkdir(parents=True)
        os.chown(self.host_path(HOME), USER_ID, USER_ID)

    def start(self) -> None:
        """Namespaces that live until `stop`: processes of one command are still there for the next."""
        script = f"""
            set -e
            mount --bind {shlex.quote(str(self.root))} {shlex.quote(str(self.root))}
            cd {shlex.quote(str(self.root))}
            mount -t proc proc proc
            mount --rbind /dev dev
            mount -t tmpfs tmpfs tmp
            mount --bind {shlex.quote(str(self.downloads))} .{CACHES}
            echo started
            read -r _
        """
        # Its first process ends when this one closes the pipe, however this one ends.
        self.init = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.init.stdout is not None
        line = self.init.stdout.readline()
        assert line == b"started\n", f"no namespaces here: {line!r}"

    def stop(self) -> None:
        """End every process of the machine."""
        if self.init is not None:
            self.init.communicate()  # closes its stdin, and waits

    def clone(self, source: Path, *, to: Path = PROJECT) -> None:
        """The checkout's HEAD, cloned as the README says, by the user."""
        place = self.host_path(to)
        place.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["git", "clone", "--quiet", str(source), str(place)], check=True)
        for owned in (self.host_path(HOME), self.downloads):
            subprocess.run(["chown", "-R", f"{USER_ID}:{USER_ID}", str(owned)], check=True)

    def run(
        self,
        *command: str,
        limit_s: float,
        folder: Path = PROJECT,
        network: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Finished:
        """A command line of the user's, in a folder, with an empty environment and umask 077."""
        words = 'umask 077; cd "$1"; shift; exec "$@"'
        inside = ["chroot", f"--userspec={USER_ID}:{USER_ID}", str(self.root), "/usr/bin/env", "-i"]
        inside += [f"{name}={value}" for name, value in {**self._environment(), **(environment or {})}.items()]
        inside += ["sh", "-c", words, "sh", str(folder), *command]
        done = subprocess.run(
            [*self._enter(network=network), *inside],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=limit_s,
            check=False,
        )
        return Finished(code=done.returncode, output=done.stdout)

    def as_root(self, *command: str) -> None:
        """Change the machine itself (mounts, owners), in its namespaces. Paths are those of this host."""
        subprocess.run([*self._enter(network=True), *command], check=True, capture_output=True, timeout=60)

    def processes(self) -> list[str]:
        """Command lines of the user's processes, but the shell's that asks."""
        script = "for one in /proc/[0-9]*; do [ -O $one ] && tr '\\0' ' ' <$one/cmdline && echo; done 2>/dev/null; true"
        lines = self.run("sh", "-c", script, limit_s=30, folder=HOME).output.splitlines()
        return [line for line in lines if line.strip() and "/proc/[0-9]" not in line]

    def host_path(self, path: Path) -> Path:
        """Where the host sees a path of the machine."""
        return self.root / str(path).lstrip("/")

    def _enter(self, *, network: bool) -> Sequence[str]:
        assert self.init is not None, "start the machine first"
        # The child of unshare is process 1 of the new namespace.
        children = Path(f"/proc/{self.init.pid}/task/{self.init.pid}/children").read_text().split()
        enter = ["nsenter", "--target", children[0], "--mount", "--pid"]
        return enter if network else [*enter, "unshare", "--net"]

    def _environment(self) -> dict[str, str]:
        given = {name: os.environ[name] for name in NETWORK_VARIABLES if name in os.environ}
        caches = {
            "PIP_CACHE_DIR": "pip",
            "UV_CACHE_DIR": "uv",
            "npm_config_cache": "npm",
            "GOCACHE": "go-build",
            "GOMODCACHE": "go-mod",
        }
        shared = {name: str(CACHES / folder) for name, folder in caches.items()}
        chosen = {"SPLAT_PYTHON": f"python{self.python}"} if self.python else {}
        return {"HOME": str(HOME), "USER": USER, "PATH": "/usr/local/bin:/usr/bin:/bin", **shared, **given, **chosen}
