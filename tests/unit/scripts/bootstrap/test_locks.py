"""The lock files have a wheel for every supported platform and Python, and the platform rules say no more than they.
Asks the registry for metadata only; skips, and says so, where neither the registry nor uv's cache has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from platforms import NEWEST_PYTHON, OLDEST_PYTHON, Machine, refusal  # type: ignore[import-not-found]

ROOT = Path(__file__).parents[4]
UV = ROOT / ".tools/uv/bin/uv"
DEPLOY = ("requirements/deploy.txt",)
EVERYTHING = (
    "requirements/deploy.txt",
    "requirements/test.txt",
    "worker_image/requirements.txt",
    "worker_image/requirements-test.txt",
)
MINORS = range(OLDEST_PYTHON[1], NEWEST_PYTHON[1] + 1)
PLATFORMS = {
    "x86_64-manylinux_2_28": ("Linux", "x86_64", (2, 28)),
    "aarch64-manylinux_2_28": ("Linux", "arm64", (2, 28)),
    "aarch64-apple-darwin": ("Darwin", "arm64", (14, 0)),
    "x86_64-apple-darwin": ("Darwin", "x86_64", (14, 0)),
}
NO_REGISTRY = ("error sending request", "dns error", "Network connectivity is disabled", "network was disabled")


def resolve(lock: str, platform: str, minor: int) -> subprocess.CompletedProcess[str]:
    """`uv pip install --dry-run` for another machine: hashes required, wheels only."""
    command = [
        *(UV, "pip", "install", "--dry-run", "--quiet", "--require-hashes", "--only-binary", ":all:"),
        *("--python-platform", platform, "--python-version", f"3.{minor}"),
        *("--target", ROOT / ".tools/nowhere", "--requirement", ROOT / lock),
    ]
    environment = {**os.environ, "UV_NO_CONFIG": "1", "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def machine(platform: str, minor: int) -> Machine:
    system, processor, version = PLATFORMS[platform]
    return Machine(system=system, processor=processor, version=version, python=(3, minor))


def need_registry(done: subprocess.CompletedProcess[str]) -> None:
    if any(words in done.stderr for words in NO_REGISTRY):
        pytest.skip("THE LOCKS ARE NOT RESOLVED FOR OTHER PLATFORMS: the package registry cannot be reached")


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.timeout(600)
@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_supported_machine_has_every_wheel(platform: str, minor: int) -> None:
    full = refusal(machine(platform, minor), worker=True) is None
    assert refusal(machine(platform, minor), worker=False) is None
    for lock in EVERYTHING if full else DEPLOY:
        done = resolve(lock, platform, minor)
        need_registry(done)
        assert done.returncode == 0, f"{lock} on {platform}, Python 3.{minor}:\n{done.stderr}"


@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.timeout(600)
@pytest.mark.parametrize("platform", [name for name in PLATFORMS if refusal(machine(name, 12), worker=True)])
def test_where_only_deploying_is_supported_the_worker_s_wheels_are_missing(platform: str) -> None:
    """The day that they exist, platforms.py refuses too much."""
    done = resolve("worker_image/requirements.txt", platform, 12)
    need_registry(done)
    assert "has no usable wheels" in done.stderr or "has no wheels with a matching platform tag" in done.stderr
