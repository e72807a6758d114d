"""Review stacks, on a recorder of the engine; tests/stack runs the real one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from scripts.gitops import review
from scripts.gitops.engine import Engine, EngineFailed
from tests.unit.scripts.gitops.recorder import Recorder

ROOT = Path(__file__).resolve().parents[4]


@pytest.mark.parametrize("number", ["", "0", "01", "-1", "1; rm -rf .", "../x", "1\n2", "１", "9" * 12])
def test_only_a_plain_number_names_a_review_stack(number: str) -> None:
    with pytest.raises(review.BadNumber):
        review.stack_name(number)


def test_a_pull_request_gets_a_stack_from_the_template(tmp_path: Path) -> None:
    (tmp_path / review.TEMPLATE).write_text("config: {}\n")
    engine = Recorder(tmp_path)
    outputs = review.open_stack(engine, "7", {"photo-splat:image": "repo@sha256:aa"})
    assert outputs["appUrl"] == "https://app.example"
    assert (tmp_path / "Pulumi.pr-7.yaml").read_text() == "config: {}\n"
    assert [command[:2] for command in engine.commands] == [("stack", "init"), ("config", "set"), ("up", "--stack")]


def test_the_next_commit_updates_the_same_stack(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("dev", "pr-7"))
    review.open_stack(engine, "7", {})
    assert ("config", "refresh", "--stack", "pr-7", "--force") in engine.commands
    assert not any(command[:2] == ("stack", "init") for command in engine.commands)


def test_closing_destroys_and_removes_the_stack_and_accepts_that_there_is_none(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-7",))
    assert review.close_stack(engine, "7") is True
    assert [command[0] for command in engine.commands] == ["config", "destroy", "stack"]
    assert review.close_stack(engine, "8") is False


@pytest.mark.parametrize("command", [review.close_stack, lambda engine, number: review.open_stack(engine, number, {})])
def test_a_stack_whose_first_deployment_was_interrupted_continues_from_the_template(
    tmp_path: Path, command: Callable[[Engine, str], object]
) -> None:
    (tmp_path / review.TEMPLATE).write_text("config: {}\n")
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="config refresh", reason=review.NEVER_DEPLOYED)

    command(engine, "7")

    assert (tmp_path / "Pulumi.pr-7.yaml").read_text() == "config: {}\n"
    assert engine.commands[1][0] in ("destroy", "up")


def test_a_stack_whose_configuration_cannot_be_fetched_fails_with_the_reason(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="config refresh", reason="no network")
    with pytest.raises(EngineFailed, match="no network"):
        review.close_stack(engine, "7")


LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete
  file:///state/.pulumi/locks/organization/photo-splat/pr-7/961b4f46.json: created by root@vm (pid 25900) at {at}"""


@pytest.mark.parametrize(("age", "cancelled"), [(timedelta(hours=3), True), (timedelta(minutes=50), False)])
def test_a_lock_that_no_job_can_hold_any_more_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: timedelta, *, cancelled: bool
) -> None:
    (tmp_path / "Pulumi.pr-7.yaml").write_text("config: {}\n")
    reason = LOCKED.format(at=(datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ"))
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="destroy --stack", reason=reason)

    with pytest.raises(EngineFailed):  # the recorder fails every destroy
        review.close_stack(engine, "7")

    destroys = ["destroy", "cancel", "destroy"] if cancelled else ["destroy"]
    assert [command[0] for command in engine.commands] == destroys


def test_every_workflow_that_changes_a_review_stack_ends_before_its_lock_is_cancelled() -> None:
    for name in ("review", "sweep"):
        jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
        assert all(timedelta(minutes=job["timeout-minutes"]) < review.LOCK_IS_STALE_AFTER for job in jobs.values())


def test_a_sweep_destroys_only_review_stacks_of_closed_pull_requests(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("dev", "prod", "pr-1", "pr-2", "pr-3", "pr-x", "my-pr-4"))
    swept = review.sweep(engine, ["2"])
    assert swept.destroyed == ("pr-1", "pr-3")
    assert not any("dev" in command or "prod" in command for command in engine.commands)


def test_a_stack_that_cannot_be_destroyed_does_not_stop_the_sweep(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-1", "pr-2"), failing="destroy --stack pr-1")
    swept = review.sweep(engine, [])
    assert swept.destroyed == ("pr-2",)
    assert list(swept.failed) == ["pr-1"]
