"""Identifiers in the forms the platform uses, from one seedable source.
Knows no state; callers ask again when an id is taken."""

from __future__ import annotations

import random
import uuid

_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
OBJECT_ID_LENGTH = 14  # as `jpnw0v75y3qoql` in the published examples
REGION_SUFFIX = "u1"


class Ids:
    def __init__(self, source: random.Random) -> None:
        self._source = source

    def object_id(self) -> str:
        """Endpoint, worker, registry, release: 14 lower-case letters and digits."""
        first = self._source.choice(_ALPHABET[:26])
        return first + "".join(self._source.choices(_ALPHABET, k=OBJECT_ID_LENGTH - 1))

    def job_id(self, *, sync: bool) -> str:
        """`<uuid>-u1`, or `sync-<uuid>-u1` for /runsync."""
        body = uuid.UUID(int=self._source.getrandbits(128), version=4)
        return f"{'sync-' if sync else ''}{body}-{REGION_SUFFIX}"

    def key(self) -> str:
        """A worker's own credential, as injected in RUNPOD_AI_API_KEY."""
        return "rpw_" + "".join(self._source.choices(_ALPHABET, k=40))

    def trace_parent(self) -> str:
        """W3C trace context header of webhook calls (captured 2026-07-13)."""
        return f"00-{self._source.getrandbits(128):032x}-{self._source.getrandbits(64):016x}-01"
