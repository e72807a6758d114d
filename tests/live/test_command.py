"""The command: what it prints without keys, and what it refuses."""

from __future__ import annotations

import os
import subprocess

import pytest

from scripts.splat_cli.verify_live.targets import NEEDED, live
from tests.live.conftest import ROOT


def splat(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in NEEDED}
    return subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-c", "from scripts.splat_cli.main import main; main()", *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_without_keys_it_skips_loudly_and_lists_what_to_set() -> None:
    done = splat("verify-live")
    assert done.returncode == 1
    for name in NEEDED:
        assert f"SKIPPED: {name} is not set." in done.stderr
    assert "Nothing was verified" in done.stderr
    assert "splat verify-live --rehearse" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_without_a_digest_and_an_unknown_stage_are_rejected() -> None:
    unpinned = splat("verify-live", "--image", "ghcr.io/team/splat-worker:v1", RUNPOD_API_KEY="rpa_x")
    assert unpinned.returncode == 1
    assert "is not pinned by its digest" in unpinned.stderr
    unknown = splat("verify-live", "--only", "everything")
    assert "There is no stage 'everything'." in unknown.stderr
    assert "management" in unknown.stderr


@pytest.mark.parametrize("present", [(), ("RUNPOD_API_KEY",), ("CLOUDFLARE_API_TOKEN",), tuple(NEEDED)])
def test_each_account_takes_part_once_its_keys_are_set(present: tuple[str, ...]) -> None:
    found = live(ROOT, image="", variables=dict.fromkeys(present, "x" * 40))
    assert (found.runpod is not None) == ("RUNPOD_API_KEY" in present)
    assert (found.cloudflare is not None) == ("CLOUDFLARE_ACCOUNT_ID" in present)
    assert set(found.missing) == set(NEEDED) - set(present)
    assert (found.engine is not None) == (len(present) == len(NEEDED))
    found.close()
