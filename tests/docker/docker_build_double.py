"""A double of Pulumi's docker-build provider, with Debian's BuildKit behind it. The engine starts it through `bin/`.
Its resource Image has the inputs and outputs of pulumi_docker_build 0.0.22.

Like the real provider it builds nothing in a preview with `buildOnPreview: false`, else builds and pushes, returns the
pushed digest, and diffs by inputs and by the content of the context. It lacks the registry cache, because Debian's
Docker lacks BuildKit's own client, and only checks that `cacheFrom` and `cacheTo` are set.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

VERSION = "0.0.22"
TYPE = "docker-build:index:Image"
OUTPUTS = ("digest", "contextHash", "ref")
Props = dict[str, Any]


def message(props: Props) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    ParseDict(props, struct)
    return struct


class Refused(Exception):
    """The build failed or its inputs are invalid. The engine shows the text."""


class DockerBuildDouble(provider_pb2_grpc.ResourceProviderServicer):
    """Paths are relative to `base`, the folder of the program. `calls` gets one line per build."""

    def __init__(self, base: Path, calls: Path) -> None:
        self._base, self._calls = base, calls

    def Handshake(self, *_: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=False, accept_resources=True, accept_outputs=False)

    def Attach(self, *_: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, *_: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def CheckConfig(self, request: Any, _: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, *_: Any) -> Any:
        return provider_pb2.DiffResponse()

    def Configure(self, *_: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True, acceptResources=True)

    def Cancel(self, *_: Any) -> Any:
        return empty_pb2.Empty()

    def Check(self, request: Any, _: Any) -> Any:
        inputs = MessageToDict(request.news)
        failures = []
        for side in ("cacheFrom", "cacheTo"):
            if not inputs.get(side):
                failures.append(provider_pb2.CheckFailure(property=side, reason="no registry cache is named"))
        return provider_pb2.CheckResponse(inputs=request.news, failures=failures)

    def Diff(self, request: Any, _: Any) -> Any:
        olds, news = MessageToDict(request.olds), MessageToDict(request.news)
        changed = sorted(key for key in news if olds.get(key) != news[key])
        if not changed and olds.get("contextHash") != self._context_hash(news):
            changed = ["contextHash"]
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind, diffs=changed)

    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        properties = self._made(MessageToDict(request.properties), request.preview, context)
        return provider_pb2.CreateResponse(id="" if request.preview else "image", properties=properties)

    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        return provider_pb2.UpdateResponse(properties=self._made(MessageToDict(request.news), request.preview, context))

    def Read(self, request: Any, _: Any) -> Any:
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties, inputs=request.inputs)

    def Delete(self, *_: Any) -> Any:
        return empty_pb2.Empty()

    def _made(self, inputs: Props, preview: bool, context: grpc.ServicerContext) -> struct_pb2.Struct:
        if preview and not inputs.get("buildOnPreview"):
            return message(inputs)
        try:
            digest = self._build(inputs)
        except Refused as problem:
            context.abort(grpc.StatusCode.UNKNOWN, str(problem))
        return message(
            {**inputs, "digest": digest, "contextHash": self._context_hash(inputs), "ref": inputs["tags"][0]}
        )

    def _build(self, inputs: Props) -> str:
        """Build for linux/amd64 and push. Returns the digest from the registry."""
        if inputs.get("platforms") != ["linux/amd64"] or not inputs.get("push"):
            raise Refused(f"the double only pushes images for linux/amd64, not {json.dumps(inputs)[:300]}")
        (tag,) = inputs["tags"]
        dockerfile, folder = inputs["dockerfile"]["location"], inputs["context"]["location"]
        with self._calls.open("a") as calls:
            calls.write(f"build {tag}\n")
        self._docker("build", "--file", dockerfile, "--tag", tag, "--progress", "plain", folder)
        for login in inputs.get("registries") or ():
            self._docker("login", login["address"], "-u", login["username"], "--password-stdin", text=login["password"])
        self._docker("push", "--quiet", tag)
        found = self._docker("inspect", "--format", "{{index .RepoDigests 0}}", tag)
        return found.strip().partition("@")[2]

    def _docker(self, *arguments: str, text: str = "") -> str:
        done = subprocess.run(
            [os.environ["SPLAT_TEST_DOCKER"], *arguments],
            cwd=self._base,
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )
        if done.returncode != 0:
            raise Refused(f"docker {arguments[0]} failed:\n{(done.stdout + done.stderr)[-2000:]}")
        return done.stdout

    def _context_hash(self, inputs: Props) -> str:
        """Hash of names and contents, without times and modes."""
        folder = self._base / inputs["context"]["location"]
        digest = hashlib.sha256()
        for path in sorted(file for file in folder.rglob("*") if file.is_file()):
            digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
        return digest.hexdigest()


def main() -> int:
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    double = DockerBuildDouble(Path.cwd(), Path(os.environ["SPLAT_TEST_BUILD_CALLS"]))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(double, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
    return 0


if __name__ == "__main__":
    sys.exit(main())
