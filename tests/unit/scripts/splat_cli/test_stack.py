"""What a person reads when the engine fails or is through, from its own closing lines; and how it is started."""

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


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose engine only writes down what it was asked; it knows the stack `dev`."""
    (tmp_path / ".tools").mkdir()
    (tmp_path / ".tools/engine.json").write_text(json.dumps({"folder": str(tmp_path)}))
    (tmp_path / "pulumi").write_text(
        f"""#!/bin/sh
echo "$*" >> {tmp_path}/asked
case "$*" in *"--stack dev"*|version*|--version*) echo '{{}}' ;;
*) echo "error: no stack named 'x' found" >&2; exit 1 ;; esac
"""
    )
    (tmp_path / "pulumi").chmod(0o755)
    return tmp_path


def asked(checkout: Path) -> list[str]:
    """Command lines of the engine, without the question whether there is such a stack."""
    return [line for line in (checkout / "asked").read_text().splitlines() if not line.startswith("stack output")]


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_whoever_is_sure_is_not_asked(checkout: Path, command: str) -> None:
    Engine(root=checkout, stack="dev").change(command, sure=True)

    assert asked(checkout) == [f"{command} --yes --skip-preview --stack dev --non-interactive"]


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

    assert asked(checkout) == [f"{command} --stack dev"]


@pytest.mark.parametrize(("command", "look"), [("up", "pulumi preview --stack"), ("destroy", "destroy --preview-only")])
def test_without_a_terminal_nothing_changes_unasked(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, command: str, look: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    with pytest.raises(CommandError, match="here is no terminal") as refused:
        Engine(root=checkout, stack="dev").change(command, sure=False)

    assert "--yes" in refused.value.hint
    assert look in refused.value.hint
    assert asked(checkout) == []


@pytest.mark.parametrize("sure", [True, False])
def test_a_stack_that_the_backend_has_not_is_told_with_both_ways_out(checkout: Path, *, sure: bool) -> None:
    with pytest.raises(CommandError, match="has no stack prod") as refused:
        Engine(root=checkout, stack="prod").change("up", sure=sure)

    assert "pulumi stack init prod" in refused.value.hint
    assert "pulumi login" in refused.value.hint
    assert asked(checkout) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("stack", "ls"), "stack ls --stack dev --non-interactive"),
        (("version",), "version --non-interactive"),
        (("--version",), "--version --non-interactive"),
    ],
)
def test_a_command_of_no_stack_is_given_none_and_its_answer_is_data(
    checkout: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    Engine(root=checkout, stack="dev").run(*arguments, passed_on=True)

    assert asked(checkout) == [line]
    assert capfd.readouterr().out == "{}\n"


def test_what_is_piped_into_a_command_reaches_it(checkout: Path) -> None:
    """As in `pass show runpod | splat pulumi config set --secret runpod:apiKey`."""
    (checkout / "pulumi").write_text(f"#!/bin/sh\ncat > {checkout}/heard\n")
    code = "from pathlib import Path; from scripts.splat_cli.stack import Engine; " + (
        f"Engine(root=Path({str(checkout)!r}), stack='dev').run('config', 'set', passed_on=True)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="the key", text=True, check=True, timeout=60)

    assert (checkout / "heard").read_text() == "the key"


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("failed to load checkpoint: EOF", "docs/operations.md"),
        ('unable to open state directory "file:///x": no such file or directory', "PULUMI_BACKEND_URL"),
        ("operation error S3: GetObject, https response error StatusCode: 403", "the key that opens it"),
        ("PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions", "pulumi login"),
        ("the stack is currently locked by 1 lock(s)", "pulumi cancel"),
        ("something new", "mend what the message names"),
    ],
)
def test_what_the_engine_says_is_told_with_what_to_do(checkout: Path, said: str, next_step: str) -> None:
    (checkout / "pulumi").write_text(f"#!/bin/sh\necho 'error: {said}' >&2\nexit 255\n")

    with pytest.raises(ServiceError) as failure:
        Engine(root=checkout, stack="dev").public_outputs()

    assert said in failure.value.message
    assert next_step in failure.value.hint
