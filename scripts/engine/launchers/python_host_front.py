"""Stands in front of the built engine's Python host, and answers the two calls in which that host is too old.

The host of sdk 3.68 gets the folder of a policy pack or component provider in a field that it does not read
(`RunPluginRequest.info`), and would run the program of the working folder instead. Every other call is passed on as it
is. docs/decisions/0002 explains why the host is that old.

Started by the launcher beside it: <this> <host> <arguments of the host>. Needs grpcio and pulumi, as every Python
program of Pulumi does."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent import futures
from pathlib import Path
from queue import Queue
from typing import Any

SERVICE = "/pulumirpc.LanguageRuntime/"
RUN_PLUGIN, INSTALL = SERVICE + "RunPlugin", SERVICE + "InstallDependencies"
# Options that newer callers give to every host.
UNKNOWN_TO_THE_HOST = ("-toolchain", "-typechecker")
NO_LIMIT = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# .tools/engine is a folder of the checkout, whose environment has what this needs.
CHECKOUT_PYTHON = Path(__file__).resolve().parents[2] / ".venv/bin/python3"


def python_of(info: Any) -> str | None:
    """The interpreter of a plugin's `options.virtualenv`; None without one."""
    name = dict(info.options).get("virtualenv") or ""
    found = os.path.join(info.root_directory, name, "bin", "python")
    return found if name and os.access(found, os.X_OK) else None


def install(request: bytes, _context: Any) -> Iterable[bytes] | None:
    """Nothing, where the environment exists already; None passes the call on. The host would make another environment
    in the plugin's own folder, since it does not read `options.virtualenv`."""
    from pulumi.runtime.proto.language_pb2 import InstallDependenciesRequest

    return () if python_of(InstallDependenciesRequest.FromString(request).info) else None


def run_plugin(request: bytes, context: Any) -> Iterable[bytes] | None:
    """Starts the plugin; gives what it prints until it ends or the engine cancels the call. None passes the call on:
    it has the older form, which the host knows."""
    from pulumi.runtime.proto.language_pb2 import RunPluginRequest

    asked = RunPluginRequest.FromString(request)
    if not asked.info.program_directory:
        return None
    program = os.path.normpath(os.path.join(asked.info.program_directory, asked.info.entry_point or "."))
    process = subprocess.Popen(
        [python_of(asked.info) or sys.executable, "-u", program, *asked.args],
        cwd=asked.pwd or None,
        env={**os.environ, **dict(pair.split("=", 1) for pair in asked.env if "=" in pair)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    context.add_callback(process.terminate)
    return printed(process)


def printed(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Messages of a process: its lines as they come, then its exit code."""
    from pulumi.runtime.proto.language_pb2 import RunPluginResponse

    lines: Queue[Any] = Queue()

    def read(name: str) -> None:
        for line in getattr(process, name):
            lines.put(RunPluginResponse(**{name: line}))
        lines.put(None)

    for name in ("stdout", "stderr"):
        threading.Thread(target=read, args=(name,), daemon=True).start()
    for _ in range(2):
        while (message := lines.get()) is not None:
            yield message.SerializeToString()
    yield RunPluginResponse(exitcode=process.wait()).SerializeToString()


class Front:
    """Handlers by the name of a call: bytes in, bytes out."""

    def __init__(self, grpc: Any, channel: Any) -> None:
        self._grpc, self._channel = grpc, channel

    def service(self, details: Any) -> Any:
        if details.method in (RUN_PLUGIN, INSTALL):
            return self._grpc.unary_stream_rpc_method_handler(self._streamed(details.method))
        return self._grpc.unary_unary_rpc_method_handler(self._single(details.method))

    def _streamed(self, method: str) -> Any:
        call = self._channel.unary_stream(method)
        own = run_plugin if method == RUN_PLUGIN else install

        def handle(request: bytes, context: Any) -> Iterator[bytes]:
            answers = own(request, context)
            if answers is None:
                answers = call(request)
                context.add_callback(answers.cancel)
            try:
                yield from answers
            except self._grpc.RpcError as problem:
                context.abort(problem.code(), problem.details())

        return handle

    def _single(self, method: str) -> Any:
        call = self._channel.unary_unary(method)

        def handle(request: bytes, context: Any) -> bytes:
            answer = call.future(request)
            context.add_callback(answer.cancel)
            try:
                return bytes(answer.result())
            except self._grpc.RpcError as problem:
                context.abort(problem.code(), problem.details())
                raise  # abort raised already

        return handle


def main(host: list[str]) -> None:
    try:
        import grpc

        importlib.metadata.version("pulumi")
    except ImportError:  # PackageNotFoundError is one, too
        if CHECKOUT_PYTHON.exists() and Path(sys.executable) != CHECKOUT_PYTHON:
            os.execv(CHECKOUT_PYTHON, [str(CHECKOUT_PYTHON), "-I", __file__, *host])  # noqa: S606 (no shell)
        os.execv(host[0], host)  # noqa: S606 (no shell)
    behind = subprocess.Popen([one for one in host if not one.startswith(UNKNOWN_TO_THE_HOST)], stdout=subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: behind.send_signal(number))
    port = behind.stdout.readline().strip() if behind.stdout else b""
    if not port.isdigit():
        sys.exit(behind.wait() or 1)
    server = grpc.server(futures.ThreadPoolExecutor(16), options=NO_LIMIT)
    channel = grpc.insecure_channel(f"127.0.0.1:{int(port)}", options=NO_LIMIT)
    server.add_generic_rpc_handlers([Front(grpc, channel)])
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    sys.exit(behind.wait())


if __name__ == "__main__":
    main(sys.argv[1:])
