"""What a person reads when the engine fails or is through, from its own closing lines."""

from __future__ import annotations

import pytest

from scripts.splat_cli.local import changes
from scripts.splat_cli.stack import diagnostics

WARNING = "warning: using pulumi-resource-cloudflare from $PATH at /x/bin/pulumi-resource-cloudflare"
FAILED = f"""@ updating....
 +  cloudflare:index:WorkersScript edge-script **creating failed** error: PUT: ENOSPC
Diagnostics:
  cloudflare:index:WorkersScript (edge-script):
    error: PUT WorkersScript photo-splat-local: INTERNAL: ENOSPC: no space left on device

  pulumi:pulumi:Stack (photo-splat-local):
    {WARNING}
    {WARNING}

Resources:
    + 18 created
    2 errored

Duration: 17s
"""


def test_a_failure_is_told_by_the_resource_and_its_error_alone() -> None:
    assert diagnostics(FAILED).splitlines() == [
        "  cloudflare:index:WorkersScript (edge-script):",
        "    error: PUT WorkersScript photo-splat-local: INTERNAL: ENOSPC: no space left on device",
    ]


def test_without_diagnostics_the_last_lines_are_told() -> None:
    said = "\n".join(f"line {number}" for number in range(30))
    assert diagnostics(said).splitlines() == [f"line {number}" for number in range(10, 30)]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("    + 20 created\n", "20 resources created"),
        ("    ~ 2 updated\n    20 unchanged\n", "2 resources updated, 20 unchanged"),
        ("    + 1 created\n    +-1 replaced\n", "1 resource created, 1 replaced"),
        ("", ""),
    ],
)
def test_what_the_engine_did_is_told_in_a_few_words(block: str, words: str) -> None:
    assert changes(f"Updating (local):\n\nResources:\n{block}\nDuration: 4s\n") == words
