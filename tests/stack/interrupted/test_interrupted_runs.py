"""Interrupted runs: SIGKILL to the engine and all its children, at several steps of up and destroy.
The next run finishes, and nothing exists twice."""

from __future__ import annotations

import os
import re
import subprocess
import threading

import pytest

from scripts.splat_cli.state_file import repair
from tests.stack.conftest import BUCKET, STACK, LocalCloud, Project
from tests.stack.support.killing import kill_all

pytestmark = [pytest.mark.engine, pytest.mark.local_cloud, pytest.mark.slow, pytest.mark.timeout(2400)]

LIMIT_S = 600
STEP = re.compile(r" (created|updated|deleted|replaced)( |$)")


def interrupt(project: Project, command: str, *, when: re.Pattern[str], nth: int) -> int:
    """Start `pulumi <command>` and kill it with everything it started at the nth line that matches.
    Returns how many lines matched; the run must not have ended by itself."""
    process = subprocess.Popen(
        ["pulumi", command, "--stack", STACK, "--yes", "--skip-preview", "--non-interactive", "--color=never"],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    watchdog = threading.Timer(LIMIT_S, kill_all, (process,))
    watchdog.start()
    said, seen = [], 0
    try:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            seen += bool(when.search(line))
            if seen == nth:
                kill_all(process)
                break
        process.stdout.close()
        process.wait()
    finally:
        watchdog.cancel()
    assert seen == nth, "the run ended before it could be interrupted:\n" + "".join(said)
    return seen


def unlock(project: Project) -> None:
    """What `splat up` does first after an engine was killed: repair a truncated state, release the lock."""
    repair(project.folder / "state")
    subprocess.run(
        ["pulumi", "cancel", "--stack", STACK, "--yes"],
        cwd=project.folder,
        env={**os.environ, **project.environment},
        check=True,
        capture_output=True,
        timeout=60,
    )


def test_interrupted_runs_are_finished_by_the_next_without_a_duplicate(project: Project, cloud: LocalCloud) -> None:
    project.destroy()
    for nth in (2, 5, 8):
        interrupt(project, "up", when=STEP, nth=nth)
        unlock(project)

    project.up()

    assert len(cloud.endpoints()) == 1
    assert [name for kind, name in cloud.resources() if kind == "R2Bucket"] == [BUCKET]
    assert cloud.told()["RUNPOD_ENDPOINT_ID"] == cloud.endpoints()[0]["id"]
    project.preview(expect_no_changes=True)

    for nth in (2, 4):
        interrupt(project, "destroy", when=STEP, nth=nth)
        unlock(project)
    project.destroy()

    cloud.assert_empty()
