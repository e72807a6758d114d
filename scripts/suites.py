"""Runs the test suites two at a time, since half of them mostly wait. The output of each suite stays in one piece."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from common.stop_signals import stop_as_ctrl_c
from local_cloud import process_group

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".tools/tests"
# Two fill two cores. With more, the tests that measure time would measure each other.
LANES = 2
INTERRUPTED = 130
STOP_LIMIT_S = 30.0

LONGEST = "--durations=20"  # a log shows where its time went
PYTEST = (".venv/bin/python", "-m", "pytest", "-q", LONGEST)
WORKER_PYTEST = (
    *(".venv-worker/bin/python", "-m", "pytest", "-q", LONGEST),
    *("-c", "worker_image/pyproject.toml", "--rootdir", "."),
    "tests/unit/splat_worker",
)
PROGRAM_TESTS = ("tests/unit", "tests/contract", "tests/live", "--ignore", "tests/unit/splat_worker")
NPM = ("npm", "--prefix", "edge_worker", "--silent")
NOT_FAST = "not slow and not engine and not local_cloud and not browser and not docker"


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A command. uses: what it must not share with a suite that runs at the same time, such as a folder that it
    builds. alone: runs with nothing beside it."""

    name: str
    command: Sequence[str]
    uses: frozenset[str] = frozenset()
    alone: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def log(self, folder: Path) -> Path:
        return folder / f"{self.name.replace(' ', '-').replace(',', '')}.log"


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The result of a suite."""

    suite: Suite
    code: int
    seconds: float


# The tests of the edge Worker rebuild it, so nothing may deploy it at the same time.
BUILD = frozenset({"edge_worker/dist"})
CHROMIUM = frozenset({"chromium"})

LINT = (
    Suite(name="ruff", command=(".venv/bin/ruff", "check", ".")),
    Suite(name="mypy", command=(".venv/bin/mypy",)),
    Suite(name="mypy of the worker", command=(".venv/bin/mypy", "--config-file", "worker_image/pyproject.toml")),
    Suite(name="types of the edge worker", command=(*NPM, "run", "check")),
    Suite(name="types of the page", command=(*NPM, "run", "check:web")),
)
PAGE = Suite(name="page", command=(*NPM, "run", "test:web"))
# Longest first, so that the last suite runs alone for the shortest time.
ALL = (
    Suite(name="worker", command=(*WORKER_PYTEST, "-m", "not gpu")),
    Suite(
        name="program, provider and stand-ins",
        command=(*PYTEST, *PROGRAM_TESTS),
    ),
    Suite(name="stacks", command=(*PYTEST, "tests/stack")),
    Suite(name="edge worker", command=(*NPM, "test"), uses=BUILD),
    Suite(name="faults", command=(*PYTEST, "tests/chaos"), uses=BUILD),
    *LINT,
    PAGE,
    Suite(name="browser", command=("scripts/install-browser",), uses=CHROMIUM),
    Suite(
        name="photos to scene, and the page",
        command=(*PYTEST, "tests/e2e", "tests/browser"),
        uses=BUILD | CHROMIUM,
    ),
)
FAST = (
    PAGE,
    Suite(
        name="unit tests",
        command=(*PYTEST, *PROGRAM_TESTS, "-m", NOT_FAST),
    ),
    Suite(name="worker unit tests", command=(*WORKER_PYTEST, "-m", "not slow and not gpu")),
)
IMAGE = (
    # Builds for minutes, as root, so it is not part of `all`; there tests/docker skips with the reason.
    Suite(name="worker image", command=(*PYTEST, "tests/docker"), environment={"SPLAT_TEST_IMAGE": "1"}),
)
MACHINES = (Suite(name="new machines", command=(*PYTEST, "tests/machines"), environment={"SPLAT_TEST_MACHINES": "1"}),)
PROMETHEUS = frozenset({"prometheus"})
ALERTS = (
    # Each alert under its fault takes minutes in all, and needs Debian's Prometheus.
    Suite(name="prometheus", command=("scripts/install-prometheus",), uses=PROMETHEUS),
    Suite(
        name="alerts",
        command=(*PYTEST, "tests/alerts", "tests/unit/ops"),
        uses=PROMETHEUS,
        environment={"SPLAT_TEST_ALERTS": "1"},
    ),
)
CHAOS = (
    # All rows, also those that wait for minutes; writes the table of docs/reliability.md.
    Suite(name="all faults", command=(*PYTEST, "tests/chaos"), environment={"SPLAT_CHAOS": "all"}),
)
FUZZ = (
    # 10,000 cases of each kind, about half an hour; `all` runs 500 of each.
    Suite(
        name="fuzz of the worker", command=(WORKER_PYTEST[0], "-m", "tests.fuzz", "job-input", "checkpoints", "photos")
    ),
    Suite(name="fuzz of the configuration", command=(".venv/bin/python", "-m", "tests.fuzz", "configuration")),
    Suite(name="fuzz of the edge worker", command=(*NPM, "run", "attack"), uses=BUILD),
)
SOAK = (
    # Mixes of faults from a seed; a failure prints the command that replays it.
    Suite(name="soak", command=(*PYTEST, "-rP", "tests/chaos/test_soak.py")),
)
STEPS = (
    # Interrupts up and destroy at every step: half an hour. `all` runs a selection.
    Suite(
        name="every step",
        command=(*PYTEST, "tests/stack/interrupted/test_every_step.py"),
        environment={"SPLAT_EVERY_STEP": os.environ.get("SPLAT_EVERY_STEP", "all")},
    ),
)
PARTS: Mapping[str, Sequence[Suite]] = {
    "all": ALL,
    "fast": FAST,
    "lint": LINT,
    "image": IMAGE,
    "machines": MACHINES,
    "steps": STEPS,
    "chaos": CHAOS,
    "soak": SOAK,
    "alerts": ALERTS,
    "fuzz": FUZZ,
}


class Runner:
    """Runs suites in their order. Skips one only while it must not run beside a running one."""

    def __init__(self, suites: Sequence[Suite], *, lanes: int, logs: Path, out: IO[str]) -> None:
        self._waiting = list(suites)
        self._lanes = lanes
        self._logs = logs
        self._out = out
        self._running: dict[str, tuple[Suite, subprocess.Popen[bytes]]] = {}
        self._ended: list[Ended] = []
        self._changed = threading.Condition()

    def run(self) -> list[Ended]:
        """Run all suites. After Ctrl-C or SIGTERM, stops everything it started, then raises KeyboardInterrupt."""
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            with self._changed:
                while self._waiting or self._running:
                    while (suite := self._next()) is not None:
                        self._start(suite)
                    self._changed.wait()
        except KeyboardInterrupt:
            self._stop()
            raise
        return self._ended

    def _next(self) -> Suite | None:
        running = [suite for suite, _ in self._running.values()]
        if len(running) >= self._lanes or any(suite.alone for suite in running):
            return None
        taken = frozenset[str]().union(*(suite.uses for suite in running))
        for suite in self._waiting:
            if not suite.uses & taken and not (suite.alone and running):
                self._waiting.remove(suite)
                return suite
        return None

    def _start(self, suite: Suite) -> None:
        self._say(f"-- {suite.name} started")
        with suite.log(self._logs).open("wb") as log:
            # In a group of its own, so that Ctrl-C reaches it once, from here.
            process = process_group.start(
                suite.command,
                cwd=ROOT,
                env={**os.environ, **suite.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running[suite.name] = (suite, process)
        threading.Thread(target=self._watch, args=(suite, process, time.monotonic()), daemon=True).start()

    def _watch(self, suite: Suite, process: subprocess.Popen[bytes], began: float) -> None:
        code = process.wait()
        with self._changed:
            seconds = time.monotonic() - began
            self._say(f"\n== {suite.name}")
            self._say(suite.log(self._logs).read_text("utf-8", errors="replace").rstrip("\n"))
            self._say(f"== {suite.name}: {seconds:.0f} s{'' if code == 0 else f', FAILED (exit code {code})'}\n")
            self._ended.append(Ended(suite=suite, code=code, seconds=seconds))
            del self._running[suite.name]
            self._changed.notify_all()

    def _stop(self) -> None:
        with self._changed:
            processes = [process for _, process in self._running.values()]
        for process in processes:
            process_group.send(process.pid, signal.SIGINT)
        for process in processes:
            # Asked already: signal 0 does nothing.
            process_group.end(process, grace_s=STOP_LIMIT_S, ask=0)

    def _say(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


def environment() -> dict[str, str]:
    """The environment of every suite: our tools first, compiled kernels, no telemetry."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(ROOT / ".venv/bin"), os.environ.get("PATH", "")]),
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        # Set-up compiled the trainer's kernels there.
        "NUMBA_CACHE_DIR": str(ROOT / ".tools/kernels"),
        "WRANGLER_SEND_METRICS": "false",
        "WRANGLER_HIDE_BANNER": "true",
        "CLOUDFLARE_CF_FETCH_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def soak_environment(options: argparse.Namespace) -> dict[str, str]:
    """What tests/chaos/test_soak.py reads."""
    given = {name: getattr(options, name) for name in ("minutes", "seed", "step")}
    return {f"SPLAT_SOAK_{name.upper()}": str(value) for name, value in given.items() if value is not None}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="scripts/test", description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=sorted(PARTS))
    parser.add_argument("--lanes", type=int, default=LANES, help="suites at a time (default: %(default)s)")
    parser.add_argument("--minutes", type=float, help="of `soak`: how long (default: 1)")
    parser.add_argument("--seed", type=int, help="of `soak`: which mixes of faults (default: 1)")
    parser.add_argument("--step", type=int, help="of `soak`: only this one")
    options = parser.parse_args(argv)
    os.environ.update(environment())
    os.environ.update(soak_environment(options))
    stop_as_ctrl_c()
    began = time.monotonic()
    try:
        ended = Runner(PARTS[options.part], lanes=options.lanes, logs=LOGS, out=sys.stdout).run()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return INTERRUPTED
    failed = [one for one in ended if one.code != 0]
    print("Seconds: " + ", ".join(f"{one.suite.name} {one.seconds:.0f}" for one in ended))
    print(f"Total: {time.monotonic() - began:.0f} s.")
    if failed:
        print("\nFailed:", file=sys.stderr)
        for one in failed:
            print(f"  {one.suite.name} ({os.path.relpath(one.suite.log(LOGS))})", file=sys.stderr)
        return 1
    print("All suites passed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
