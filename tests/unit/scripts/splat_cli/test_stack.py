"""How the engine is started, and what the user reads when it fails or finishes."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.local import changes
from scripts.splat_cli.stack import Engine, diagnostics

ROOT = Path(__file__).parents[4]

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


def test_a_failure_shows_only_the_resource_and_its_error() -> None:
    assert diagnostics(FAILED).splitlines() == [
        "  cloudflare:index:WorkersScript (edge-script):",
        "    error: PUT WorkersScript photo-splat-local: INTERNAL: ENOSPC: no space left on device",
    ]


def test_without_diagnostics_the_last_lines_are_shown() -> None:
    output = "\n".join(f"line {number}" for number in range(30))
    assert diagnostics(output).splitlines() == [f"line {number}" for number in range(10, 30)]


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("    + 20 created\n", "20 resources created"),
        ("    ~ 2 updated\n    20 unchanged\n", "2 resources updated, 20 unchanged"),
        ("    + 1 created\n    +-1 replaced\n", "1 resource created, 1 replaced"),
        ("", ""),
    ],
)
def test_the_engines_summary_is_shortened(block: str, words: str) -> None:
    assert changes(f"Updating (local):\n\nResources:\n{block}\nDuration: 4s\n") == words


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose engine only records its command lines; it has the stack `dev`."""
    (tmp_path / ".tools").mkdir()
    (tmp_path / ".tools/engine.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (tmp_path / "pulumi").write_text(
        f"""#!/bin/sh
echo "$*" >> {tmp_path}/commands
case "$*" in *"--stack dev"*|version*|--version*) echo '{{}}' ;;
*) echo "error: no stack named 'x' found" >&2; exit 1 ;; esac
"""
    )
    (tmp_path / "pulumi").chmod(0o755)
    return tmp_path


def commands(checkout: Path) -> list[str]:
    """Recorded command lines, without the check that the stack exists."""
    return [line for line in (checkout / "commands").read_text().splitlines() if not line.startswith("stack output")]


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_yes_skips_the_confirmation(checkout: Path, command: str) -> None:
    Engine(root=checkout, stack="dev").change(command, sure=True)

    assert commands(checkout) == [f"{command} --yes --skip-preview --stack dev --non-interactive"]


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_on_a_terminal_the_engine_shows_its_plan_and_asks(checkout: Path, command: str) -> None:
    code = "import sys; from pathlib import Path; from scripts.splat_cli.stack import Engine; " + (
        f"Engine(root=Path({str(checkout)!r}), stack='dev').change({command!r}, sure=False)"
    )
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdin=theirs, stderr=theirs, check=True, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)

    assert commands(checkout) == [f"{command} --stack dev"]


@pytest.mark.parametrize(
    ("command", "preview"), [("up", "pulumi preview --stack"), ("destroy", "destroy --preview-only")]
)
def test_without_a_terminal_nothing_changes_without_yes(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str, preview: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(CommandError, match="there is no terminal") as rejected:
        Engine(root=checkout, stack="dev").change(command, sure=False)

    assert "--yes" in rejected.value.hint
    assert preview in rejected.value.hint
    assert commands(checkout) == []


@pytest.mark.parametrize("sure", [True, False])
def test_a_stack_that_the_backend_lacks_is_reported_with_both_fixes(checkout: Path, *, sure: bool) -> None:
    with pytest.raises(CommandError, match="has no stack prod") as rejected:
        Engine(root=checkout, stack="prod").change("up", sure=sure)

    assert "pulumi stack init prod" in rejected.value.hint
    assert "pulumi login" in rejected.value.hint
    assert commands(checkout) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("stack", "ls"), "stack ls --stack dev --non-interactive"),
        (("version",), "version --non-interactive"),
        (("--version",), "--version --non-interactive"),
    ],
)
def test_a_command_without_a_stack_gets_none_and_its_output_is_data(
    checkout: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    Engine(root=checkout, stack="dev").run(*arguments, passed_on=True)

    assert commands(checkout) == [line]
    assert capfd.readouterr().out == "{}\n"


def test_piped_input_reaches_the_command(checkout: Path) -> None:
    """As in `pass show runpod | splat pulumi config set --secret runpod:apiKey`."""
    (checkout / "pulumi").write_text(f"#!/bin/sh\ncat > {checkout}/input\n")
    code = "from pathlib import Path; from scripts.splat_cli.stack import Engine; " + (
        f"Engine(root=Path({str(checkout)!r}), stack='dev').run('config', 'set', passed_on=True)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="the key", text=True, check=True, timeout=60)

    assert (checkout / "input").read_text() == "the key"


@pytest.mark.parametrize(
    ("error", "next_step"),
    [
        ("failed to load checkpoint: EOF", "docs/operations.md"),
        ('unable to open state directory "file:///x": no such file or directory', "PULUMI_BACKEND_URL"),
        ("operation error S3: GetObject, https response error StatusCode: 403", "the key that opens it"),
        ("PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "pulumi login"),
        ("the stack is currently locked by 1 lock(s)", "pulumi cancel"),
        ("something new", "fix the cause in the message"),
    ],
)
def test_an_error_of_the_engine_is_shown_with_the_next_step(checkout: Path, error: str, next_step: str) -> None:
    (checkout / "pulumi").write_text(f"#!/bin/sh\necho 'error: {error}' >&2\nexit 255\n")

    with pytest.raises(ServiceError) as failure:
        Engine(root=checkout, stack="dev").outputs()

    assert error in failure.value.message
    assert next_step in failure.value.hint
