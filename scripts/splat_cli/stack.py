"""Runs the Pulumi engine for a stack. Cloud stacks get the user's own environment; the local stack gets the local
cloud's addresses and keys."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from scripts import pulumi_engine
from scripts.splat_cli.errors import CommandError, ServiceError
from scripts.splat_cli.state_file import file_backend, keep_readable

LOCAL = "local"
LAST_LINES = 20
# Commands of pulumi 3.259 that take --config-file; the others refuse it.
TAKES_CONFIG_FILE = {"up", "preview", "destroy", "refresh", "config", "import", "watch"}
# Commands without a stack, which refuse --stack.
WITHOUT_STACK = {
    *("version", "whoami", "login", "logout", "plugin", "help"),
    *("install", "schema", "package", "policy", "org"),
}
# The next step for engine errors that name none: pattern of the error, hint.
NEXT_STEPS = {
    "ENOSPC|no space left on device|disk quota exceeded": (
        "free some disk space, then run the same command to continue"
    ),
    "failed to load checkpoint|snapshot": "docs/operations.md explains how to repair a truncated state file",
    "unable to open state directory|operation error S3|PULUMI_ACCESS_TOKEN|not logged in": (
        "set the backend that has the stack (PULUMI_BACKEND_URL or pulumi login) and the key that opens it"
    ),
    "currently locked": "wait for the run that holds the lock; if none is running, release it with pulumi cancel",
}
DISK_FULL_BYTES = 1_000_000
PREVIEW = {"up": "preview", "destroy": "destroy --preview-only"}
NEXT_STEP = "fix the cause in the message, then run the same command again"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """`pulumi` for one stack of this checkout."""

    root: Path
    stack: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    config_file: Path | None = None
    on_stand_ins: bool = False
    """Whether a stack of another name than `local` deploys to the local cloud."""

    def run(self, *arguments: str, quiet: bool = False, passed_on: bool = False) -> str:
        """Run a command that changes the stack. Its output goes to stderr as it comes, or is returned when `quiet`. On
        a terminal the engine may ask. passed_on: the user typed the command, so stdin and stdout are theirs.

        A state on a file backend is made readable first, and a checked copy of it is kept.
        After Ctrl-C, waits until the engine has stopped in order, then raises KeyboardInterrupt.
        Raises ServiceError with the engine's diagnostics when it fails.
        """
        self._keep_state_readable()
        out = sys.stdout if passed_on else sys.stderr
        asks = not quiet and sys.stdin.isatty() and out.isatty()
        process = subprocess.Popen(
            self._command(arguments, asks=asks),
            cwd=self.root,
            env=self._environment(),
            stdin=None if asks or passed_on else subprocess.DEVNULL,  # None: ours
            stdout=subprocess.PIPE if quiet else out,
            stderr=subprocess.STDOUT if quiet else None,
            text=True,
        )
        interrupted = False
        said = ""
        while True:
            try:
                said, _ = process.communicate()
                break
            except KeyboardInterrupt:
                # A terminal sends Ctrl-C to the engine as well; a plain `kill -INT` does not.
                if not interrupted:
                    process.send_signal(signal.SIGINT)
                interrupted = True
        if interrupted:
            raise KeyboardInterrupt
        if process.returncode != 0:
            self._raise_known(said or "")
            reason = diagnostics(said or "")
            raise ServiceError(
                f"pulumi {arguments[0]} of stack {self.stack} failed.{chr(10) if reason else ''}{reason}",
                hint=self._next_step(said or "", "fix the reason above, then run the same command to continue"),
            )
        return said or ""

    def change(self, command: str, *, sure: bool) -> None:
        """`up` or `destroy` of a cloud stack: shows the plan and asks, or continues without asking when `sure`. `up`
        reads first what exists: what was changed outside, as RunPod lowers idle workers, becomes as declared again.
        Raises CommandError when there is no such stack, or no terminal to ask on."""
        self._ask("stack", "output", "--json")  # its error for a missing stack has more detail than that of `up`
        if not sure and not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise CommandError(
                f"pulumi {command} of stack {self.stack} needs a confirmation, and there is no terminal.",
                hint=f"check the plan (splat pulumi {PREVIEW[command]} --stack {self.stack}), then add --yes",
            )
        refresh = ["--refresh"] if command == "up" else []
        self.run(command, *refresh, *(["--yes", "--skip-preview"] if sure else []))

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Outputs of the deployed stack, secrets masked unless `show_secrets`. Raises CommandError without one."""
        found = self._outputs(*(["--show-secrets"] if show_secrets else []))
        if "appUrl" not in found:
            raise CommandError(f"Stack {self.stack} is not deployed.", hint=up_hint(self.stack))
        return found

    def is_deployed(self) -> bool:
        """Whether an `up` has completed before. A stack that was only created counts as not deployed."""
        return "appUrl" in self._outputs()

    def _outputs(self, *more: str) -> dict[str, Any]:
        return dict(json.loads(self._ask("stack", "output", "--json", *more)))

    def config(self) -> dict[str, str]:
        """The stack's configuration with decrypted secrets: full key to text."""
        found = json.loads(self._ask("config", "--json", "--show-secrets"))
        return {key: str(entry.get("value", "")) for key, entry in found.items()}

    def export(self) -> dict[str, Any]:
        """The stack's state with decrypted secrets (`pulumi stack export`)."""
        return dict(json.loads(self._ask("stack", "export", "--show-secrets")))

    def encrypted_export(self) -> dict[str, Any]:
        """The stack's state with its secrets encrypted, as they are stored."""
        return dict(json.loads(self._ask("stack", "export")))

    def set_config(self, values: Mapping[str, str]) -> None:
        """Write keys that hold no secret into the stack's file."""
        pairs = [part for key, value in sorted(values.items()) for part in ("--plaintext", f"{key}={value}")]
        self._ask("config", "set-all", *pairs)

    def plan(self) -> dict[str, Any]:
        """What the next `up` would do (`pulumi preview --json`)."""
        return dict(json.loads(self._ask("preview", "--json")))

    def variable(self, name: str) -> str:
        """A variable of the engine's environment; "" where it is not set."""
        return str(self.environment.get(name) or os.environ.get(name, ""))

    def _keep_state_readable(self) -> None:
        """Repair the state of a cloud stack on a file backend, and keep a copy of it that was checked. The local
        stack does this itself, under its own lock (local.py)."""
        backend = file_backend(self.variable)
        if backend is not None and self.stack != LOCAL:
            report_repaired(keep_readable(backend, project=project_name(self.root), stack=self.stack))

    def _ask(self, *arguments: str) -> str:
        self._keep_state_readable()
        done = subprocess.run(
            self._command(arguments),
            cwd=self.root,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        said = done.stderr.strip() or _problems_of(done.stdout)
        self._raise_known(said)
        raise ServiceError(
            f"pulumi {' '.join(arguments[:2])} failed: {said[-600:]}", hint=self._next_step(said, NEXT_STEP)
        )

    def _raise_known(self, said: str) -> None:
        """Raises CommandError for the engine's errors that are about the stack itself, not about what it deploys."""
        if "no stack named" in said or "no stack selected" in said:
            if self.stack == LOCAL:
                raise CommandError(f"Stack {self.stack} is not deployed.", hint=up_hint(self.stack))
            raise CommandError(
                f"This Pulumi backend has no stack {self.stack}.",
                hint=f"create it (pulumi stack init {self.stack}; docs/environments.md lists the keys), or use the "
                "backend that has it (pulumi login or PULUMI_BACKEND_URL)",
            )
        if re.search("incorrect passphrase|passphrase must be set|passphrase rejected", said):
            hint = "set PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the passphrase that created it"
            if self.stack == LOCAL:
                hint = "put the passphrase that created the stack back into the file passphrase of its folder (.local/)"
            raise CommandError(f"The passphrase of stack {self.stack} is missing or wrong.", hint=hint)

    def _next_step(self, said: str, otherwise: str) -> str:
        """The hint for an engine error. A full disk often shows only in what the engine could not write, and the
        output of a command that the user typed went to the terminal. So the disk itself is checked as well."""
        known = next((hint for words, hint in NEXT_STEPS.items() if re.search(words, said, re.IGNORECASE)), None)
        if known is None and any(shutil.disk_usage(folder).free < DISK_FULL_BYTES for folder in self._written()):
            return next(iter(NEXT_STEPS.values()))
        return known or otherwise

    def _written(self) -> list[Path]:
        """Folders that the engine writes to: the checkout, and the state where it is a folder."""
        state = file_backend(self.variable)
        return [folder for folder in (self.root, state) if folder is not None and folder.exists()]

    def _command(self, arguments: Sequence[str], *, asks: bool = False) -> list[str]:
        command = [str(self._engine() / "pulumi"), *arguments]
        if arguments[0] not in WITHOUT_STACK and not arguments[0].startswith("-"):
            command += ["--stack", self.stack]
        if not asks:
            command.append("--non-interactive")
        if self.config_file is not None and arguments[0] in TAKES_CONFIG_FILE:
            command += ["--config-file", str(self.config_file)]
        return command

    def _engine(self) -> Path:
        folder = pulumi_engine.recorded_folder(self.root)
        if folder is None:
            raise CommandError("The Pulumi engine is not installed here.", hint="run scripts/bootstrap")
        return folder

    def _environment(self) -> dict[str, str]:
        # The engine must find the Cloudflare stand-in as a plugin for this stack, and for no other.
        local = self.stack == LOCAL or self.on_stand_ins
        stand_in = [self.root / "local_cloud/cloudflare/bin"] if local else []
        # This stack is complete in itself: what a shell exports (passphrase, backend, flags) is meant for others.
        without = "PULUMI_" if local else None
        found = pulumi_engine.environment(self.root, first_on_path=stand_in, without=without)
        return {**found, **self.environment, "PATH": found["PATH"]}


def _problems_of(plan: str) -> str:
    """Errors of a preview with --json: they are in its JSON, not on stderr."""
    try:
        diagnostics = json.loads(plan).get("diagnostics") or ()
    except ValueError:
        return plan.strip()
    return "\n".join(str(one.get("message", "")).strip() for one in diagnostics if one.get("severity") == "error")


def diagnostics(output: str) -> str:
    """The engine's diagnostics without its warning about our plugin, or else its last lines."""
    block = output.partition("Diagnostics:\n")[2].partition("\nResources:")[0].partition("\nOutputs:")[0]
    own_plugin = "pulumi-resource-cloudflare from $PATH"
    lines = [line for line in block.splitlines() if line.strip() and own_plugin not in line]
    # Messages are indented by four spaces, the name of their resource by two. Names without a message are dropped.
    inner = "    "
    explained = [line for line, below in pairwise([*lines, ""]) if line.startswith(inner) or below.startswith(inner)]
    return "\n".join(explained or output.splitlines()[-LAST_LINES:])


def report_repaired(stacks: Sequence[str]) -> None:
    """One line for each stack whose state was repaired, on stderr."""
    for stack in stacks:
        print(f"Repaired the state of stack {stack}: an engine was interrupted while writing it.", file=sys.stderr)


def project_name(root: Path) -> str:
    """Name of the Pulumi project in this checkout."""
    found = re.search(r"^name:\s*(\S+)", (root / "Pulumi.yaml").read_text(), re.MULTILINE)
    return found.group(1) if found else ""


def up_hint(stack: str) -> str:
    """How to deploy a stack."""
    return "make up" if stack == LOCAL else f"splat up --stack {stack}"


def known_stacks(root: Path) -> list[str]:
    """Stacks with a configuration file in this checkout."""
    return sorted(path.name.split(".")[1] for path in root.glob("Pulumi.*.yaml"))


def check_stack(root: Path, stack: str) -> None:
    """Raises CommandError for a stack without a configuration file, with the names of the others."""
    if stack not in known_stacks(root):
        choices = ", ".join(known_stacks(root))
        raise CommandError(
            f"There is no stack {stack!r}: Pulumi.{stack}.yaml does not exist.",
            hint=f"choose one of {choices}, or copy Pulumi.review.yaml for a new stack",
        )
