"""Which Durable Object migration an upload carries."""

from __future__ import annotations

from typing import Any

import pytest

from infra.cloudflare.durable_objects import UnknownTag, decide, in_words, migration_for

HISTORY: list[dict[str, Any]] = [
    {"tag": "v1", "new_sqlite_classes": ["Project", "Index"]},
    {"tag": "v2", "new_sqlite_classes": ["Quota"]},
]
ALL = {"newTag": "v2", "steps": [{"newSqliteClasses": ["Index", "Project"]}, {"newSqliteClasses": ["Quota"]}]}


@pytest.mark.parametrize(
    ("deployed", "carried"),
    [
        (None, ALL),
        ("v1", {"newTag": "v2", "oldTag": "v1", "steps": [{"newSqliteClasses": ["Quota"]}]}),
        ("v2", {}),
    ],
)
def test_an_upload_carries_what_is_not_deployed_yet(deployed: str | None, carried: dict[str, Any]) -> None:
    assert migration_for(HISTORY, deployed) == carried


def test_what_an_upload_carries_has_words_for_a_plan() -> None:
    assert in_words(ALL) == "tag v2, new: Index, Project, Quota"
    assert in_words({}) == "no new class"


def test_a_tag_that_is_not_in_the_history_is_rejected() -> None:
    with pytest.raises(UnknownTag, match="newer checkout"):
        migration_for(HISTORY, "v9")


NEWS = {"accountId": "a", "scriptName": "s", "history": HISTORY, "fingerprint": "f1"}


@pytest.mark.parametrize(
    ("olds", "news", "deployed", "recorded", "decided"),
    [
        ({}, NEWS, None, "", ALL),
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "v2", ALL),  # nothing will be uploaded: no diff
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "", {}),  # killed between the upload and its record
        ({**NEWS, "migrations": ALL}, NEWS, "v2", "v1", {}),
        ({**NEWS, "migrations": ALL}, {**NEWS, "fingerprint": "f2"}, "v2", "v2", {}),
        ({**NEWS, "migrations": {}}, NEWS, "v2", "", {}),
        ({**NEWS, "migrations": {}}, NEWS, None, "", ALL),  # the script was deleted: it needs all again
        ({**NEWS, "migrations": ALL}, NEWS, None, "", ALL),  # the first upload failed
    ],
)
def test_the_last_answer_is_valid_while_nothing_is_uploaded(
    olds: dict[str, Any], news: dict[str, Any], deployed: str | None, recorded: str, decided: dict[str, Any]
) -> None:
    assert decide(olds, news, deployed, recorded) == decided
