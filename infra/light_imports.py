"""Makes the program's imports cheap: of Cloudflare's SDK only the resources that it uses, of httpx no command line.
Changes when a module is loaded, never which one: everything that the SDK offers can still be had.

`import pulumi_cloudflare` makes the classes of 250 resource types, of which the program uses eight; that was most
of the processor time of a `pulumi up` (bench/stack.json)."""

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
# httpx takes it to be absent and goes on; with it come rich and click, half of what `import httpx` costs.
NOT_NEEDED = ("httpx._main",)


@contextmanager
def light_imports() -> Iterator[None]:
    """What is imported inside is imported lightly. Has no effect on a package that is there already."""
    if SDK not in sys.modules:
        _by_parts()
    for name in NOT_NEEDED:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # the documented way to block an import
    # A hundred thousand new objects and hardly a piece of garbage: looking for some takes a fifth of the time.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _by_parts() -> None:
    """The SDK as a package that imports the module of a class when that class is first named."""
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
        # Not laid out as we know it: the SDK's own __init__ decides, as without us.
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
