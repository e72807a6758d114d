"""Finished projects in any number: copies of one, written by the restore of backups, spread over the last year."""

from __future__ import annotations

import json
import random
import secrets
import string
from typing import Any

from bench.load.client import Client, in_threads

DAY_MS = 86_400_000
DAYS = 365
# A call takes 20 entries; one of them is the account's.
PER_CALL = 19
AT_ONCE = 4

Entry = dict[str, Any]


def add_finished(client: Client, count: int) -> list[str]:
    """Stores so many more finished projects, each with its attempt in the books; returns their ids."""
    project, attempt = _patterns(client)
    backup = f"b_{secrets.token_hex(8)}"
    draw = random.Random(1)
    days = [draw.randrange(DAYS) for _ in range(count)]
    ids: list[str] = []

    def restore(call: int) -> None:
        copies = [_copy(project, attempt, days_ago) for days_ago in days[call * PER_CALL : (call + 1) * PER_CALL]]
        books = {"of": "account", "tables": {"job": [row for _, row in copies]}}
        entries = [*(entry for entry, _ in copies), books]
        body = {"backup": backup, "overwrite": True, "last": False, "entries": entries}
        answer = client.call("restore", "POST", "/api/restore", json=body)
        stored = [one["result"] for one in answer.json().get("projects", [])]
        if stored != ["restored"] * len(copies):
            client.errors.append(f"restore: {stored}")
        ids.extend(entry["of"] for entry, _ in copies)

    in_threads(restore, range(-(-count // PER_CALL)), AT_ONCE)
    return ids


def _patterns(client: Client) -> tuple[Entry, dict[str, Any]]:
    """A finished project of the service as a backup has it, and the row of its attempt."""
    page = client.call("backup", "GET", "/api/backup").json()
    project = next(one for one in page["entries"] if json.loads(one["tables"]["project"][0]["job"])["state"] == "done")
    cursor = "job~0"
    while cursor.startswith("job~"):
        page = client.call("backup", "GET", f"/api/backup?cursor={cursor}").json()
        for row in (row for entry in page["entries"] for row in entry["tables"]["job"]):
            if row["project"] == project["of"]:
                return project, row
        cursor = page["cursor"]
    raise AssertionError(f"{project['of']} has no attempt in the books")


def _copy(project: Entry, attempt: dict[str, Any], days_ago: int) -> tuple[Entry, dict[str, Any]]:
    fresh = "p_" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))
    earlier = days_ago * DAY_MS
    entry: Entry = json.loads(json.dumps(project).replace(project["of"], fresh))
    entry["tables"]["project"][0]["created_at"] -= earlier
    entry["tables"]["project"][0]["updated_at"] -= earlier
    times = {name: attempt[name] - earlier for name in ("started_at", "expires_at", "settled_at")}
    return entry, {**attempt, "project": fresh, **times}
