"""The smoke test fails at once where the endpoint may start no worker."""

from __future__ import annotations

from typing import Any, cast

import httpx
import pytest

from infra.runpod.client import RetryPolicy, RunPodClient
from scripts.splat_cli.errors import CommandError
from scripts.splat_cli.smoke.workers import check_workers
from scripts.splat_cli.stack_access import StackAccess


class Access:
    """A stack whose RunPod gives one answer."""

    stack = "dev"
    endpoint_id = "ep1"

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.answer = httpx.Response(status, json=body)

    def runpod(self) -> RunPodClient:
        transport = httpx.MockTransport(lambda _: self.answer)
        return RunPodClient(api_key="key", transport=transport, retry=RetryPolicy(attempts=1))


def check(status: int, body: dict[str, Any]) -> None:
    check_workers(cast("StackAccess", Access(status, body)))


def test_an_endpoint_lowered_to_no_worker_is_named_with_the_fix() -> None:
    with pytest.raises(CommandError, match="Endpoint ep1 may start no worker") as refused:
        check(200, {"id": "ep1", "workers": {"min": 0, "max": 0}})
    assert refused.value.hint.startswith("splat up --stack dev")


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, {"id": "ep1", "workers": {"min": 0, "max": 2}}), (200, {"id": "ep1"}), (403, {}), (500, {})],
)
def test_an_endpoint_with_workers_and_a_runpod_without_an_answer_pass(status: int, body: dict[str, Any]) -> None:
    check(status, body)
