"""The account on disk: complete, private, and damage is reported."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from local_cloud.runpod.account.state import (
    Account,
    Endpoint,
    FieldChange,
    Registry,
    Release,
    StateUnreadable,
    Store,
    Usage,
)

from ..samples import spec


def full_account() -> Account:
    release = Release(
        id="r", version=2, created_at_s=5.5, diff=(FieldChange(field="template.env", old={"A": "1"}, new={}),)
    )
    endpoint = Endpoint(id="e", spec=spec(env={"A": "1"}, ports=("80/http",)), created_at_s=1.5, releases=(release,))
    return Account(
        endpoints={"e": endpoint},
        registries={"r": Registry(id="r", name="n", username="u", password="p")},
        usage=[
            Usage(
                endpoint_id="e",
                worker_id="w",
                start_s=1.0,
                end_s=2.0,
                gpu_usd_per_s=0.1,
                disk_gb=20,
            )
        ],
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    Store(tmp_path).save(full_account())
    assert Store(tmp_path).load() == full_account()


def test_only_its_owner_can_read_the_file(tmp_path: Path) -> None:
    Store(tmp_path).save(full_account())
    assert stat.S_IMODE((tmp_path / "account.json").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["account.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 99, "account": {}}', '{"version": 2, "account": {"endpoints": 3}}']
)
def test_a_damaged_file_is_named_and_not_overwritten(tmp_path: Path, text: str) -> None:
    (tmp_path / "account.json").write_text(text)
    with pytest.raises(StateUnreadable, match=r"account\.json"):
        Store(tmp_path).load()
    assert (tmp_path / "account.json").read_text() == text
