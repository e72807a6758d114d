"""A deployment and its rollback, on a recorder of the engine; tests/stack runs the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.gitops import deploy
from tests.unit.scripts.gitops.recorder import Recorder


def healthy(_url: str, _stack: str) -> None:
    return None


def test_a_healthy_image_stays(tmp_path: Path) -> None:
    ended = deploy.deploy(Recorder(tmp_path, image="repo@sha256:aa"), "dev", "repo@sha256:bb", check=healthy)
    assert (ended.outcome, ended.image) == (deploy.Outcome.DEPLOYED, "repo@sha256:bb")


def test_an_unhealthy_image_is_rolled_back_to_the_last_good_one(tmp_path: Path) -> None:
    engine = Recorder(tmp_path, image="repo@sha256:aa")

    def check(_url: str, _stack: str) -> None:
        if engine.state["image"].endswith("bb"):  # type: ignore[attr-defined]
            raise deploy.NotHealthy("it is broken")

    ended = deploy.deploy(engine, "dev", "repo@sha256:bb", check=check)
    assert (ended.outcome, ended.image, ended.reason) == (deploy.Outcome.ROLLED_BACK, "repo@sha256:aa", "it is broken")
    assert engine.state["image"] == "repo@sha256:aa"  # type: ignore[attr-defined]


def test_a_first_deployment_that_fails_has_nothing_to_roll_back_to(tmp_path: Path) -> None:
    def check(_url: str, _stack: str) -> None:
        raise deploy.NotHealthy("it is broken")

    ended = deploy.deploy(Recorder(tmp_path), "dev", "repo@sha256:bb", check=check)
    assert ended.outcome is deploy.Outcome.FAILED


def test_when_the_last_good_image_fails_as_well_both_reasons_are_reported(tmp_path: Path) -> None:
    def check(_url: str, _stack: str) -> None:
        raise deploy.NotHealthy("it is broken")

    ended = deploy.deploy(Recorder(tmp_path, image="repo@sha256:aa"), "dev", "repo@sha256:bb", check=check)
    assert (ended.outcome, ended.image) == (deploy.Outcome.FAILED, "repo@sha256:aa")
    assert ended.reason == "it is broken\nThe last good image failed as well: it is broken"


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
def test_healthy_means_that_the_app_of_this_stack_answers(
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
