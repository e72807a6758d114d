"""The stand-in as a command: what it prints on start and on bad input, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import HERE, KEY, StandIn

pytestmark = [pytest.mark.local_cloud, pytest.mark.slow]


def command(*arguments: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "local_cloud.runpod", *arguments],
        env=os.environ | {"RUNPOD_API_KEY": key},
        cwd=HERE.parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_missing_key_is_reported_with_its_variable(tmp_path: Path) -> None:
    ended = command("--port=0", f"--state={tmp_path}", key="")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "RUNPOD_API_KEY is not set" in ended.stderr
    assert "hint: " in ended.stderr


def test_a_port_in_use_is_reported(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ended = command(f"--port={taken.getsockname()[1]}", f"--state={tmp_path}")
    assert ended.returncode == 1
    assert "cannot be used" in ended.stderr


def test_a_damaged_images_file_is_reported(tmp_path: Path) -> None:
    images = tmp_path / "images.json"
    images.write_text("{")
    ended = command("--port=0", f"--state={tmp_path}", f"--images={images}")
    assert ended.returncode == 1
    assert "images.json cannot be used" in ended.stderr


def test_a_damaged_account_is_reported_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "account.json").write_text("{}")
    ended = command("--port=0", f"--state={tmp_path}")
    assert ended.returncode == 1
    assert "account.json cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "account.json").read_text() == "{}"


def test_with_a_port_alone_every_image_returns_its_input(tmp_path: Path) -> None:
    environment = os.environ | {"RUNPOD_API_KEY": KEY, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "local_cloud.runpod", "--port", "0"],
        env=environment,
        cwd=HERE.parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            headers = {"Authorization": f"Bearer {KEY}"}
            url = process.stdout.readline().strip()
            with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
                body = {
                    "name": "any",
                    "type": "QUEUE",
                    "image": "ghcr.io/anyone/anything:v1",
                    "gpu": {"pools": ["ADA_24"]},
                    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
                }
                endpoint = http.post("/v2/serverless", json=body).json()["id"]
                done = http.post(f"/v2/{endpoint}/runsync", json={"input": {"n": 1}}).json()
            assert (done["status"], done["output"]) == ("COMPLETED", {"n": 1})
        finally:
            process.terminate()
        assert process.wait(timeout=20) == 0
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_ends_it_with_success_and_frees_the_port(own_standin: Any) -> None:
    """As SIGTERM does, by which every other test ends it."""
    with own_standin() as standin:
        port = int(standin.url.rsplit(":", 1)[1])
        standin.process.send_signal(signal.SIGINT)
        assert standin.process.wait(timeout=20) == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_an_answer_does_not_wait_for_an_acknowledgement(standin: StandIn) -> None:
    elapsed_s = sorted(standin.http.get("/v2/registries").elapsed.total_seconds() for _ in range(20))
    assert elapsed_s[10] < 0.03  # with Nagle's algorithm it would be 0.04 at least


def test_no_secret_is_in_its_log_or_readable_by_other_users(own_standin: Any, tmp_path: Path) -> None:
    with own_standin() as standin:
        standin.http.post("/v2/registries", json={"name": "r", "username": "u", "password": "pa55-word"})
        make_noise(standin)
    log = (tmp_path / "standin.log").read_text()
    for secret in (KEY, "s3cret-value", "pa55-word"):
        assert secret not in log
    assert (tmp_path / "state/account.json").stat().st_mode & 0o077 == 0


def make_noise(standin: StandIn) -> None:
    """Refused and broken calls, whose input a service could log."""
    standin.http.post("/v2/registries", json={"name": "r", "username": "u", "password": "pa55-word"})
    standin.http.post("/v2/registries", json={"name": "", "username": "u", "password": "s3cret-value"})
    standin.http.post("/v2/registries", content=b'{"password": "pa55-word"')
    standin.http.get(f"/v2/serverless/{KEY}")
