"""The pipeline from a shell: unusable folders are reported before any work, and what a signal leaves."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from pathlib import Path

import pytest

from splat_worker import __main__ as shell
from splat_worker.contract.job_report import Report
from splat_worker.errors import Code, JobError
from splat_worker.export.portable import ALSO
from splat_worker.job.run import JobRun
from splat_worker.shell.stopping import SOON
from splat_worker.shell.words import STOPPED


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(b"never read")
    return folder


def test_an_output_folder_that_cannot_be_created_fails_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", lambda *_: pytest.fail("the work began"))
    (tmp_path / "file").touch()
    assert shell.main([str(photos), str(tmp_path / "file" / "out")]) == 1
    errors = capsys.readouterr().err
    assert f"BAD_INPUT: Cannot write to {tmp_path / 'file' / 'out'}: Not a directory." in errors
    assert "--user" in errors


@pytest.mark.parametrize("given", [["nowhere"], ["photos"]])
def test_a_missing_or_empty_folder_creates_no_output_folder(
    given: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    assert shell.main([str(tmp_path / given[0]), str(tmp_path / "out")]) == 1
    assert "hint: " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("seen", [KeyboardInterrupt, SystemError], ids=["in Python", "in a compiled kernel"])
def test_a_signal_ends_the_run_with_one_sentence_and_leaves_no_scratch_folder(
    *,
    number: signal.Signals,
    code: int,
    seen: type[BaseException],
    photos: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A compiled kernel turns the interrupt into a SystemError."""
    # Not what this process inherited: a shell starts what runs in the background without Ctrl-C.
    usual = signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL
    inherited = signal.signal(number, usual)

    def work(run: object, sources: object) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except KeyboardInterrupt:
            raise seen from None

    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", work)
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    try:
        assert shell.main([str(photos), str(tmp_path / "out")]) == code
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, inherited)
    captured = capfd.readouterr()
    assert captured.err == f"{SOON.decode()}{STOPPED}\n"
    assert captured.out == ""
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 2, "set TMPDIR"),
        (RuntimeError("secret"), 2, "--verbose"),
        (JobError(Code.TIME_LIMIT, "Too slow."), 1, "--max-seconds"),
        (JobError(Code.TOO_FEW_PHOTOS, "Two.", hint="Take more."), 1, "Take more."),
    ],
)
def test_the_hint_is_for_whoever_typed_the_command(
    *,
    error: Exception,
    code: int,
    says: str,
    photos: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def work(run: object, sources: object) -> None:
        raise error

    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", work)
    assert shell.main([str(photos), str(tmp_path / "out")]) == code
    printed = capsys.readouterr().err
    assert says in printed.splitlines()[-1]
    assert "Operators" not in printed
    assert "secret" not in printed


def test_a_file_in_place_of_the_output_folder_is_reported(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scene").write_text("mine")
    assert shell.main([str(photos), str(tmp_path / "scene")]) == 1
    assert "is a file, not a folder" in capsys.readouterr().err
    assert (tmp_path / "scene").read_text() == "mine"


def test_each_word_of_also_asks_for_its_file(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[frozenset[str]] = []

    def run(job: JobRun, sources: object) -> Report:
        wanted.append(job.delivery.wanted)
        raise JobError(Code.TOO_FEW_PHOTOS, "enough seen")

    monkeypatch.setattr("splat_worker.job.pipeline.run_folder", run)
    words = [part for word in ALSO for part in ("--also", word)]
    assert shell.main([str(photos), str(tmp_path / "out"), *words]) == 1
    assert shell.main([str(photos), str(tmp_path / "out")]) == 1
    assert wanted[0] - wanted[1] == {"scene.glb", "scene.html", "dataset.zip"} == set(ALSO.values())
