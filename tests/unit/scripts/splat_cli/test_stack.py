"""How the engine is started, and what the user reads when it fails or finishes."""

from __future__ import annotations

import io
import json
import os
import pty
import shutil
import subprocess
import sys
import time
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
    (tmp_path / "Pulumi.yaml").write_text("name: photo-splat\nruntime: python\n")
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


CHANGES = [("up", "up --refresh"), ("destroy", "destroy")]
"""RunPod lowers idle workers to none, which no plan shows without a refresh."""


def commands(checkout: Path) -> list[str]:
    """Recorded command lines, without the check that the stack exists."""
    return [line for line in (checkout / "commands").read_text().splitlines() if not line.startswith("stack output")]


@pytest.mark.parametrize(("command", "line"), CHANGES)
def test_yes_skips_the_confirmation(checkout: Path, command: str, line: str) -> None:
    Engine(root=checkout, stack="dev").change(command, sure=True)

    assert commands(checkout) == [f"{line} --yes --skip-preview --stack dev --non-interactive"]


@pytest.mark.parametrize(("command", "line"), CHANGES)
def test_on_a_terminal_the_engine_shows_its_plan_and_asks(checkout: Path, command: str, line: str) -> None:
    code = "import sys; from pathlib import Path; from scripts.splat_cli.stack import Engine; " + (
        f"Engine(root=Path({str(checkout)!r}), stack='dev').change({command!r}, sure=False)"
    )
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdin=theirs, stderr=theirs, check=True, timeout=60)
    finally:
        os.close(ours)
        os.close(theirs)

    assert commands(checkout) == [f"{line} --stack dev"]


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
        ("write /state/dev.json: no space left on device", "free some disk space"),
    ],
)
def test_an_error_of_the_engine_is_shown_with_the_next_step(checkout: Path, error: str, next_step: str) -> None:
    (checkout / "pulumi").write_text(f"#!/bin/sh\necho 'error: {error}' >&2\nexit 255\n")

    with pytest.raises(ServiceError) as failure:
        Engine(root=checkout, stack="dev").outputs()

    assert error in failure.value.message
    assert next_step in failure.value.hint


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        ("incorrect passphrase", "The passphrase of stack dev is missing or wrong", "PULUMI_CONFIG_PASSPHRASE"),
        ("no stack named 'dev' found", "has no stack dev", "pulumi stack init dev"),
        ("ENOSPC: no space left on device", "no space left on device", "free some disk space"),
        ("failed to load checkpoint: EOF", "EOF", "docs/operations.md"),
    ],
)
def test_a_command_that_changes_the_stack_gives_the_same_advice_as_one_that_reads_it(
    checkout: Path, error: str, message: str, hint: str
) -> None:
    (checkout / "pulumi").write_text(f'#!/bin/sh\necho "error: {error}"\nexit 255\n')

    with pytest.raises(CommandError, match=message) as failure:
        Engine(root=checkout, stack="dev").run("up", quiet=True)

    assert hint in failure.value.hint


def test_a_full_disk_is_recognised_without_a_word_of_the_engine(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "pulumi").write_text("#!/bin/sh\necho 'error: it failed' >&2\nexit 255\n")
    usage = shutil.disk_usage(checkout)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)

    for command in (lambda engine: engine.outputs(), lambda engine: engine.run("up", passed_on=True)):
        with pytest.raises(ServiceError) as failure:
            command(Engine(root=checkout, stack="dev"))
        assert failure.value.hint.startswith("free some disk space")


def test_a_truncated_state_on_a_folder_is_repaired_before_any_command(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = checkout / "backend/.pulumi/stacks/photo-splat"
    folder.mkdir(parents=True)
    (folder / "dev.json").write_text('{"version": 3}')
    (folder / "dev.json.attrs").write_text("")
    engine = Engine(root=checkout, stack="dev", environment={"PULUMI_BACKEND_URL": f"file://{checkout}/backend"})

    engine.is_deployed()

    assert not (folder / "dev.json.attrs").exists()
    assert (folder / "dev.json.checked").read_text() == '{"version": 3}'
    assert "Repaired the state of stack dev" in capsys.readouterr().err


def test_the_local_stack_takes_no_pulumi_variable_of_the_shell(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A passphrase, backend or flag that a shell exports is meant for another stack."""
    (checkout / "pulumi").write_text(f"#!/bin/sh\nenv > {checkout}/seen\n")
    for name in ("PULUMI_CONFIG_PASSPHRASE_FILE", "PULUMI_BACKEND_URL", "PULUMI_SELF_MANAGED_STATE_GZIP"):
        monkeypatch.setenv(name, "exported")
    mine = {"PULUMI_CONFIG_PASSPHRASE": "of the stack"}

    Engine(root=checkout, stack="local", environment=mine).run("up", quiet=True)

    seen = dict(line.split("=", 1) for line in (checkout / "seen").read_text().splitlines() if "=" in line)
    assert "exported" not in seen.values()
    assert seen["PULUMI_CONFIG_PASSPHRASE"] == "of the stack"
    Engine(root=checkout, stack="dev").run("up", quiet=True)
    assert "PULUMI_BACKEND_URL=exported" in (checkout / "seen").read_text()


def test_a_terminated_command_lets_the_engine_stop_in_order(checkout: Path) -> None:
    """As Ctrl-C does: the engine gets SIGINT and the time to finish its step."""
    (checkout / "pulumi").write_text(
        f"#!/bin/sh\ntrap 'echo in order > {checkout}/stopped; exit 1' INT\ntouch {checkout}/running\n"
        "while :; do sleep 0.05; done\n"
    )
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from pathlib import Path; "
        "from common.stop_signals import stop_as_ctrl_c; from scripts.splat_cli.stack import Engine; "
        f"stop_as_ctrl_c(); Engine(root=Path({str(checkout)!r}), stack='local').run('up', quiet=True)"
    )
    command = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (checkout / "running").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        command.terminate()
        _, said = command.communicate(timeout=60)
    finally:
        command.kill()
    assert (checkout / "stopped").read_text() == "in order\n"
    assert said.rstrip().endswith("KeyboardInterrupt")
