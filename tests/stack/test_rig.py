"""The rig holds a hundred engines in one process, one after the other: none may be taken for another."""

from __future__ import annotations

import socket
from concurrent import futures

import grpc
import pytest
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from tests.stack.rig import OWN_CONNECTIONS


def ask(engine: grpc.Channel) -> grpc.StatusCode:
    """How a call ended that no server here answers."""
    with pytest.raises(grpc.RpcError) as answer:
        engine_pb2_grpc.EngineStub(engine).GetRootResource(engine_pb2.GetRootResourceRequest())
    return answer.value.code()


def test_an_engine_with_the_port_of_a_killed_one_is_reached_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert OWN_CONNECTIONS in _GRPC_CHANNEL_OPTIONS
    with grpc.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS) as killed:
        assert ask(killed) is grpc.StatusCode.UNAVAILABLE
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
        engine_pb2_grpc.add_EngineServicer_to_server(engine_pb2_grpc.EngineServicer(), server)
        server.add_insecure_port(address)
        server.start()

        with grpc.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS) as engine:
            assert ask(engine) is grpc.StatusCode.UNIMPLEMENTED  # the server's own answer

        server.stop(0).wait()
