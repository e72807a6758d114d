"""The Pulumi engine as a subprocess, for one folder and environment.
Starts `pulumi` and nothing else; never prints a secret."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts import pulumi_engine
from scripts.gitops.tools import Failed


class EngineFailed(Failed):
    """A pulumi command failed. `str()` is its output."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """`pulumi` in `folder`. `environment` is added to the process's own."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run(self, *arguments: str) -> str:
        """Standard output of a command; the engine's progress goes to our standard error. Raises EngineFailed."""
        done = self._done(arguments)
        if done.returncode != 0:
            raise EngineFailed(f"pulumi {arguments[0]} failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout

    def plan(self, *arguments: str) -> dict[str, Any]:
        """The plan of `pulumi preview`. A preview that finds a problem still returns a plan, with the problem among
        its diagnostics. Raises EngineFailed when there is no plan."""
        done = self._done(("preview", *arguments, "--json"))
        try:
            found = dict(json.loads(done.stdout))
        except ValueError:
            found = {}
        explained = any(one.get("severity") == "error" for one in found.get("diagnostics") or ())
        if not found or (done.returncode != 0 and not explained):
            raise EngineFailed(f"pulumi preview failed:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return found

    def _done(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["pulumi", "--non-interactive", "--color=never", *arguments],
            cwd=self.folder,
            env={**pulumi_engine.environment(self.folder), **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stderr.write(done.stderr)
        return done

    def ask(self, *arguments: str) -> Any:
        """The JSON output of a command that takes `--json`."""
        return json.loads(self.run(*arguments, "--json"))

    def outputs(self, stack: str) -> dict[str, Any]:
        """Outputs of a stack, secrets masked; {} when nothing is deployed."""
        return dict(self.ask("stack", "output", "--stack", stack))

    @contextmanager
    def config_with(self, stack: str, settings: Mapping[str, str]) -> Iterator[Path]:
        """The stack's configuration with other settings, in a temporary file for `--config-file`: a preview must not
        change the committed file."""
        import yaml  # here: the image workflow loads this module before any package is installed

        committed = self.folder / f"Pulumi.{stack}.yaml"
        if not committed.exists():
            raise EngineFailed(f"Stack {stack} has no {committed.name} in {self.folder}. Commit one with its settings.")
        document = yaml.safe_load(committed.read_text("utf-8")) or {}
        document["config"] = {**(document.get("config") or {}), **settings}
        with tempfile.TemporaryDirectory() as folder:
            # The engine requires this form of the name.
            file = Path(folder) / f"Pulumi.{stack}.yaml"
            file.write_text(yaml.safe_dump(document), "utf-8")
            yield file

    def stacks(self) -> tuple[str, ...]:
        """Names of all stacks of the project on this backend."""
        return tuple(str(one["name"]).rpartition("/")[2] for one in self.ask("stack", "ls"))
