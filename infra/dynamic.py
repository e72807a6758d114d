"""What all dynamic providers share: unknown values, resources that only store inputs, errors without tracebacks.
Imports nothing else of infra, so every room may use it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult
from pulumi.output import Unknown
from pulumi.runtime import rpc

Props = dict[str, Any]
UNKNOWN = rpc.UNKNOWN  # what stands on the wire for a value that is not known yet
Provider = TypeVar("Provider", bound=type[ResourceProvider])
_METHODS = ("configure", "check", "diff", "create", "read", "update", "delete")


def unknown_as_text(value: Any) -> Any:
    """`value` with every unknown in it, at any depth, as UNKNOWN. The plugin gives `check` an object of a class of its
    own instead, and reads this text as unknown again."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if isinstance(value, Mapping):
        return {key: unknown_as_text(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [unknown_as_text(inner) for inner in value]
    return value


def has_unknown(value: Any) -> bool:
    """Whether a value holds an unknown at any depth: the plugin's object, or the text in its place."""
    if isinstance(value, Mapping):
        return any(has_unknown(inner) for inner in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(inner) for inner in value)
    return isinstance(value, Unknown) or bool(value == UNKNOWN)


def differ(olds: Mapping[str, Any], news: Mapping[str, Any], keys: Collection[str]) -> bool:
    """Whether any of `keys` has another value."""
    return any(olds.get(key) != news.get(key) for key in keys)


class StoredInputs(ResourceProvider):
    """A resource that has nothing of its own in a cloud: it stores `inputs` in the state, and acts when it is deleted
    (or checked). The input `id_input` is its id."""

    inputs: tuple[str, ...]
    id_input: str

    def diff(self, _id: str, olds: Props, news: Props) -> DiffResult:
        return DiffResult(changes=differ(olds, news, self.inputs))

    def create(self, props: Props) -> CreateResult:
        return CreateResult(str(props[self.id_input]), self.stored(props))

    def update(self, _id: str, _olds: Props, news: Props) -> UpdateResult:
        return UpdateResult(self.stored(news))

    def stored(self, props: Props) -> Props:
        return {key: props.get(key) for key in self.inputs}


def plain_errors(*expected: type[Exception]) -> Callable[[Provider], Provider]:
    """Class decorator that names the exceptions a user can act on: they are shown without a traceback. An unexpected
    error keeps its traceback, since it is a bug.

    Pulumi's plugin formats every exception with `traceback.format_exc()`, and only `sys.tracebacklimit` reaches that.
    The plugin process runs nothing but these calls, and the next unexpected error lifts the limit."""

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
