"""What every record of figures carries: command, date, machine and load. Standard library only."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BENCH = ROOT / "bench"


def record(command: str, **figures: Any) -> dict[str, Any]:
    """`figures` with what they depend on. load: of the last minute; below 1 the machine was quiet."""
    date = datetime.now(UTC).date().isoformat()
    return {"command": command, "date": date, "machine": machine(), "load": round(os.getloadavg()[0], 1), **figures}


def write(path: Path, found: Mapping[str, Any] | Sequence[Any]) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n")


def machine() -> str:
    return f"{os.cpu_count()} cores, {_cpu_name()}, Python {platform.python_version()}"


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def cpu_s(pid: int | None = None) -> float:
    """User and system seconds of a process so far (Linux); of this one with its finished children by default."""
    if pid is None:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(who: int = resource.RUSAGE_SELF) -> int:
    return round(resource.getrusage(who).ru_maxrss / 1024)


def in_own_process(module: str, case: object) -> dict[str, Any]:
    """`python -m MODULE --one CASE`, for honest memory and CPU figures. Returns the JSON of its last line."""
    command = [sys.executable, "-m", module, "--one", json.dumps(case)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(case, row, file=sys.stderr)
    return row


def medians(rows: Sequence[Mapping[str, Any]], figures: Sequence[str]) -> dict[str, Any]:
    return {figure: statistics.median(row[figure] for row in rows) for figure in figures}


def arguments(doc: str | None) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
