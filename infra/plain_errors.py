"""Dynamic providers' errors as sentences: Pulumi's plugin shows a whole traceback for any exception.
An expected error is shown without one; an unexpected error keeps it, since it is a bug of ours."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pulumi.dynamic import ResourceProvider

Provider = TypeVar("Provider", bound=type[ResourceProvider])
_METHODS = ("configure", "check", "diff", "create", "read", "update", "delete")


def speaks_plainly(*expected: type[Exception]) -> Callable[[Provider], Provider]:
    """Class decorator naming the exceptions that are written for people.

    The plugin formats with `traceback.format_exc()`, which heeds `sys.tracebacklimit`; nothing else reaches
    it. The plugin process does nothing but these calls, so the limit harms no one, and the next unexpected
    error lifts it."""

    def decorate(provider: Provider) -> Provider:
        for name in _METHODS:
            if getattr(provider, name) is not getattr(ResourceProvider, name):
                setattr(provider, name, _wrapped(getattr(provider, name), expected))
        return provider

    return decorate


def _wrapped(method: Callable[..., Any], expected: tuple[type[Exception], ...]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return method(*args, **kwargs)
        except expected:
            sys.tracebacklimit = 0
            raise
        except Exception:
            if hasattr(sys, "tracebacklimit"):
                del sys.tracebacklimit
            raise

    return call
