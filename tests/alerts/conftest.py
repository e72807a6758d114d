"""One cloud and one Prometheus for all alerts.
Runs only when asked (`scripts/test alerts`), and skips loudly without Prometheus; with CI=true that is a failure."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.alerts import prometheus
from tests.chaos import cloud as chaos
from tests.contract.edge.conftest import TOKEN

ASKED_VARIABLE = "SPLAT_TEST_ALERTS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.local_cloud)
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def binary() -> Path:
    if not os.environ.get(ASKED_VARIABLE):
        pytest.skip("THE ALERTS ARE NOT TESTED on a real Prometheus: they take four minutes. Run `scripts/test alerts`")
    found = prometheus.find("prometheus")
    if found is None:
        words = "THE ALERTS ARE NOT TESTED: prometheus is not installed (scripts/install-prometheus)"
        pytest.fail(words, pytrace=False) if os.environ.get("CI") else pytest.skip(words)
    return found


@pytest.fixture(scope="session")
def cloud(binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[chaos.Cloud]:
    with chaos.running(tmp_path_factory.mktemp("alerts") / "cloud") as started:
        yield started


@pytest.fixture(scope="session")
def server(
    binary: Path, cloud: chaos.Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[prometheus.Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus.running(binary, folder, target=f"127.0.0.1:{cloud.ports.app}", token=TOKEN) as started:
        yield started
