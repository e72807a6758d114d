"""Where numba looks for our compiled kernels: by the folder of their sources within the package.
numba loads it through NUMBA_CACHE_LOCATOR_CLASSES, which runtime.py sets; nothing else imports it.

By default the path of the checkout is part of the key. The same sources in another folder (a copy that a release runs
from, another checkout, an image) would be compiled again, which takes over a minute. The content of the sources is
checked twice: by the cache folder's name (runtime.py) and by numba's own stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import UserProvidedCacheLocator

_PACKAGE = Path(__file__).resolve().parents[1]


class ByFolder(UserProvidedCacheLocator):  # type: ignore[misc]  # numba has no types
    """`<NUMBA_CACHE_DIR>/train-cpu-kernels` for `splat_worker/train/cpu/kernels`; nothing for other packages."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        folder = Path(py_file).resolve().parent.relative_to(_PACKAGE)
        self._cache_path = str(Path(config.CACHE_DIR) / "-".join(folder.parts))

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> ByFolder | None:
        if not Path(py_file).resolve().is_relative_to(_PACKAGE):
            return None
        found: ByFolder | None = super().from_function(py_func, py_file)
        return found
