"""How many threads compute and how they wait: the one place that sets it, before numba or torch load.
Never imports either of them at the top.

Two thread pools that both spin while they wait cost 3.5-4x on two cores (measured with libgomp; any neighbour
process has the same effect). The choice: numba's own `workqueue` pool, which sleeps on a condition; one torch thread
on the CPU; passive waiting for any OpenMP runtime that a library brings along.

Compiled kernels are cached in a folder named after a hash of all kernel sources. numba's own cache checks only the
file of the outermost function and would run stale code after a change in a function that it calls.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

_ENVIRONMENT = {
    "NUMBA_THREADING_LAYER": "workqueue",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    # The same sources find their kernels in any checkout; other packages use numba's own locator.
    "NUMBA_CACHE_LOCATOR_CLASSES": "splat_worker.train.kernel_locator.ByFolder,UserProvidedCacheLocator",
}

for _name, _value in _ENVIRONMENT.items():
    os.environ.setdefault(_name, _value)


def kernel_cache() -> Path:
    """Folder of the compiled kernels: under NUMBA_CACHE_DIR if set, else beside the sources if that is writable, else
    in the user's cache.
    """
    sources = Path(__file__).parent / "cpu" / "kernels"
    digest = hashlib.sha256()
    for source in sorted(sources.glob("*.py")):
        digest.update(source.read_bytes())
    name = f"kernels-{digest.hexdigest()[:16]}"
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:  # a child process inherits its parent's folder
        return Path(given) if Path(given).name.startswith("kernels-") else Path(given) / name
    beside = sources / "__pycache__"
    if (beside / name).is_dir() or os.access(beside if beside.is_dir() else sources, os.W_OK):
        return beside / name
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "splat_worker" / name


os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache())
if "numba" in sys.modules:  # it read the environment when it was imported
    sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
    sys.modules["numba"].config.CACHE_LOCATOR_CLASSES = os.environ["NUMBA_CACHE_LOCATOR_CLASSES"]


def settle_threads() -> int:
    """Gives the cores to the kernels: one torch thread, all usable cores for numba. Returns their number."""
    import numba
    import torch

    from splat_worker.limits import cpu_count  # not at the top: where the image compiles its kernels there is no limits

    torch.set_num_threads(1)
    threads = min(cpu_count(), numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(threads)
    return threads
