"""Pulumi's dynamic provider plugin as the engine meets it (gRPC), on the RunPod stand-in (HTTP).
No engine: each call is made by hand, so that the fault between two of them can be chosen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import struct_pb2
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).resolve().parents[3]
KEY = "rpa_KEY0OF0THE0PROVIDER0TESTS"
Props = dict[str, Any]


@pytest.fixture(autouse=True)
def tracebacks_as_before() -> Iterator[None]:
    """Providers called in this process switch tracebacks off (infra.dynamic.plain_errors), also for other suites."""
    yield
    if hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


class StandIn:
    """The RunPod stand-in over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30, trust_env=False)

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        answer = self._http.request(method, path, **given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer

    def endpoints(self) -> list[Props]:
        found: list[Props] = self.call("GET", "/v2/serverless").json()["endpoints"]
        return found

    def fault(self, **fault: Any) -> None:
        self.call("POST", "/_control/faults", json=fault)

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="session")
def standin_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runpod")
    images = folder / "images.json"
    idle = {"command": [sys.executable, "-c", "import time; time.sleep(3600)"]}
    images.write_text(json.dumps({"test.local/worker": idle}))
    log = (folder / "log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "local_cloud.runpod", "--port=0", f"--state={folder / 'state'}", f"--images={images}"],
        cwd=ROOT,
        env={**os.environ, "RUNPOD_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    log.close()
    assert process.stdout is not None
    standin = StandIn(process.stdout.readline().strip())
    try:
        yield standin
    finally:
        standin.close()
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


@pytest.fixture
def standin(standin_process: StandIn) -> Iterator[StandIn]:
    """An empty account without faults, and without the limit of 180 calls a minute, which a suite passes."""
    standin_process.call("PATCH", "/_control/settings", json={"rate_limit_minute": None})
    yield standin_process
    standin_process.call("POST", "/_control/reset")


class Refused(Exception):
    """The plugin answered a call with an error; `str()` is what the engine would show."""


class Plugin:
    """One provider object served by Pulumi's own plugin process."""

    def __init__(self, stub: provider_pb2_grpc.ResourceProviderStub, provider: Any) -> None:
        self._stub = stub
        self._serialized = serialize_provider(provider)

    def _struct(self, props: Props) -> struct_pb2.Struct:
        struct = struct_pb2.Struct()
        ParseDict({**props, "__provider": self._serialized}, struct)
        return struct

    def _plain(self, struct: struct_pb2.Struct) -> Props:
        return {key: value for key, value in MessageToDict(struct).items() if key != "__provider"}

    def _call(self, name: str, request: Any) -> Any:
        try:
            return getattr(self._stub, name)(request)
        except grpc.RpcError as problem:
            raise Refused(problem.details()) from None

    def check(self, news: Props, olds: Props | None = None) -> tuple[Props, dict[str, str]]:
        answer = self._call(
            "Check", provider_pb2.CheckRequest(urn="urn", olds=self._struct(olds or {}), news=self._struct(news))
        )
        return self._plain(answer.inputs), {failure.property: failure.reason for failure in answer.failures}

    def diff(self, id_: str, olds: Props, news: Props) -> tuple[bool, list[str]]:
        answer = self._call(
            "Diff", provider_pb2.DiffRequest(id=id_, urn="urn", olds=self._struct(olds), news=self._struct(news))
        )
        return answer.changes == provider_pb2.DiffResponse.DIFF_SOME, list(answer.replaces)

    def create(self, props: Props) -> tuple[str, Props]:
        answer = self._call("Create", provider_pb2.CreateRequest(urn="urn", properties=self._struct(props)))
        return answer.id, self._plain(answer.properties)

    def read(self, id_: str, props: Props) -> tuple[str, Props, Props]:
        answer = self._call("Read", provider_pb2.ReadRequest(id=id_, urn="urn", properties=self._struct(props)))
        return answer.id, self._plain(answer.properties), self._plain(answer.inputs)

    def update(self, id_: str, olds: Props, news: Props) -> Props:
        answer = self._call(
            "Update", provider_pb2.UpdateRequest(id=id_, urn="urn", olds=self._struct(olds), news=self._struct(news))
        )
        return self._plain(answer.properties)

    def delete(self, id_: str, props: Props) -> None:
        self._call("Delete", provider_pb2.DeleteRequest(id=id_, urn="urn", properties=self._struct(props)))

    @property
    def serialized(self) -> str:
        return self._serialized


@pytest.fixture(scope="session")
def stub(standin_process: StandIn) -> Iterator[provider_pb2_grpc.ResourceProviderStub]:
    """Pulumi's plugin, configured for the stand-in. It holds no resource state, so one serves all tests."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"],
        cwd=ROOT,
        env={**os.environ, "PULUMI_PROJECT": "photo-splat", "RUNPOD_API_KEY": KEY},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with grpc.insecure_channel(f"127.0.0.1:{process.stdout.readline().strip()}") as channel:
        made = provider_pb2_grpc.ResourceProviderStub(channel)
        args = struct_pb2.Struct()
        ParseDict({"runpod:apiUrl": f"{standin_process.url}/v2"}, args)
        made.Configure(provider_pb2.ConfigureRequest(args=args))
        yield made
    process.terminate()
    process.wait(timeout=30)
    process.stdout.close()
