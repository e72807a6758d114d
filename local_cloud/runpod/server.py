"""Serves the stand-in on a loopback socket and ends it without leaving a process behind.
Decides nothing about requests."""

from __future__ import annotations

import asyncio
import logging
import socket
from pathlib import Path

import uvicorn

from local_cloud.runpod.api.app import make_app
from local_cloud.runpod.faults.transport import RecordingProtocol
from local_cloud.runpod.platform import Options, Platform
from local_cloud.runpod.workers.process import adopt_orphans

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
# Clients are local: once the workers are gone, no important request is under way.
SHUTDOWN_S = 2
# Longer than the 15 s for which aiohttp, under the SDK, reuses an idle connection. Otherwise a blocking handler
# would post its result into a connection that was closed meanwhile, and the SDK tries only once.
KEEP_ALIVE_S = 75


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, platform: Platform) -> None:
        super().__init__(config)
        self._platform = platform

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._platform.start()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the workers first, while their calls are still answered; then the sockets."""
        await self._platform.stop()
        await super().shutdown(sockets)


def bind(port: int) -> socket.socket:
    """A listening loopback socket; port 0 takes a free one. Raises OSError when the port is in use."""
    # asyncio turns Nagle's algorithm off only for sockets with an explicit protocol. With it each answer, sent as
    # head and body, would wait 40 ms for the client's delayed acknowledgement.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
        sock.listen()  # from here on a client waits in the backlog instead of being refused
    except OSError:
        sock.close()
        raise
    return sock


def serve(sock: socket.socket, *, api_key: str, folder: Path, images_file: Path | None, seed: int | None) -> None:
    """Runs until SIGTERM or SIGINT."""
    asyncio.run(_serve(sock, api_key, folder, images_file, seed))


async def _serve(sock: socket.socket, api_key: str, folder: Path, images_file: Path | None, seed: int | None) -> None:
    adopt_orphans()
    options = Options(
        api_key=api_key,
        base_url=f"http://{HOST}:{sock.getsockname()[1]}",
        folder=folder,
        images_file=images_file,
        seed=seed,
    )
    platform = Platform(options)
    config = uvicorn.Config(
        make_app(platform),
        http=RecordingProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )
    log.info("serving on %s", options.base_url)
    await _Server(config, platform).serve(sockets=[sock])
