"""The whole stack at a second per run: engine and providers are the real ones, only nothing is started twice.
The program runs in this process and the providers stay up between runs; a proxy before the stand-ins cuts runs."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import yaml
from pulumi.automation._server import LanguageServer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import language_pb2_grpc

from infra.settings.local_stack import config_for
from tests.stack.conftest import ROOT, STACK, LocalCloud, entry_of, project_environment, write_project
from tests.stack.support.cut_proxy import Cut, CutProxy, How, Step

RUN_LIMIT_S = 120
DYNAMIC, CLOUDFLARE = "pulumi-python", "cloudflare"

# gRPC shares its connections within a process by address: an engine that gets the port of one that was killed gets
# "connection refused" until the old one's pause before another try is over. The SDK offers no way to say otherwise.
OWN_CONNECTIONS = ("grpc.use_local_subchannel_pool", 1)
if OWN_CONNECTIONS not in _GRPC_CHANNEL_OPTIONS:
    _GRPC_CHANNEL_OPTIONS.append(OWN_CONNECTIONS)


class OneProgram(LanguageServer):
    """Says when the program has ended. It goes on for some milliseconds after its engine was killed, and shares this
    process's folder and environment with the next one."""

    def __init__(self, program: Callable[[], None]) -> None:
        def noting_its_loop() -> None:
            self._loop = asyncio.get_running_loop()
            program()

        super().__init__(noting_its_loop)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Lock()

    def Run(self, request: Any, context: Any) -> Any:
        with self._running:
            try:
                return super().Run(request, context)
            finally:
                # The SDK leaves it open where a task of the program ends with an error while the engine dies.
                if self._loop is not None:
                    self._loop.close()

    def wait(self) -> None:
        assert self._running.acquire(timeout=RUN_LIMIT_S), "the program did not end"
        self._running.release()


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the engine: its exit code, output, requests, and writes of its state."""

    code: int
    said: str
    steps: tuple[Step, ...]
    writes: int
    cut: bool


class Rig:
    """One stack on one local cloud."""

    def __init__(self, folder: Path, cloud: LocalCloud, path: str, *, stack: str = STACK) -> None:
        """`stack` is one of those that have a Pulumi.<stack>.yaml here."""
        self.cloud = cloud
        # A rig runs the engine more often in a minute than RunPod's quota allows; the quota has tests of its own.
        cloud.runpod("PATCH", "/_control/settings", json={"rate_limit_minute": None}).raise_for_status()
        self.stack = stack
        self.folder = folder
        self.state = folder / "state/.pulumi/stacks/photo-splat" / f"{stack}.json"
        self.proxy = CutProxy()
        self._providers: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        write_project(folder)
        self._environment = {**os.environ, **project_environment(folder, path)}
        committed = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
        # No registry and no worker here could answer for an image; other tests check images.
        unchecked = {f"photo-splat:{key}": "false" for key in ("imageLookup", "imageCheck")}
        addresses = config_for(
            app_url=cloud.app_url,
            runpod_url=self.proxy.listen(cloud.runpod_url),
            control_url=self.proxy.listen(cloud.control_url),
            s3_endpoint=self.proxy.listen(f"{cloud.app_url}/cdn-cgi/local/r2/s3"),
        )
        config = {**committed, **unchecked, **addresses}
        (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}))
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        entry = entry_of(folder, self._environment)
        self._program = OneProgram(entry)
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self._program, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        for name in (DYNAMIC, CLOUDFLARE):
            self._start_provider(name)
        self._pulumi("stack", "init", stack)

    def up(self, cut: Cut | None = None, *, killed_at_write: int | None = None) -> Run:
        return self._run("up", cut, killed_at_write)

    def destroy(self, cut: Cut | None = None, *, killed_at_write: int | None = None) -> Run:
        return self._run("destroy", cut, killed_at_write)

    def set(self, **settings: str) -> None:
        """Keys of the project in the stack's own file."""
        file = self.folder / f"Pulumi.{self.stack}.yaml"
        document = yaml.safe_load(file.read_text())
        document["config"] |= {f"photo-splat:{key}": value for key, value in settings.items()}
        file.write_text(yaml.safe_dump(document))

    def unlock(self) -> None:
        """What `pulumi cancel` does on a file backend (test_interrupted_runs.py runs the real one): remove the lock."""
        shutil.rmtree(self.folder / "state/.pulumi/locks", ignore_errors=True)

    def _run(self, command: str, cut: Cut | None, killed_at_write: int | None) -> Run:
        arguments = [command, "--stack", self.stack, "--yes", "--skip-preview", "--non-interactive", "--color=never"]
        said = self.folder / "said.txt"
        holder: list[subprocess.Popen[bytes]] = []

        def strike(request: str) -> None:
            if cut is not None and cut.how is How.ENGINE:
                holder[0].kill()
            if cut is not None and cut.how is How.PROVIDER:
                self._kill_provider(DYNAMIC if " /resources/" not in request else CLOUDFLARE)

        self.proxy.begin(cut, strike)
        attached = ",".join(f"{name}:{port}" for name, (_, port) in self._providers.items())
        with said.open("wb") as out:
            process = subprocess.Popen(
                ["pulumi", *arguments, f"--client=127.0.0.1:{self._port}", "--exec-kind=auto.inline"],
                cwd=self.folder,
                env={**self._environment, "PULUMI_DEBUG_PROVIDERS": attached},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        holder.append(process)
        writes = self._count_writes(process, killed_at_write)
        self._program.wait()
        steps = self.proxy.end()
        for name, (provider, _) in list(self._providers.items()):
            if provider.poll() is not None:
                self._start_provider(name)
        killed = killed_at_write is not None and process.returncode == -signal.SIGKILL
        return Run(
            code=process.returncode,
            said=said.read_text("utf-8", errors="replace"),
            steps=steps,
            writes=writes,
            cut=self.proxy.struck or killed,
        )

    def _count_writes(self, process: subprocess.Popen[bytes], kill_at: int | None) -> int:
        """Wait for the end of a run, watching the state file; kill the engine at the nth time it was written."""
        deadline = time.monotonic() + RUN_LIMIT_S
        last, writes = _stamp(self.state), 0
        while process.poll() is None:
            assert time.monotonic() < deadline, "the engine did not end"
            now = _stamp(self.state)
            if now != last:
                last, writes = now, writes + 1
                if writes == kill_at:
                    process.kill()
            time.sleep(0.002)
        return writes

    def _pulumi(self, *arguments: str) -> None:
        subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self.folder,
            env=self._environment,
            check=True,
            capture_output=True,
            timeout=RUN_LIMIT_S,
        )

    def _start_provider(self, name: str) -> None:
        command = {
            DYNAMIC: [sys.executable, "-u", str(Path(__file__).with_name("attached_provider.py"))],
            CLOUDFLARE: [sys.executable, "-u", "-m", "local_cloud.cloudflare.provider"],
        }[name]
        said = self.folder / f"{name}.txt"
        with said.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self._environment, "PULUMI_PROJECT": "photo-splat", "PYTHONPATH": str(ROOT)},
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + RUN_LIMIT_S
        while not said.read_bytes().endswith(b"\n"):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, f"{name} says no port"
            time.sleep(0.02)
        self._providers[name] = (process, said.read_text().splitlines()[0])

    def _kill_provider(self, name: str) -> None:
        self._providers[name][0].kill()
        self._providers[name][0].wait()

    def close(self) -> None:
        self._server.stop(0)
        self.proxy.close()
        for name in self._providers:
            self._kill_provider(name)

    def inventory(self) -> dict[str, int]:
        """How many of each thing the two stand-ins hold."""
        found = {"Endpoint": len(self.cloud.endpoints())}
        for kind, _ in self.cloud.resources():
            found[kind] = found.get(kind, 0) + 1
        return {kind: number for kind, number in sorted(found.items()) if number}

    def told(self) -> dict[str, Any]:
        """Texts of the deployed script's bindings, by name."""
        [script] = [props for (kind, _), props in self.cloud.resources().items() if kind == "WorkersScript"]
        return {one["name"]: one.get("text") for one in script["bindings"]}

    def check_whole(self) -> list[str]:
        """What is wrong with a deployed stack: anything missing, there twice, or not wired to what is there."""
        wrong = []
        if self.inventory() != WHOLE:
            wrong.append(f"there is {self.inventory()}, not {WHOLE}")
            return wrong
        told = self.told()
        [endpoint] = self.cloud.endpoints()
        [token] = [one for (kind, one) in self.cloud.resources() if kind == "AccountToken"]
        if told["RUNPOD_ENDPOINT_ID"] != endpoint["id"]:
            wrong.append("the script has another endpoint's id")
        if told["S3_ACCESS_KEY_ID"] != token:
            wrong.append("the script has another key's id")
        if json.loads(told["HOOK_KEYS"])[1:] or len(json.loads(told["API_TOKENS"])) != 1:
            wrong.append("a secret was made twice")
        return wrong

    def check_gone(self) -> list[str]:
        """What is left after a destroy."""
        return [f"left: {self.inventory()}"] if self.inventory() else []


# Everything that a local stack has on the two services.
WHOLE = {
    "AccountToken": 1,
    "Endpoint": 1,
    "R2Bucket": 1,
    "R2BucketCors": 1,
    "R2BucketLifecycle": 1,
    "WorkersCronTrigger": 1,
    "WorkersScript": 1,
    "WorkersScriptSubdomain": 1,
}


def _stamp(file: Path) -> tuple[int, int]:
    try:
        now = file.stat()
    except FileNotFoundError:
        return (0, 0)
    return (now.st_ino, now.st_mtime_ns)
