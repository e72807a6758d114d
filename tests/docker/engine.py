"""A Docker engine, a registry and a base image of this test run's own, on one folder and one socket.
Never touches an engine that is already there; everything it started is gone when it is closed."""

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

PROGRAMS = ("/usr/bin/docker", "/usr/sbin/dockerd", "/usr/bin/docker-registry", "/usr/sbin/debootstrap")
PACKAGES = ("docker.io", "docker-registry", "debootstrap")
DEBIAN = "bookworm"
BASE = "splat-test-base:latest"
START_LIMIT_S = 60
BUILD_LIMIT_S = 3600


def missing() -> str:
    """Why no engine can be started here, or nothing."""
    if os.geteuid() != 0:
        return "a Docker engine of our own needs root"
    absent = [program for program in PROGRAMS if not Path(program).exists()]
    if absent:
        return f"{', '.join(absent)} missing: apt-get install {' '.join(PACKAGES)}"
    return ""


def install() -> None:
    """Try to install what is missing, as root on Debian or Ubuntu; what still is, `missing` says."""
    if os.geteuid() == 0 and missing() and shutil.which("apt-get"):
        for command in (["update"], ["install", "--yes", "--no-install-recommends", *PACKAGES]):
            subprocess.run(["apt-get", *command], check=False, timeout=600)


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
    def environment(self) -> dict[str, str]:
        home = self.folder / "client"
        home.mkdir(parents=True, exist_ok=True)
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(home),
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_BUILDKIT": "1",
        }

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._start(
            "/usr/sbin/dockerd", "--data-root", f"{self.folder}/data", "--exec-root", f"{self.folder}/exec",
            "--host", f"unix://{self.folder}/docker.sock", "--pidfile", f"{self.folder}/docker.pid",
            "--bridge", "none", "--iptables=false",
        )  # fmt: skip
        config = self.folder / "registry.yml"
        config.write_text(
            "version: 0.1\nlog: {level: error}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/registry}}}}\n"
            f"http: {{addr: {self.registry}}}\n"
        )
        self._start("/usr/bin/docker-registry", "serve", str(config))
        self._wait(lambda: self.docker("version", limit_s=10))
        self._wait(lambda: urllib.request.urlopen(f"http://{self.registry}/v2/", timeout=5).close())

    def _start(self, *command: str) -> None:
        with open(self.folder / f"{Path(command[0]).name}.log", "wb") as log:
            self.processes.append(
                subprocess.Popen(command, stdout=log, stderr=log, env=self.environment, start_new_session=True)
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
                        raise RuntimeError(
                            f"{process.args} ended with {process.returncode}: see {self.folder}"
                        ) from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.3)

    def docker(self, *arguments: str, limit_s: float = 300) -> str:
        """Run the client; returns stdout, raises CalledProcessError with stderr in its notes."""
        done = subprocess.run(
            ["/usr/bin/docker", *arguments],
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
        """Debian with Python, in place of the image that the Dockerfile pins: no registry of images is needed."""
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
                ["/usr/bin/docker", "import", "-", BASE],
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
        """Push, and give back repository@sha256:digest as the registry knows it."""
        self.docker("push", "--quiet", tag, limit_s=1800)
        (digest,) = self.docker("inspect", "--format", "{{index .RepoDigests 0}}", tag).split()
        return digest

    def close(self) -> None:
        """Stop our processes, newest first, and unmount what the engine mounted."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
