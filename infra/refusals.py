"""How the program ends when it refuses to deploy: one message, without a traceback.
pulumi.RunError would be followed by "an unhandled error occurred: program exited with non-zero exit code"."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pulumi

from infra.cloudflare.worker_bundle import BundleMissing
from infra.image.labels import IncompatibleImage
from infra.image.registry import RegistryError
from infra.settings.load import SettingsError

# What a user can act on. Anything else is a bug, and keeps its traceback.
REFUSALS = (SettingsError, BundleMissing, IncompatibleImage, RegistryError)
# The exit code by which Pulumi's Python host knows that the reason was shown (pulumi-language-python-exec).
ALREADY_SHOWN = 32


def stop(reason: str) -> NoReturn:
    """End the program with this error as its only one."""
    pulumi.log.error(reason)
    sys.exit(ALREADY_SHOWN)


@contextmanager
def shown_plainly() -> Iterator[None]:
    """Ends the program with the message of a refusal."""
    try:
        yield
    except REFUSALS as problem:
        stop(str(problem))
