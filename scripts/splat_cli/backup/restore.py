"""Sends the entries of a backup to a deployment in batches. Continues where an earlier run stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from scripts.splat_cli.backup.file import ACCOUNT, Backup
from scripts.splat_cli.edge_client import EdgeClient

BATCH_ENTRIES = 20  # of docs/contracts.md
BATCH_BYTES = 1_000_000  # the edge takes 4 MiB in a call


@dataclass(frozen=True, kw_only=True)
class Restored:
    """IDs of scenes. missing: files that the bucket lacks, by scene."""

    restored: tuple[str, ...]
    kept: tuple[str, ...]
    missing: dict[str, int]


def restore(client: EdgeClient, backup: Backup, *, overwrite: bool) -> Restored:
    """Raises ServiceError where the deployment has data and `overwrite` is not set, or rows do not fit."""
    restored: list[str] = []
    kept: list[str] = []
    missing: dict[str, int] = {}
    # The books first: a scene whose job ended since then settles it in them.
    ordered = sorted(backup.entries, key=lambda one: one["of"] != ACCOUNT)
    batches = list(batched(ordered)) or [[]]
    for number, batch in enumerate(batches, 1):
        done = client.restore(backup.id, batch, overwrite=overwrite, last=number == len(batches))
        for one in done:
            (restored if one["result"] == "restored" else kept).append(one["id"])
            if one["missing"]:
                missing[one["id"]] = int(one["missing"])
    return Restored(restored=tuple(restored), kept=tuple(kept), missing=missing)


def batched(entries: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Batches within both limits; one entry that is larger has a batch of its own."""
    batch: list[dict[str, Any]] = []
    size = 0
    for entry in entries:
        more = len(json.dumps(entry))
        if batch and (len(batch) == BATCH_ENTRIES or size + more > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += more
    if batch:
        yield batch
