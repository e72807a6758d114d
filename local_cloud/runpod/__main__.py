"""`python -m local_cloud.runpod --port P [--state DIR] [--images FILE]`: the stand-in as one process.
Reads the key from RUNPOD_API_KEY, not from an argument, which other users of the machine could see."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path

from local_cloud.runpod.account.state import StateUnreadable
from local_cloud.runpod.images.registry import Images, ImagesFileInvalid
from local_cloud.runpod.server import bind, serve


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local_cloud.runpod", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="loopback port; 0 takes a free one")
    parser.add_argument(
        "--state", type=Path, help="folder for the account and worker logs; default: a temporary folder"
    )
    parser.add_argument(
        "--images",
        type=Path,
        help="JSON: image repository -> how its workers start; default: every image returns its input",
    )
    parser.add_argument("--seed", type=int, help="make ids repeatable, for tests")
    options = parser.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # its lines contain webhook URLs, which are capabilities
    key = os.environ.get("RUNPOD_API_KEY", "")
    if not key:
        return _refuse("RUNPOD_API_KEY is not set", "set it to the key that clients send")
    try:
        Images(options.images).load()
        sock = bind(options.port)
    except ImagesFileInvalid as error:
        return _refuse(str(error), "fix the file, or start without --images")
    except OSError as error:
        return _refuse(f"port {options.port} cannot be used: {error}", "choose another --port, or 0 for a free port")
    # uvicorn raises the signal again after its shutdown; a requested end is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # One line of data for the caller: the address, also with --port 0.
    print(f"http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = options.state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="runpod-standin-")))
        try:
            serve(sock, api_key=key, folder=folder, images_file=options.images, seed=options.seed)
        except StateUnreadable as error:
            return _refuse(str(error), "remove or repair the file")
        except KeyboardInterrupt:
            return 0
    return 0


def _refuse(what: str, hint: str) -> int:
    print(f"error: {what}\nhint: {hint}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
