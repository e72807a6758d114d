"""Debian's Prometheus on the files of ops/prometheus, with time compressed. Starts one process; knows no alert."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from local_cloud import process_group
from tests.chaos.cloud import until

ROOT = Path(__file__).parents[2]
FILES = ROOT / "ops/prometheus"
FETCHED = ROOT / ".tools/prometheus/usr/bin"  # by scripts/install-prometheus
# Every duration of a rule is divided by this: 5 minutes become a second, an hour becomes 12.
COMPRESSION = 300
SCRAPE_INTERVAL = "500ms"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def find(name: str) -> Path | None:
    """`prometheus` or `promtool`: on PATH, else what the set-up of the tests fetched."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), str(FETCHED)]))
    return Path(found) if found else None


def compressed(rules: str) -> str:
    """alerts.yml with the same rules in compressed time. Changes `for:`, the range of a selector (`[1h]`), and the
    number that a metric in seconds is compared with; nothing else."""

    def shorter(found: re.Match[str]) -> str:
        seconds = int(found["number"]) * _SECONDS[found["unit"]]
        return f"{found['before']}{max(1, round(seconds * 1000 / COMPRESSION))}ms{found['after']}"

    duration = r"(?P<number>\d+)(?P<unit>[smhd])"
    rules = re.sub(rf"(?P<before>\bfor: ){duration}(?P<after>)$", shorter, rules, flags=re.MULTILINE)
    rules = re.sub(rf"(?P<before>\[){duration}(?P<after>\])", shorter, rules)
    return re.sub(
        r"(splat_\w+_seconds\b[^\n]*?[<>] )(\d+)", lambda found: f"{found[1]}{int(found[2]) / COMPRESSION:g}", rules
    )


def scrape_config(example: str, *, target: str, token_file: Path) -> str:
    """scrape.yml for the local cloud: another address, its token, no TLS, and short intervals."""
    config = yaml.safe_load(example)
    [job] = config["scrape_configs"]
    job["scheme"] = "http"
    job["scrape_interval"] = SCRAPE_INTERVAL
    job["authorization"]["credentials_file"] = str(token_file)
    job["static_configs"][0]["targets"] = [target]
    return yaml.safe_dump({**config, "global": {"evaluation_interval": SCRAPE_INTERVAL}}, sort_keys=False)


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A running server."""

    url: str

    def get(self, path: str, **query: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=30, trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def firing(self) -> dict[str, dict[str, Any]]:
        """Alerts that fire now, by name."""
        return {one["labels"]["alertname"]: one for one in self.get("alerts")["alerts"] if one["state"] == "firing"}

    def target(self) -> dict[str, Any]:
        """The app as a scrape target: labels, health, last error. {} before Prometheus has read its configuration."""
        return dict(next(iter(self.get("targets")["activeTargets"]), {}))


@contextlib.contextmanager
def running(binary: Path, folder: Path, *, target: str, token: str) -> Iterator[Prometheus]:
    """Prometheus with the example's configuration on `target`. Raises AssertionError where it does not start."""
    token_file = folder / "photo-splat.token"
    token_file.write_text(token)
    (folder / "alerts.yml").write_text(compressed((FILES / "alerts.yml").read_text()))
    config = folder / "prometheus.yml"
    config.write_text(scrape_config((FILES / "scrape.yml").read_text(), target=target, token_file=token_file))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (folder / "prometheus.log").open("wb") as log:
        process = process_group.start(
            [
                str(binary),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    made = Prometheus(url=f"http://127.0.0.1:{port}")

    def ready() -> bool:
        assert process.poll() is None, (folder / "prometheus.log").read_text()
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{made.url}/-/ready", timeout=5, trust_env=False).status_code == 200
        return False

    try:
        until(ready, "Prometheus is ready")
        yield made
    finally:
        process_group.end(process, grace_s=15)
