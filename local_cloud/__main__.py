"""Entry of the supervisor process: `python -m local_cloud --state DIR --root CHECKOUT`.
Started by `local_cloud.supervisor.start`; people use `make up` and `make down`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local_cloud.addresses import PortInUse, StateFolder
from local_cloud.supervisor import StartFailed, run


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m local_cloud", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder for addresses, logs and data")
    parser.add_argument("--root", type=Path, required=True, help="the checkout")
    parser.add_argument("--port", type=int, default=None, help="port of the app; default 8787 or the next free")
    arguments = parser.parse_args()
    try:
        run(
            StateFolder(root=arguments.state.resolve()),
            root=arguments.root.resolve(),
            app_port=arguments.port,
        )
    except (PortInUse, StartFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
