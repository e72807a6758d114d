"""Claims of the workflows' programs: plan text, review stacks, and a deployment's way back.
The engine is a recorder or a shell script here; tests/stack runs the real one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from scripts.gitops import deploy, plan, review
from scripts.gitops.__main__ import main
from scripts.gitops.engine import Engine, EngineFailed

ROOT = Path(__file__).resolve().parents[4]

# plan text --------------------------------------------------------------------------------------


def step(op: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"op": op, "urn": f"urn:pulumi:dev::photo-splat::splat:gpu:X${kind}::{name}", **more}


ENDPOINT = plan.ENDPOINT_TYPE
SCRIPT = "cloudflare:index/workersScript:WorkersScript"


def test_a_plan_without_changes_says_so() -> None:
    text = plan.render({"steps": [step("same", SCRIPT, "edge-script")]}, stack="dev")
    assert text == f"{plan.COMMENT_MARK}\n### Plan of stack `dev`\n\nNothing changes.\n"


def test_a_plan_lists_resources_and_the_image() -> None:
    text = plan.render(
        {
            "steps": [
                step("same", SCRIPT, "other"),
                step(
                    "update",
                    ENDPOINT,
                    "gpu-endpoint",
                    diffReasons=["image"],
                    oldState={"inputs": {"image": "repo@sha256:aa"}},
                    newState={"inputs": {"image": "repo@sha256:bb"}},
                ),
                step("create-replacement", SCRIPT, "edge-script", diffReasons=["scriptName"]),
                step("replace", SCRIPT, "edge-script", diffReasons=["scriptName"]),
                step("delete-replaced", SCRIPT, "edge-script", diffReasons=["scriptName"]),
            ]
        },
        stack="dev",
    )
    assert text == (
        f"{plan.COMMENT_MARK}\n### Plan of stack `dev`\n\n1 to **replace**, 1 to update.\n\n"
        "| | resource | type | changed |\n|---|---|---|---|\n"
        "| update | `gpu-endpoint` | `Endpoint` | `image` |\n"
        "| **replace** | `edge-script` | `WorkersScript` | `scriptName` |\n\n"
        "Worker image:\n\n```diff\n- repo@sha256:aa\n+ repo@sha256:bb\n```\n"
    )


def test_a_plan_shows_no_values_of_properties() -> None:
    secret = "rpa_SECRET"
    text = plan.render(
        {
            "steps": [
                step(
                    "update", SCRIPT, "edge-script", diffReasons=["bindings"], newState={"inputs": {"bindings": secret}}
                )
            ]
        },
        stack="dev",
    )
    assert secret not in text


def test_a_failed_preview_is_told_inside_a_fence_that_it_cannot_leave() -> None:
    text = plan.render({"diagnostics": [{"severity": "error", "message": "bad\n```\n# heading"}]}, stack="dev")
    assert text.count("```") == 2
    assert "bad" in text


def test_a_long_plan_is_cut_with_its_number() -> None:
    text = plan.render({"steps": [step("create", SCRIPT, f"r{n}") for n in range(plan.ROWS_MAX + 5)]}, stack="dev")
    assert "and 5 more" in text


# what the engine answers ------------------------------------------------------------------------

REFUSED = {
    "steps": [{"op": "same", "urn": "urn:pulumi:dev::photo-splat::pulumi:pulumi:Stack::photo-splat-dev"}],
    "diagnostics": [
        {"severity": "warning", "message": "warning: using a plugin from $PATH\n"},
        {"severity": "error", "message": "error: photo-splat:gpuu is no key of this project\n"},
        {
            "severity": "error",
            "message": "error: an unhandled error occurred: program exited with non-zero exit code: 1\n",
        },
    ],
}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Makes `pulumi preview` answer as told; gives the folder of a stack `dev`."""

    def make(text: str, code: int) -> Path:
        (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
        (tmp_path / "answer").write_text(text)
        (tmp_path / "pulumi").write_text(
            f"#!/bin/sh\ncase \"$*\" in *preview*) cat {tmp_path}/answer; exit {code} ;; *) echo '{{}}' ;; esac\n"
        )
        (tmp_path / "pulumi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
        return tmp_path

    return make


def test_a_preview_that_the_program_refuses_is_told_in_the_comment_and_fails(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = answers(json.dumps(REFUSED), 255)

    assert main(["preview", "--stack", "dev", "--image", ""], folder=folder) == 1

    said = capsys.readouterr()
    assert said.out.startswith(plan.COMMENT_MARK)
    assert "```text\nphoto-splat:gpuu is no key of this project\n```" in said.out
    assert "photo-splat:gpuu is no key of this project" in said.err


@pytest.mark.parametrize(
    ("text", "code"),
    [("error: incorrect passphrase", 255), ("", 255), ('{"steps": []}', 255), ("not JSON", 0), ("{}", 137)],
)
def test_without_a_plan_the_comment_says_so_and_shows_none_of_the_engines_words(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    folder = answers(text, code)

    assert main(["preview", "--stack", "dev", "--image", ""], folder=folder) == 1

    said = capsys.readouterr()
    assert said.out.startswith(plan.COMMENT_MARK)
    assert "The engine gave no plan" in said.out
    assert not text or text not in said.out
    assert text in said.err


@pytest.mark.parametrize(("text", "code"), [(json.dumps(REFUSED), 255), ("error: no network", 255)])
def test_a_look_for_drift_that_fails_is_no_drift(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    folder = answers(text, code)

    assert main(["drift", "--stack", "dev"], folder=folder) == 1

    said = capsys.readouterr()
    assert said.out == ""
    assert ("gpuu is no key" if text.startswith("{") else "no network") in said.err


def test_a_stack_without_a_file_is_told_by_the_files_name(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = answers("{}", 0)

    assert main(["drift", "--stack", "prod"], folder=folder) == 1

    assert "stack prod has no Pulumi.prod.yaml" in capsys.readouterr().err


# review stacks ----------------------------------------------------------------------------------


class Recorder(Engine):
    """Remembers commands; knows stacks; fails where told."""

    def __init__(
        self, folder: Path, stacks: tuple[str, ...] = (), failing: str = "", image: str = "", reason: str = ""
    ) -> None:
        object.__setattr__(self, "folder", folder)
        object.__setattr__(self, "environment", {})
        state = {"stacks": list(stacks), "commands": [], "failing": failing, "image": image, "reason": reason}
        object.__setattr__(self, "state", state)

    @property
    def commands(self) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = self.state["commands"]  # type: ignore[attr-defined]
        return found

    def run(self, *arguments: str) -> str:
        self.commands.append(arguments)
        state = self.state  # type: ignore[attr-defined]
        if state["failing"] and state["failing"] in " ".join(arguments):
            raise EngineFailed(f"pulumi {arguments[0]} failed: {state['reason']}")
        if arguments[:2] == ("config", "set"):
            state["pending"] = arguments[-1]
        if arguments[0] == "up" and "pending" in state:
            state["image"] = state["pending"]
        return ""

    def ask(self, *arguments: str) -> Any:
        state = self.state  # type: ignore[attr-defined]
        if arguments[:2] == ("stack", "ls"):
            return [{"name": f"organization/photo-splat/{name}"} for name in state["stacks"]]
        return {"appUrl": "https://app.example", **({"imageReference": state["image"]} if state["image"] else {})}


@pytest.mark.parametrize("number", ["", "0", "01", "-1", "1; rm -rf .", "../x", "1\n2", "１", "9" * 12])
def test_only_a_plain_number_names_a_review_stack(number: str) -> None:
    with pytest.raises(review.BadNumber):
        review.stack_name(number)


def test_a_pull_request_gets_a_stack_of_the_template(tmp_path: Path) -> None:
    (tmp_path / review.TEMPLATE).write_text("config: {}\n")
    engine = Recorder(tmp_path)
    outputs = review.open_stack(engine, "7", {"photo-splat:image": "repo@sha256:aa"})
    assert outputs["appUrl"] == "https://app.example"
    assert (tmp_path / "Pulumi.pr-7.yaml").read_text() == "config: {}\n"
    assert [command[:2] for command in engine.commands] == [("stack", "init"), ("config", "set"), ("up", "--stack")]


@pytest.mark.parametrize("setting", ["photo-splat:image", "=value", ""])
def test_a_setting_without_key_or_value_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    with pytest.raises(SystemExit):
        main(["review-open", "7", "--set", setting], folder=tmp_path)
    assert f"{setting!r} is not KEY=VALUE" in capsys.readouterr().err


def test_its_next_commit_updates_the_same_stack(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("dev", "pr-7"))
    review.open_stack(engine, "7", {})
    assert ("config", "refresh", "--stack", "pr-7", "--force") in engine.commands
    assert not any(command[:2] == ("stack", "init") for command in engine.commands)


def test_closing_destroys_and_removes_and_is_done_where_there_is_none(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-7",))
    assert review.close_stack(engine, "7") is True
    assert [command[0] for command in engine.commands] == ["config", "destroy", "stack"]
    assert review.close_stack(engine, "8") is False


@pytest.mark.parametrize("command", [review.close_stack, lambda engine, number: review.open_stack(engine, number, {})])
def test_a_stack_whose_first_deployment_was_cut_off_goes_on_from_the_template(
    tmp_path: Path, command: Callable[[Engine, str], object]
) -> None:
    (tmp_path / review.TEMPLATE).write_text("config: {}\n")
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="config refresh", reason=review.NEVER_DEPLOYED)

    command(engine, "7")

    assert (tmp_path / "Pulumi.pr-7.yaml").read_text() == "config: {}\n"
    assert engine.commands[1][0] in ("destroy", "up")


def test_a_stack_whose_configuration_cannot_be_had_is_told(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="config refresh", reason="no network")
    with pytest.raises(EngineFailed, match="no network"):
        review.close_stack(engine, "7")


LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete
  file:///state/.pulumi/locks/organization/photo-splat/pr-7/961b4f46.json: created by root@vm (pid 25900) at {at}"""


@pytest.mark.parametrize(("age", "given_up"), [(timedelta(hours=3), True), (timedelta(minutes=50), False)])
def test_a_lock_is_given_up_when_no_job_can_hold_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: timedelta, *, given_up: bool
) -> None:
    (tmp_path / "Pulumi.pr-7.yaml").write_text("config: {}\n")
    reason = LOCKED.format(at=(datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ"))
    engine = Recorder(tmp_path, stacks=("pr-7",), failing="destroy --stack", reason=reason)

    with pytest.raises(EngineFailed):  # the recorder never lets a destroy pass
        review.close_stack(engine, "7")

    destroys = ["destroy", "cancel", "destroy"] if given_up else ["destroy"]
    assert [command[0] for command in engine.commands] == destroys


def test_every_workflow_that_changes_a_review_stack_ends_before_its_lock_is_given_up() -> None:
    for name in ("review", "sweep"):
        jobs = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())["jobs"]
        assert all(timedelta(minutes=job["timeout-minutes"]) < review.LOCK_IS_LEFT for job in jobs.values())


def test_a_sweep_takes_only_review_stacks_of_closed_pull_requests(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("dev", "prod", "pr-1", "pr-2", "pr-3", "pr-x", "my-pr-4"))
    swept = review.sweep(engine, ["2"])
    assert swept.destroyed == ("pr-1", "pr-3")
    assert not any("dev" in command or "prod" in command for command in engine.commands)


def test_a_stack_that_cannot_be_destroyed_does_not_stop_the_sweep(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, stacks=("pr-1", "pr-2"), failing="destroy --stack pr-1")
    swept = review.sweep(engine, [])
    assert swept.destroyed == ("pr-2",)
    assert list(swept.failed) == ["pr-1"]


# deployment -------------------------------------------------------------------------------------


def healthy(_url: str, _stack: str) -> None:
    return None


def test_an_image_that_answers_stays(tmp_path: Path) -> None:
    ended = deploy.deploy(Recorder(tmp_path, image="repo@sha256:aa"), "dev", "repo@sha256:bb", check=healthy)
    assert (ended.outcome, ended.image) == (deploy.Outcome.DEPLOYED, "repo@sha256:bb")


def test_an_image_that_does_not_answer_gives_way_to_the_last_good_one(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, image="repo@sha256:aa")

    def check(_url: str, _stack: str) -> None:
        if engine.state["image"].endswith("bb"):  # type: ignore[attr-defined]
            raise deploy.NotHealthy("it is ill")

    ended = deploy.deploy(engine, "dev", "repo@sha256:bb", check=check)
    assert (ended.outcome, ended.image, ended.reason) == (deploy.Outcome.RETURNED, "repo@sha256:aa", "it is ill")
    assert engine.state["image"] == "repo@sha256:aa"  # type: ignore[attr-defined]


def test_a_first_deployment_that_fails_has_nothing_to_return_to(tmp_path: Path) -> None:
    def check(_url: str, _stack: str) -> None:
        raise deploy.NotHealthy("it is ill")

    ended = deploy.deploy(Recorder(tmp_path), "dev", "repo@sha256:bb", check=check)
    assert ended.outcome is deploy.Outcome.FAILED


def test_when_the_last_good_image_fails_too_both_reasons_are_told(tmp_path: Path) -> None:
    def check(_url: str, _stack: str) -> None:
        raise deploy.NotHealthy("it is ill")

    ended = deploy.deploy(Recorder(tmp_path, image="repo@sha256:aa"), "dev", "repo@sha256:bb", check=check)
    assert (ended.outcome, ended.image) == (deploy.Outcome.FAILED, "repo@sha256:aa")
    assert ended.reason == "it is ill\nand the last good image failed too: it is ill"


@pytest.mark.parametrize(
    ("answer", "good"),
    [
        (httpx.Response(200, json={"status": "ok", "stack": "dev"}), True),
        (httpx.Response(200, json={"status": "ok", "stack": "prod"}), False),
        (httpx.Response(503, text="no"), False),
        (httpx.Response(200, text="<html>"), False),
        (httpx.ConnectError("down"), False),
    ],
)
def test_healthy_means_that_this_stack_answers(
    answer: httpx.Response | Exception, good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "SMOKE_PAUSE_S", 0.0)

    def get(_url: str, **_given: Any) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    if good:
        deploy.smoke("https://app.example", "dev", limit_s=0.0, get=get)
        return
    with pytest.raises(deploy.NotHealthy):
        deploy.smoke("https://app.example", "dev", limit_s=0.0, get=get)
