"""Runs steps side by side where they can, and stamps what is done, so an interrupted set-up continues.
Knows nothing of what the steps install."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from board import Board
from causes import Cause, Kind, of_command, of_exception

REDRAW_S = 0.2
GRACE_S = 5.0
LAST_LINES = 8
LINE_WIDTH = 160


class Failed(Exception):
    """A step that cannot go on: which, why, and what a person does next."""

    def __init__(self, step: str, reason: str, hint: str, *, kind: Kind = Kind.COMMAND) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason, self.hint, self.kind = step, reason, hint, kind


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to install. Done when its stamp equals the digest of `inputs` and `made` exist.

    hint: the next step where one of its commands fails for a reason that causes.py does not know.
    """

    name: str
    stamp: Path
    action: Callable[[Context], None]
    inputs: Sequence[Path | str] = ()
    made: Sequence[Path] = ()
    after: Sequence[str] = ()
    hint: str = "read the log named above, then run the same command; finished steps are reused"

    def digest(self) -> str:
        """SHA-256 over the content of input files and over input words."""
        digest = hashlib.sha256(self.name.encode())
        for item in self.inputs:
            digest.update(item.read_bytes() if isinstance(item, Path) else item.encode())
            digest.update(b"\0")
        return digest.hexdigest()

    def is_done(self) -> bool:
        if not all(path.exists() for path in self.made):
            return False
        try:
            return self.stamp.read_text() == self.digest()
        except OSError:
            return False


@dataclass
class Context:
    """What a running step gets: a line on the board, a log, and commands whose output goes to the log."""

    step: Step
    log: Path
    board: Board
    stopping: threading.Event

    def update(self, doing: str) -> None:
        self.board.update(self.step.name, doing)

    def note(self, sentence: str) -> None:
        self.board.note(sentence)

    def run(self, command: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
        """Run a command; its output goes to the log. Returns it. Raises Failed with its last lines."""
        words = [str(part) for part in command]
        with self.log.open("a") as log:
            log.write("$ " + " ".join(words) + "\n")
            log.flush()
            begin = self.log.stat().st_size
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # npm and uv start others: all of them stop together, or they write on into a later set-up.
                start_new_session=True,
            )
            while process.poll() is None:
                if self.stopping.wait(0.1):
                    _end(process)
                    raise KeyboardInterrupt
        with self.log.open(errors="replace") as log:
            log.seek(begin)
            output = log.read()
        if process.returncode != 0:
            raise self._failure(words[0], process.returncode, output)
        return output

    def _failure(self, program: str, code: int, output: str) -> Failed:
        cause = of_command(code, output, free_bytes=shutil.disk_usage(self.log.parent).free)
        lines = [f"  {line[:LINE_WIDTH]}" for line in output.splitlines()[-LAST_LINES:]]
        reason = "\n".join([f"{Path(program).name} exited with {code} (log: {self.log})", *lines])
        return Failed(self.step.name, reason, cause.hint or self.step.hint, kind=cause.kind)


def _end(leader: subprocess.Popen[bytes]) -> None:
    """End a process and those it started; without asking after some seconds."""
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(leader.pid, number)
            leader.wait(patience_s)
    leader.wait()


def due(steps: Sequence[Step]) -> list[Step]:
    """The steps that are not done. One that comes after a done step also comes after what that step came after."""
    by_name = {step.name: step for step in steps}

    def before(step: Step) -> set[str]:
        direct = {name for name in step.after if name in by_name}
        return direct.union(*(before(by_name[name]) for name in direct))

    return [replace(step, after=sorted(before(step))) for step in steps if not step.is_done()]


def run_all(steps: Sequence[Step], board: Board, *, logs: Path) -> None:
    """Run every step once the steps before it are done. Raises the first Failed, after the others have ended."""
    stopping = threading.Event()
    done: set[str] = set()
    failures: list[Failed] = []
    names = {step.name for step in steps}
    threads: dict[str, threading.Thread] = {}

    def work(step: Step) -> None:
        board.begin(step.name)
        outcome = ""
        try:
            _perform(step, Context(step, logs / f"{step.name.replace(' ', '-')}.log", board, stopping))
            done.add(step.name)
        except Failed as failure:
            outcome = "failed"
            failures.append(failure)
            stopping.set()
        except KeyboardInterrupt:
            outcome = "stopped"
        finally:
            board.end(step.name, outcome)

    try:
        while not stopping.is_set():
            for step in steps:
                ready = all(name in done or name not in names for name in step.after)
                if step.name not in threads and ready:
                    threads[step.name] = threading.Thread(target=work, args=(step,), name=step.name)
                    threads[step.name].start()
            board.draw()
            if len(done) == len(steps):
                return
            time.sleep(REDRAW_S)
    finally:
        if len(done) != len(steps):
            stopping.set()
        for thread in threads.values():
            thread.join()
        board.draw()
    raise failures[0]


def _perform(step: Step, context: Context) -> None:
    """The step's action, then its stamp. Every exception but Ctrl-C becomes a Failed."""
    try:
        context.log.parent.mkdir(parents=True, exist_ok=True)
        context.log.write_text("")
        step.action(context)
        missing = [str(path) for path in step.made if not path.exists()]
        if missing:
            reason = f"{', '.join(missing)} is missing after the step (log: {context.log})"
            raise Failed(step.name, reason, step.hint)
        step.stamp.parent.mkdir(parents=True, exist_ok=True)
        step.stamp.write_text(step.digest())
    except Failed:
        raise
    except Exception as error:
        raise _of_exception(step, context, error) from error


def _of_exception(step: Step, context: Context, error: Exception) -> Failed:
    cause: Cause = of_exception(error)
    with contextlib.suppress(OSError), context.log.open("a") as log:
        traceback.print_exception(error, file=log)
    reason = f"{type(error).__name__}: {error} (log: {context.log})"
    return Failed(step.name, reason, cause.hint, kind=cause.kind)
