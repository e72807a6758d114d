"""Set-up steps: order, stamps, and what a person reads when one fails."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[4] / "scripts/bootstrap.d"))

from runner import Board, Failed, Step, Tell, run_all  # type: ignore[import-not-found]


def step(
    tmp_path: Path, name: str, action: object, *, after: tuple[str, ...] = (), inputs: tuple[object, ...] = ()
) -> Step:
    return Step(name=name, stamp=tmp_path / "stamps" / name, action=action, after=after, inputs=inputs)


def board(tmp_path: Path, steps: list[Step]) -> Board:
    return Board([item.name for item in steps], logs=tmp_path / "logs")


def test_steps_run_after_what_they_need_and_side_by_side_otherwise(tmp_path: Path) -> None:
    order: list[str] = []
    together = threading.Barrier(2, timeout=10)

    def meet(tell: Tell) -> None:
        together.wait()  # passes only while the other one runs too
        order.append(tell.step)

    steps = [
        step(tmp_path, "last", lambda tell: order.append(tell.step), after=("left", "right")),
        step(tmp_path, "left", meet),
        step(tmp_path, "right", meet),
    ]
    run_all(steps, board(tmp_path, steps))
    assert sorted(order[:2]) == ["left", "right"]
    assert order[2] == "last"


def test_a_finished_step_is_not_due_until_an_input_changes(tmp_path: Path) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("one")
    steps = [step(tmp_path, "install", lambda tell: None, inputs=(lock, "3.11"))]
    assert not steps[0].is_done()
    run_all(steps, board(tmp_path, steps))
    assert steps[0].is_done()
    lock.write_text("two")
    assert not steps[0].is_done()


def test_a_failed_command_gives_its_last_lines_and_no_stamp(tmp_path: Path) -> None:
    def act(tell: Tell) -> None:
        tell.run([sys.executable, "-c", "print('resolving'); raise SystemExit('no route to registry')"])

    steps = [step(tmp_path, "packages", act), step(tmp_path, "build", lambda tell: None, after=("packages",))]
    with pytest.raises(Failed) as caught:
        run_all(steps, board(tmp_path, steps))
    assert caught.value.step == "packages"
    assert "no route to registry" in caught.value.reason
    assert caught.value.hint
    assert not (tmp_path / "stamps").exists()


def test_a_failure_ends_the_commands_that_run_beside_it(tmp_path: Path) -> None:
    def slow(tell: Tell) -> None:
        tell.run([sys.executable, "-c", "import time; time.sleep(60)"])

    def fail(tell: Tell) -> None:
        time.sleep(0.3)
        raise Failed("packages", "broken", "mend it")

    steps = [step(tmp_path, "slow", slow), step(tmp_path, "packages", fail)]
    began = time.monotonic()
    with pytest.raises(Failed, match="broken"):
        run_all(steps, board(tmp_path, steps))
    assert time.monotonic() - began < 20


def test_a_step_that_does_not_make_what_it_promised_has_failed(tmp_path: Path) -> None:
    steps = [Step(name="engine", stamp=tmp_path / "s", action=lambda tell: None, made=[tmp_path / "bin/pulumi"])]
    with pytest.raises(Failed, match=r"made no .*bin/pulumi"):
        run_all(steps, board(tmp_path, steps))


def test_what_a_stopped_command_had_started_ends_with_it(tmp_path: Path) -> None:
    """npm is a script that starts Node: Node must not write on after Ctrl-C."""
    started = tmp_path / "pid"

    def act(tell: Tell) -> None:
        tell.run(["sh", "-c", f"sleep 300 & echo $! > {started}; wait"])

    def fail_once_it_runs(_: Tell) -> None:
        deadline = time.monotonic() + 20
        while not (started.exists() and started.read_text().strip()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        raise Failed("other", "failed", "hint")

    steps = [step(tmp_path, "npm", act), step(tmp_path, "other", fail_once_it_runs)]
    with pytest.raises(Failed):
        run_all(steps, board(tmp_path, steps))
    status = Path(f"/proc/{started.read_text().strip()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text(), "the grandchild runs on"


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("<urlopen error [Errno -3] Temporary failure in name resolution>", "cannot be reached"),
        ("npm error code ENOTFOUND", "cannot be reached"),
        ("error: dial tcp: lookup proxy: no such host", "cannot be reached"),
        ("OSError: [Errno 28] No space left on device", "the disk is full"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "a certificate"),
        ("THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE", "not what the lock names"),
    ],
)
def test_a_cause_outside_the_step_has_its_own_next_step(said: str, part: str, tmp_path: Path) -> None:
    def act(tell: Tell) -> None:
        tell.run([sys.executable, "-c", f"raise SystemExit({said!r})"])

    steps = [step(tmp_path, "packages", act)]
    with pytest.raises(Failed) as caught:
        run_all(steps, board(tmp_path, steps))
    assert part in caught.value.hint


def test_a_disk_too_small_is_told_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import main as bootstrap  # type: ignore[import-not-found]

    usage = type("Usage", (), {"free": 2.5e9})
    monkeypatch.setattr(bootstrap.shutil, "disk_usage", lambda _: usage)
    assert "2.5 GB are free" in bootstrap._room_short([step(tmp_path, "worker environment", None)])
    assert bootstrap._room_short([step(tmp_path, "deploy environment", None)]) is None
