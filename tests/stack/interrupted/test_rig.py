"""The rig holds a hundred engines in one process, one after the other: none may be taken for another."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent import futures

import grpc
import pytest
from pulumi.automation import _server
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, language_pb2

from tests.stack.support.rig import OWN_CONNECTIONS, OneProgram


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


def test_the_loop_of_a_program_is_closed_even_where_a_task_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when its engine is killed: the SDK waits for what it cancels, and an error there skips its own closing."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ConnectionError("the engine is gone") from None

    async def run_in_stack(program: Callable[[], None]) -> None:
        program()
        loops.append(asyncio.get_running_loop())
        task = asyncio.ensure_future(stubborn())
        await asyncio.sleep(0)
        assert not task.done()

    monkeypatch.setattr(_server, "run_in_stack", run_in_stack)
    program = OneProgram(lambda: None)
    with pytest.raises(ConnectionError):
        program.Run(language_pb2.RunRequest(project="photo-splat", stack="local", parallel=1), None)
    assert [loop.is_closed() for loop in loops] == [True]
