"""Set-up steps: order, stamps, and what a person reads when one fails."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from board import Board  # type: ignore[import-not-found]
from causes import Kind  # type: ignore[import-not-found]
from runner import Context, Failed, Step, due, run_all  # type: ignore[import-not-found]


def step(
    tmp_path: Path, name: str, action: object, *, after: tuple[str, ...] = (), inputs: tuple[object, ...] = ()
) -> Step:
    return Step(name=name, stamp=tmp_path / "stamps" / name, action=action, after=after, inputs=inputs)


def run(tmp_path: Path, steps: list[Step]) -> None:
    run_all(steps, Board([item.name for item in steps]), logs=tmp_path / "logs")


def failure(tmp_path: Path, action: Callable[[Context], None]) -> Failed:
    with pytest.raises(Failed) as caught:
        run(tmp_path, [step(tmp_path, "packages", action)])
    return caught.value


def test_steps_run_after_what_they_need_and_side_by_side_otherwise(tmp_path: Path) -> None:
    order: list[str] = []
    together = threading.Barrier(2, timeout=10)

    def meet(context: Context) -> None:
        together.wait()  # passes only while the other one runs too
        order.append(context.step.name)

    steps = [
        step(tmp_path, "last", lambda context: order.append(context.step.name), after=("left", "right")),
        step(tmp_path, "left", meet),
        step(tmp_path, "right", meet),
    ]
    run(tmp_path, steps)
    assert sorted(order[:2]) == ["left", "right"]
    assert order[2] == "last"


def test_a_finished_step_is_not_due_until_an_input_changes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one")
    steps = [step(tmp_path, "install", lambda context: None, inputs=(lock, "3.11"))]
    assert not steps[0].is_done()
    run(tmp_path, steps)
    assert steps[0].is_done()
    lock.write_text("two")
    assert not steps[0].is_done()


def test_a_step_waits_for_a_step_that_lost_its_work_also_behind_a_finished_one(tmp_path: Path) -> None:
    order: list[str] = []

    def note(context: Context) -> None:
        time.sleep(0.05)
        order.append(context.step.name)

    steps = [
        step(tmp_path, "build", note, after=("packages",)),
        step(tmp_path, "packages", note, after=("environment",)),
        step(tmp_path, "environment", note),
    ]
    run(tmp_path, steps[1:])
    (tmp_path / "stamps/environment").unlink()
    order.clear()
    run(tmp_path, due(steps))
    assert order == ["environment", "build"]


def test_a_failed_command_gives_its_last_lines_and_no_stamp(tmp_path: Path) -> None:
    def act(context: Context) -> None:
        context.run([sys.executable, "-c", "print('resolving'); raise SystemExit('no route to registry')"])

    steps = [step(tmp_path, "packages", act), step(tmp_path, "build", lambda context: None, after=("packages",))]
    with pytest.raises(Failed) as caught:
        run(tmp_path, steps)
    assert caught.value.step == "packages"
    assert "no route to registry" in caught.value.reason
    assert caught.value.hint
    assert not (tmp_path / "stamps").exists()


def test_a_failure_ends_the_commands_that_run_beside_it(tmp_path: Path) -> None:
    def slow(context: Context) -> None:
        context.run([sys.executable, "-c", "import time; time.sleep(60)"])

    def fail(context: Context) -> None:
        time.sleep(0.3)
        raise Failed("packages", "broken", "fix it")

    steps = [step(tmp_path, "slow", slow), step(tmp_path, "packages", fail)]
    began = time.monotonic()
    with pytest.raises(Failed, match="broken"):
        run(tmp_path, steps)
    assert time.monotonic() - began < 20


def test_a_step_that_does_not_make_what_it_promised_has_failed(tmp_path: Path) -> None:
    steps = [Step(name="engine", stamp=tmp_path / "s", action=lambda context: None, made=[tmp_path / "bin/pulumi"])]
    with pytest.raises(Failed, match=r"bin/pulumi is missing after the step"):
        run(tmp_path, steps)


def test_what_a_stopped_command_had_started_ends_with_it(tmp_path: Path) -> None:
    """npm is a script that starts Node: Node must not write on after Ctrl-C."""
    started = tmp_path / "pid"

    def act(context: Context) -> None:
        context.run(["sh", "-c", f"sleep 300 & echo $! > {started}; wait"])

    def fail_once_it_runs(_: Context) -> None:
        deadline = time.monotonic() + 20
        while not (started.exists() and started.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise Failed("other", "failed", "hint")

    steps = [step(tmp_path, "npm", act), step(tmp_path, "other", fail_once_it_runs)]
    with pytest.raises(Failed):
        run(tmp_path, steps)
    status = Path(f"/proc/{started.read_text().strip()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text(), "the grandchild runs on"


def test_only_the_failed_command_s_own_output_decides_the_cause(tmp_path: Path) -> None:
    """A step may try another way after a command that found no network: the later failure is no network failure."""

    def act(context: Context) -> None:
        context.run([sys.executable, "-c", "print('dial tcp: no such host')"])
        context.run([sys.executable, "-c", "raise SystemExit('syntax error')"])

    caught = failure(tmp_path, act)
    assert (caught.kind, "syntax error" in caught.reason) == (Kind.COMMAND, True)
    assert "no such host" not in caught.reason


def test_an_exception_of_ours_is_a_bug_with_its_traceback_in_the_log_only(tmp_path: Path) -> None:
    def act(context: Context) -> None:
        raise KeyError("timed out")  # words of a network failure do not make it one

    caught = failure(tmp_path, act)
    assert caught.kind is Kind.BUG
    log = tmp_path / "logs/packages.log"
    assert caught.reason == f"KeyError: 'timed out' (log: {log})"
    assert "Traceback" in log.read_text()
    assert "report it with the log" in caught.hint


def test_a_step_without_right_to_its_own_log_fails_as_a_step(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    caught = failure(tmp_path, lambda context: None)
    assert caught.step == "packages"
