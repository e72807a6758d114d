"""RunPod's REST v1 has ended: nothing calls it, and no page sends anybody there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[4]
ENDED = re.compile(
    r"rest\.runpod\.io|REST v1\b|REST API v1|api\.runpod\.io/v1|/v1/(endpoints|pods|templates)", re.IGNORECASE
)
# The stand-in answers a call to it with 404 and the path of today.
REFUSALS = {
    "docs/local-cloud-runpod.md",
    "local_cloud/runpod/api/app.py",
    "tests/contract/runpod/test_management.py",
    "tests/unit/infra/runpod/test_one_api.py",
}


def test_nothing_names_the_api_that_ended_but_its_refusals() -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    named = set()
    for name in listed:
        try:
            text = (ROOT / name).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            continue  # a picture, or a file that is deleted in the working tree
        if ENDED.search(text):
            named.add(name)
    assert named == REFUSALS
