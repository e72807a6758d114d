"""Runs steps side by side where they can, shows what each does, and stamps what is done.
Knows nothing of what the steps install."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

REDRAW_S = 0.2
GRACE_S = 5.0
LAST_LINES = 8
LINE_WIDTH = 160


# What tools say when the cause is not the step but the machine, and what a person does about it.
KNOWN_CAUSES = (
    (
        r"ENOTEMPTY|ETXTBSY|Text file busy",
        "another set-up of this folder still writes, perhaps one that was cut off: run the same command in a minute",
    ),
    (
        r"No space left on device|ENOSPC|disk quota exceeded",
        "the disk is full: free some space, then run the same command; it goes on where it stopped",
    ),
    (
        r"name resolution|could not resolve|dns error|no such host|ENOTFOUND|EAI_AGAIN|Network is unreachable"
        r"|ENETUNREACH|Connection refused|ECONNREFUSED|i/o timeout|timed out|ETIMEDOUT",
        "the package registries (PyPI, npm, Go proxy) cannot be reached: check the network or the proxy settings"
        " (HTTPS_PROXY), then run the same command",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|self.signed certificate|unable to get local issuer|x509:|UnknownIssuer",
        "a certificate on the way to the package registries is not trusted: give the one of your proxy in"
        " SSL_CERT_FILE, PIP_CERT and NODE_EXTRA_CA_CERTS, then run the same command",
    ),
    (
        r"do not match the hashes|integrity checksum failed|EINTEGRITY|checksum mismatch",
        "what arrived is not what the lock names: a proxy may have changed it, so run the same command once more",
    ),
)


def known_cause(said: str) -> str | None:
    """The next step for a failure that has nothing to do with the step itself, by the words of its tool."""
    return next((hint for words, hint in KNOWN_CAUSES if re.search(words, said, re.IGNORECASE)), None)


class Failed(Exception):
    """A step that cannot go on: which, why, and what a person does next."""

    def __init__(self, step: str, reason: str, hint: str) -> None:
        super().__init__(f"{step}: {reason}")
        self.step, self.reason, self.hint = step, reason, hint


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to install. Done when its stamp equals the digest of `inputs` and `made` exist."""

    name: str
    stamp: Path
    action: Callable[[Tell], None]
    inputs: Sequence[Path | str] = ()
    made: Sequence[Path] = ()
    after: Sequence[str] = ()
    hint: str = "read the log named above; the same command goes on where it stopped"

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
class Tell:
    """What a running step uses to say what it does and to run commands into its log."""

    step: str
    log: Path
    board: Board
    stopping: threading.Event

    def say(self, words: str) -> None:
        self.board.tell(self.step, words)

    def run(self, command: Sequence[str | Path], *, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        """Run a command; its output goes to the log. Raises Failed with the last lines."""
        words = [str(part) for part in command]
        with self.log.open("a") as log:
            log.write("$ " + " ".join(words) + "\n")
            log.flush()
            process = subprocess.Popen(
                words,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # npm and uv start others: all of them are stopped together, or they write on into a later set-up.
                start_new_session=True,
            )
            while process.poll() is None:
                if self.stopping.wait(0.1):
                    _end(process)
                    raise KeyboardInterrupt
        if process.returncode != 0:
            lines = self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            last = "\n".join("  " + line[:LINE_WIDTH] for line in lines)
            reason = f"{Path(words[0]).name} ended with {process.returncode} ({self.log}):\n{last}"
            raise Failed(self.step, reason, known_cause("\n".join(lines)) or "")


def _end(leader: subprocess.Popen[bytes]) -> None:
    """End a process and those it started; after some seconds without being asked."""
    for number, patience_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(leader.pid, number)
            leader.wait(patience_s)
    leader.wait()


@dataclass
class Board:
    """Live lines on a terminal; one line per begin and end elsewhere. Always on stderr."""

    names: list[str]
    logs: Path
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    drawn: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.width = max(len(name) for name in self.names)

    def begin(self, name: str) -> None:
        with self.lock:
            self.started[name] = time.monotonic()

    def tell(self, name: str, words: str) -> None:
        with self.lock:
            self.words[name] = words
        if not self.live:
            print(f"  {name:<{self.width}}  {words} …", file=sys.stderr, flush=True)

    def end(self, name: str, mark: str) -> None:
        with self.lock:
            spent = time.monotonic() - self.started[name]
            self.ended[name] = f"{mark} {spent:.0f} s"
        if not self.live:
            print(f"  {name:<{self.width}}  {self.ended[name]}", file=sys.stderr, flush=True)

    def draw(self) -> None:
        if not self.live:
            return
        with self.lock:
            lines = []
            for name in self.names:
                if name in self.ended:
                    lines.append(f"  {name:<{self.width}}  {self.ended[name]}")
                elif name in self.started:
                    spent = time.monotonic() - self.started[name]
                    lines.append(f"  {name:<{self.width}}  {self.words.get(name, '…')} ({spent:.0f} s)")
                else:
                    lines.append(f"  {name:<{self.width}}  waits")
            up = f"\x1b[{self.drawn}A" if self.drawn else ""
            sys.stderr.write(up + "".join(f"\x1b[2K{line[:110]}\n" for line in lines))
            sys.stderr.flush()
            self.drawn = len(lines)

    def close(self) -> None:
        self.draw()


def run_all(steps: Sequence[Step], board: Board) -> None:
    """Run every step once what it comes after is done. Raises the first Failed; others end first."""
    stopping = threading.Event()
    done: set[str] = set()
    failures: list[BaseException] = []
    names = {step.name for step in steps}
    threads: dict[str, threading.Thread] = {}
    board.logs.mkdir(parents=True, exist_ok=True)

    def work(step: Step) -> None:
        log = board.logs / (step.name.replace(" ", "-") + ".log")
        log.write_text("")
        board.begin(step.name)
        try:
            step.action(Tell(step.name, log, board, stopping))
            missing = [str(path) for path in step.made if not path.exists()]
            if missing:
                raise Failed(step.name, f"made no {', '.join(missing)}; see {log}", step.hint)
            step.stamp.parent.mkdir(parents=True, exist_ok=True)
            step.stamp.write_text(step.digest())
            board.end(step.name, "done in")
            done.add(step.name)
        except Failed as failure:
            board.end(step.name, "failed after")
            failures.append(Failed(failure.step, failure.reason, failure.hint or step.hint))
            stopping.set()
        except KeyboardInterrupt:
            board.end(step.name, "stopped after")
        except Exception as error:
            board.end(step.name, "failed after")
            reason = f"{type(error).__name__}: {error} (log: {log})"
            failures.append(Failed(step.name, reason, known_cause(reason) or step.hint))
            stopping.set()

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
    if failures:
        raise failures[0]
