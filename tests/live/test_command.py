"""The command: what it prints without keys, and what it refuses."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from scripts.splat_cli.main import main
from scripts.splat_cli.verify_live.targets import NEEDED, live
from tests.live.conftest import ROOT

Splat = Callable[..., str]


@pytest.fixture
def splat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Splat:
    """The command line in this process. Gives what a command that ends with 1 prints to stderr."""

    def run(*arguments: str, **variables: str) -> str:
        for name in NEEDED:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["splat", *arguments])
        monkeypatch.chdir(ROOT)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        return capsys.readouterr().err

    return run


def test_without_keys_it_skips_loudly_and_lists_what_to_set(splat: Splat) -> None:
    printed = splat("verify-live")
    for name in NEEDED:
        assert f"SKIPPED: {name} is not set." in printed
    assert "Nothing was verified" in printed
    assert "splat verify-live --rehearse" in printed


def test_an_image_without_a_digest_and_an_unknown_stage_are_rejected(splat: Splat) -> None:
    unpinned = splat("verify-live", "--image", "ghcr.io/team/splat-worker:v1", RUNPOD_API_KEY="rpa_x")
    assert "is not pinned by its digest" in unpinned
    unknown = splat("verify-live", "--only", "everything")
    assert "There is no stage 'everything'." in unknown
    assert "management" in unknown


@pytest.mark.parametrize("present", [(), ("RUNPOD_API_KEY",), ("CLOUDFLARE_API_TOKEN",), tuple(NEEDED)])
def test_each_account_takes_part_once_its_keys_are_set(present: tuple[str, ...]) -> None:
    found = live(ROOT, image="", variables=dict.fromkeys(present, "x" * 40))
    assert (found.runpod is not None) == ("RUNPOD_API_KEY" in present)
    assert (found.cloudflare is not None) == ("CLOUDFLARE_ACCOUNT_ID" in present)
    assert set(found.missing) == set(NEEDED) - set(present)
    assert (found.engine is not None) == (len(present) == len(NEEDED))
    found.close()
