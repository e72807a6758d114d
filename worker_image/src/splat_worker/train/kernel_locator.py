"""Where numba looks for a compiled kernel of ours: by the name of its room, not by where the checkout lies.
numba asks for it by NUMBA_CACHE_LOCATOR_CLASSES, which runtime.py sets; nothing else imports this.

By default the path of the sources is part of the key, so that the same sources in another folder (a copy that a
release runs from, another checkout, an image) would be compiled again, which takes over a minute. Whether sources
and kernels belong together is told by their content twice: by the folder's name (runtime.py) and by numba's stamp.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba.core import config
from numba.core.caching import UserProvidedCacheLocator

_PACKAGE = Path(__file__).resolve().parents[1]


class ByRoom(UserProvidedCacheLocator):  # type: ignore[misc]  # numba has no types
    """`<NUMBA_CACHE_DIR>/train-cpu` for kernels of `splat_worker/train/cpu`; other packages' files are not ours."""

    def __init__(self, py_func: Callable[..., Any], py_file: str) -> None:
        super().__init__(py_func, py_file)
        room = Path(py_file).resolve().parent.relative_to(_PACKAGE)
        self._cache_path = str(Path(config.CACHE_DIR) / "-".join(room.parts))

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> ByRoom | None:
        if not Path(py_file).resolve().is_relative_to(_PACKAGE):
            return None
        found: ByRoom | None = super().from_function(py_func, py_file)
        return found
