"""A Docker engine, a registry and a base image for one test run, in one folder and on one socket.
Never touches an existing engine. close() stops everything that it started."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# Program and its Debian package. A machine with another engine (GitHub's runners) keeps it.
PACKAGES = {
    "docker": "docker.io",
    "dockerd": "docker.io",
    "docker-registry": "docker-registry",
    "debootstrap": "debootstrap",
}
APT = ("apt-get", "--yes", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
INSTALL_TRIES = 3
DEBIAN = "bookworm"
BASE = "splat-test-base:latest"
START_LIMIT_S = 60
BUILD_LIMIT_S = 3600


def missing() -> str:
    """Why no engine can start here; empty if one can."""
    if os.geteuid() != 0:
        return "a Docker engine of our own needs root"
    absent = _absent()
    if absent:
        packages = " ".join(dict.fromkeys(absent.values()))
        return f"{', '.join(absent)} missing: apt-get install {packages}"
    return ""


def _absent() -> dict[str, str]:
    return {program: package for program, package in PACKAGES.items() if shutil.which(program, path=PATH) is None}


def install() -> str:
    """Install missing packages, as root on Debian or Ubuntu. Returns apt's last lines on failure."""
    output = ""
    for attempt in range(INSTALL_TRIES):
        packages = list(dict.fromkeys(_absent().values()))
        if os.geteuid() != 0 or not packages or shutil.which("apt-get") is None:
            return ""
        if attempt:
            time.sleep(10)  # another apt-get holds the lock, or a mirror is down
        for command in (["update"], ["install", "--no-install-recommends", *packages]):
            done = subprocess.run(
                [*APT, *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
                timeout=900,
            )
            output = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
    return output if _absent() else ""


class EngineFailed(RuntimeError):
    """dockerd or the registry does not run on this machine. The message has its last lines."""

    def __init__(self, what: str, process: subprocess.Popen[bytes], folder: Path) -> None:
        program = Path(process.args[0]).name  # type: ignore[index]
        words = "\n".join((folder / f"{program}.log").read_text(errors="replace").splitlines()[-15:])
        super().__init__(
            f"{program} cannot run here: {what}. A Docker engine needs root, overlay file systems, namespaces and "
            f"control groups, which some containers lack. Its last lines:\n{words}"
        )


@dataclass
class Engine:
    """dockerd on `folder`; registry_port: where the local registry listens."""

    folder: Path
    registry_port: int
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def registry(self) -> str:
        return f"127.0.0.1:{self.registry_port}"

    @property
    def client(self) -> str:
        """The distribution's own client: a newer one elsewhere on PATH may lack its build plugin."""
        return shutil.which("docker", path=PATH) or "docker"

    @property
    def environment(self) -> dict[str, str]:
        home = self.folder / "client"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": PATH,
            "HOME": str(home),
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_BUILDKIT": "1",
            # Newer clients would push an index with an attestation instead of the image.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
        }

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start(
            "dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
            "--host", f"unix://{self.folder}/docker.sock", "--pidfile", f"{self.folder}/docker.pid",
            "--bridge", "none", "--iptables=false",
            # dockerd uses an existing containerd; ours must not see another engine's containers.
            "--containerd-namespace", "splat-test", "--containerd-plugins-namespace", "splat-test-plugins",
        )  # fmt: skip
        config = self.folder / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/registry}}}}\n"
            f"http: {{addr: {self.registry}}}\n"
        )
        self._start("docker-registry", "serve", str(config))
        self._wait(lambda: self.docker("version", limit_s=10))
        self._wait(lambda: urllib.request.urlopen(f"http://{self.registry}/v2/", timeout=5).close())

    def _start(self, *command: str) -> None:
        program = shutil.which(command[0], path=PATH)
        assert program is not None, f"{command[0]} is not installed"
        with open(self.folder / f"{command[0]}.log", "wb") as log:
            self.processes.append(
                subprocess.Popen(
                    [program, *command[1:]], stdout=log, stderr=log, env=self.environment, start_new_session=True
                )
            )

    def _wait(self, act: object) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                act()  # type: ignore[operator]
                return
            except (OSError, subprocess.CalledProcessError):
                for process in self.processes:
                    if process.poll() is not None:
                        raise EngineFailed(f"it ended with {process.returncode}", process, self.folder) from None
                if time.monotonic() > deadline:
                    raise EngineFailed(f"no answer in {START_LIMIT_S} s", self.processes[-1], self.folder) from None
                time.sleep(0.3)

    def docker(self, *arguments: str, limit_s: float = 300) -> str:
        """Run the client; returns stdout, raises CalledProcessError with stderr in its notes."""
        done = subprocess.run(
            [self.client, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )
        if done.returncode != 0:
            error = subprocess.CalledProcessError(done.returncode, done.args, done.stdout, done.stderr)
            error.add_note((done.stdout + done.stderr)[-4000:])
            raise error
        return done.stdout

    def make_base(self) -> None:
        """Debian with Python instead of the pinned base, so that no public registry is needed."""
        if self.docker("images", "-q", BASE).strip():
            return
        root = self.folder / "base"
        if not (root / "usr/bin/python3").exists():
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run(
                [
                    "debootstrap",
                    "--variant=minbase",
                    "--include=ca-certificates,python3,python3-venv",
                    DEBIAN,
                    str(root),
                ],
                check=True,
                capture_output=True,
                timeout=1200,
            )
        with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as packed:
            subprocess.run(
                [self.client, "import", "-", BASE],
                stdin=packed.stdout,
                env=self.environment,
                check=True,
                capture_output=True,
                timeout=600,
            )
        shutil.rmtree(root)

    def build(self, context: Path, *, tag: str, target: str, arguments: dict[str, str] | None = None) -> None:
        """Build the Dockerfile on our base, with this machine's CA bundle and package configuration as secrets."""
        command = ["build", "--network", "host", "--target", target, "--tag", tag, "--progress", "plain"]
        for name, value in {"BASE_IMAGE": BASE, **(arguments or {})}.items():
            command += ["--build-arg", f"{name}={value}"]
        for name, file in (
            ("ca", Path("/etc/ssl/certs/ca-certificates.crt")),
            ("pip", Path("/etc/pip.conf")),
            ("npm", Path.home() / ".npmrc"),
        ):
            if file.is_file():
                command += ["--secret", f"id={name},src={file}"]
        self.docker(*command, str(context), limit_s=BUILD_LIMIT_S)

    def push(self, tag: str) -> str:
        """Push. Returns repository@sha256:digest from the registry."""
        self.docker("push", "--quiet", tag, limit_s=1800)
        (digest,) = self.docker("inspect", "--format", "{{index .RepoDigests 0}}", tag).split()
        return digest

    def close(self) -> None:
        """Stop our processes, newest first, so that the engine unmounts its file systems."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
