"""The command line: what it prints and its exit codes when `pulumi preview` answers in different ways."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.gitops import plan
from scripts.gitops.__main__ import main

REJECTED = {
    "steps": [{"op": "same", "urn": "urn:pulumi:dev::photo-splat::pulumi:pulumi:Stack::photo-splat-dev"}],
    "diagnostics": [
        {"severity": "warning", "message": "warning: using a plugin from $PATH\n"},
        {"severity": "error", "message": "error: photo-splat:gpuu is no key of this project\n"},
    ],
}


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    """Makes `pulumi preview` print a text and exit with a code. Returns the folder of a stack `dev`."""

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


def test_a_preview_that_the_program_rejects_fails_and_the_comment_shows_the_reason(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = answers(json.dumps(REJECTED), 255)

    assert main(["preview", "--stack", "dev", "--image", ""], folder=folder) == 1

    printed = capsys.readouterr()
    assert printed.out.startswith(plan.COMMENT_MARK)
    assert "```text\nphoto-splat:gpuu is no key of this project\n```" in printed.out
    assert "photo-splat:gpuu is no key of this project" in printed.err


@pytest.mark.parametrize(
    ("text", "code"),
    [("error: incorrect passphrase", 255), ("", 255), ('{"steps": []}', 255), ("not JSON", 0), ("{}", 137)],
)
def test_without_a_plan_the_comment_shows_none_of_the_engines_output(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    folder = answers(text, code)

    assert main(["preview", "--stack", "dev", "--image", ""], folder=folder) == 1

    printed = capsys.readouterr()
    assert printed.out.startswith(plan.COMMENT_MARK)
    assert "Pulumi returned no plan" in printed.out
    assert not text or text not in printed.out
    assert text in printed.err


@pytest.mark.parametrize(("text", "code"), [(json.dumps(REJECTED), 255), ("error: no network", 255)])
def test_a_failed_refresh_is_not_drift(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str], text: str, code: int
) -> None:
    folder = answers(text, code)

    assert main(["drift", "--stack", "dev"], folder=folder) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert ("gpuu is no key" if text.startswith("{") else "no network") in printed.err


def test_a_stack_without_a_file_is_reported_with_the_files_name(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = answers("{}", 0)

    assert main(["drift", "--stack", "prod"], folder=folder) == 1

    assert "Stack prod has no Pulumi.prod.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["photo-splat:image", "=value", ""])
def test_a_setting_without_key_or_value_is_rejected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str
) -> None:
    with pytest.raises(SystemExit):
        main(["review-open", "7", "--set", setting], folder=tmp_path)
    assert f"{setting!r} is not KEY=VALUE" in capsys.readouterr().err


def test_the_engine_recorded_by_set_up_runs(
    answers: Callable[[str, int], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = answers("error: the engine on PATH", 255)
    recorded = folder / "recorded"
    recorded.mkdir()
    (recorded / "pulumi").write_text("#!/bin/sh\necho 'error: the recorded engine' >&2; exit 255\n")
    (recorded / "pulumi").chmod(0o755)
    (folder / ".tools").mkdir()
    (folder / ".tools/engine.json").write_text(json.dumps({"folder": str(recorded)}))

    assert main(["drift", "--stack", "dev"], folder=folder) == 1

    assert "the recorded engine" in capsys.readouterr().err
