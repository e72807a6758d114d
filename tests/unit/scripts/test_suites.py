"""`scripts/test`: which suites run side by side, that each output stays whole, Ctrl-C, and the exit code.
The suites here are small programs; the last test checks the real list."""

from __future__ import annotations

import argparse
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scripts import suites
from scripts.suites import Runner, Suite

ROOT = Path(__file__).resolve().parents[3]


def suite(name: str, program: str, **more: object) -> Suite:
    return Suite(name=name, command=(sys.executable, "-c", program), **more)  # type: ignore[arg-type]


def run(tmp_path: Path, *given: Suite, lanes: int = 2) -> tuple[dict[str, int], str]:
    out = io.StringIO()
    ended = Runner(given, lanes=lanes, logs=tmp_path / "logs", out=out).run()
    return {one.suite.name: one.code for one in ended}, out.getvalue()


def meet(folder: Path, mine: str, other: str) -> str:
    """A program that succeeds when the other one runs at the same time."""
    return (
        f"import pathlib, sys, time\nfolder = pathlib.Path({str(folder)!r}); (folder / {mine!r}).touch()\n"
        f"end = time.monotonic() + 10\nwhile not (folder / {other!r}).exists():\n"
        "    time.monotonic() < end or sys.exit(3)\n    time.sleep(0.01)\n"
    )


def test_two_suites_run_side_by_side(tmp_path: Path) -> None:
    codes, _ = run(tmp_path, suite("a", meet(tmp_path, "a", "b")), suite("b", meet(tmp_path, "b", "a")))
    assert codes == {"a": 0, "b": 0}


def test_suites_that_share_a_folder_run_one_after_the_other_and_do_not_hold_up_the_rest(tmp_path: Path) -> None:
    alone = (
        f"import pathlib, sys, time\nmark = pathlib.Path({str(tmp_path)!r}) / 'held'\n"
        "mark.exists() and sys.exit(4)\nmark.touch(); time.sleep(0.3); mark.unlink()\n"
    )
    shared = frozenset({"dist"})
    codes, said = run(
        tmp_path, suite("a", alone, uses=shared), suite("b", alone, uses=shared), suite("c", "print('c passed')")
    )
    assert codes == {"a": 0, "b": 0, "c": 0}
    assert said.index("-- c started") < said.index("-- b started")


def test_a_suite_that_must_be_alone_has_nothing_beside_it(tmp_path: Path) -> None:
    watch = "import time; time.sleep(0.2)"
    _, said = run(tmp_path, suite("a", watch), suite("b", watch, alone=True), suite("c", watch))
    lines = [line for line in said.splitlines() if line.startswith(("-- b", "== b"))]
    between = said[said.index(lines[0]) : said.index(lines[-1])]
    assert "-- c started" not in between
    assert "== a" not in between


def test_outputs_stay_whole_and_a_failure_names_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = "import sys, time\nfor n in range(5):\n    print('{0}', n, flush=True); time.sleep(0.02)\nsys.exit({1})"
    monkeypatch.setattr(suites, "PARTS", {"all": (suite("x", talk.format("x", 0)), suite("y", talk.format("y", 7)))})
    monkeypatch.setattr(suites, "LOGS", tmp_path / "logs")
    monkeypatch.chdir(tmp_path)

    assert suites.main(["all"]) == 1

    said = capsys.readouterr()
    for name in "xy":
        assert "\n".join(f"{name} {n}" for n in range(5)) in said.out
    assert "== y: 0 s, FAILED (exit code 7)" in said.out
    assert said.err == "\nFailed:\n  y (logs/y.log)\n"
    assert "All suites passed" not in said.out


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda stop: stop.name)
def test_a_stop_signal_ends_everything_that_was_started(tmp_path: Path, stop: signal.Signals) -> None:
    mark = str(tmp_path / "pid")
    sleeper = f"import os, pathlib, time; pathlib.Path({mark!r}).write_text(str(os.getpid())); time.sleep(60)"
    program = (
        "import sys\nfrom scripts import suites\n"
        f"suites.PARTS = {{'all': (suites.Suite(name='s', command=(sys.executable, '-c', {sleeper!r})),)}}\n"
        "sys.exit(suites.main(['all']))\n"
    )
    # A shell's background job ignores Ctrl-C, nohup a closed terminal, and children inherit both.
    heard = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", heard + program],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    started.send_signal(stop)
    assert started.wait(timeout=20) == suites.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_every_test_folder_belongs_to_a_suite() -> None:
    words = [word for one in (*suites.ALL, *suites.IMAGE, *suites.MACHINES, *suites.ALERTS) for word in one.command]
    named = {word.split("/")[1] for word in words if word.startswith("tests/")}
    assert {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")} <= named


def test_the_options_of_a_soak_reach_its_test() -> None:
    given = argparse.Namespace(minutes=20.0, seed=7, step=None)
    assert suites.soak_environment(given) == {"SPLAT_SOAK_MINUTES": "20.0", "SPLAT_SOAK_SEED": "7"}
