"""A worker's container disk with a real limit: a tmpfs of that size over its scratch folder, seen by the worker alone.
Linux only: a mount namespace, and a user namespace with it where this process is not root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_MOUNT = 'mount -t tmpfs -o size="$1m",mode=700 worker-disk "$2" && shift 2 && exec "$@"'


def limited(command: Sequence[str], folder: Path, size_mb: int) -> list[str]:
    """The command that runs `command` in the same process, with a disk of `size_mb` MiB at `folder`.

    The disk is gone with the last process that sees it. Raises OSError where this machine allows no such mount.
    """
    if not is_possible():
        raise OSError("this machine allows no mount namespace, which a worker's disk limit needs")
    return [*_unshare(), "sh", "-c", _MOUNT, "worker-disk", str(size_mb), str(folder), *command]


@cache
def is_possible() -> bool:
    """Whether this process may mount a tmpfs in a namespace of its own. Ubuntu's AppArmor forbids it by default."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run([*_unshare(), "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return tried.returncode == 0


def _unshare() -> list[str]:
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"])]
