"""Makes `import pulumi_cloudflare` cheap: a class is loaded when it is first named, not with 250 resource types.
Changes when a module is loaded, never which one: everything that the SDK offers is still available.

The SDK's import was most of the processor time of a `pulumi up` (bench/stack.json)."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

SDK = "pulumi_cloudflare"
# Where the SDK keeps the argument types of all resources; each resource has a module of its own name.
SDK_ARGUMENTS = f"{SDK}._inputs"
SDK_SHARED = frozenset({"_inputs", "_utilities", "config", "outputs"})


@contextmanager
def lazy_sdk() -> Iterator[None]:
    """Imports inside load the SDK lazily. Has no effect when the SDK is loaded already."""
    if SDK not in sys.modules:
        _load_lazily()
    # Imports make a hundred thousand objects and hardly any garbage. Collecting takes 0.3 to 0.5 s of 3.4 s.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _load_lazily() -> None:
    """Put a package in place of the SDK that imports the module of a class when the class is first named."""
    spec = importlib.util.find_spec(SDK)
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    whole = spec.loader

    def part(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in SDK_SHARED:  # `from . import outputs` in a module of the SDK
            return importlib.import_module(f"{SDK}.{name}")
        for place in (f"{SDK}.{module_of(name)}", SDK_ARGUMENTS):
            found = getattr(_imported(place), name, None)
            if found is not None:
                package.__dict__[name] = found  # over a module of that name, which its import has put there
                return found
        # The SDK has another layout than expected: load all of it, as without this module.
        whole.exec_module(package)
        package.__dict__.pop("__getattr__", None)
        return getattr(package, name)

    package.__dict__["__getattr__"] = part
    sys.modules[SDK] = package


def module_of(class_name: str) -> str:
    """Name of the SDK's module of a resource class: R2BucketCors, r2_bucket_cors."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()


def _imported(module: str) -> ModuleType | None:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as problem:
        if problem.name != module:
            raise
        return None
