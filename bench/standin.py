"""How the RunPod stand-in carries many jobs: none lost, none run twice, and the same cost per job at any depth.

.venv/bin/python -m bench.standin [--jobs 1000] [--workers 5] [--out bench/standin.json]
"""

from __future__ import annotations

import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from bench.record import BENCH, ROOT, arguments, cpu_s, record, write

KEY = "rpa_bench"
REPOSITORY = "bench.local/echo"
BATCH = 100


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=5)
    parser.add_argument("--out", type=Path, default=BENCH / "standin.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.jobs, options.workers)
    command = f".venv/bin/python -m bench.standin --jobs {options.jobs} --workers {options.workers}"
    write(options.out, record(command, **found))
    print(json.dumps(found["summary"], indent=1))
    return 0 if found["summary"]["lost"] == found["summary"]["run_twice"] == 0 else 1


def measure(folder: Path, jobs: int, workers: int) -> dict[str, Any]:
    executions = folder / "executions"
    images = folder / "images.json"
    env = {
        "EXECUTIONS_FILE": str(executions),
        "RUNPOD_SKIP_AUTO_SYSTEM_CHECKS": "true",
        "RUNPOD_SKIP_GPU_CHECK": "true",
    }
    images.write_text(
        json.dumps({REPOSITORY: {"command": [sys.executable, str(BENCH / "standin_worker.py")], "env": env}})
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "local_cloud.runpod", "--port=0", f"--state={folder}/state", f"--images={images}"],
        env=os.environ | {"RUNPOD_API_KEY": KEY},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as http:
            return run(http, process.pid, executions, jobs, workers)
    finally:
        process.terminate()
        process.wait(timeout=60)


def run(http: httpx.Client, pid: int, executions: Path, jobs: int, workers: int) -> dict[str, Any]:
    http.patch("/_control/settings", json={"job_rate_limits": False, "rate_limit_minute": None}).raise_for_status()
    body = {
        "name": "bench",
        "type": "QUEUE",
        "image": f"{REPOSITORY}:v1",
        "gpu": {"pools": ["ADA_24"]},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
        "workers": {"min": workers, "max": workers, "idleTimeout": 3600},
        "timeout": 600_000,
    }
    endpoint = http.post("/v2/serverless", json=body).raise_for_status().json()["id"]
    while http.get(f"/v2/serverless/{endpoint}/workers").json()["summary"]["idle"] < workers:
        time.sleep(0.2)

    cpu_before_s, started = cpu_s(pid), time.monotonic()
    submits_ms: list[float] = []
    ids: list[str] = []
    submitted_s: list[float] = []
    for number in range(jobs):
        before = time.monotonic()
        submitted_s.append(before)
        ids.append(http.post(f"/v2/{endpoint}/run", json={"input": {"n": number}}).json()["id"])
        submits_ms.append((time.monotonic() - before) * 1000)
    health_ms: list[float] = []
    while True:
        before = time.monotonic()
        counts = http.get(f"/v2/{endpoint}/health").json()["jobs"]
        health_ms.append((time.monotonic() - before) * 1000)
        if counts["inQueue"] == counts["inProgress"] == 0:
            break
        time.sleep(0.5)
    wall_s, cpu_used_s = time.monotonic() - started, cpu_s(pid) - cpu_before_s

    found = [http.get(f"/v2/{endpoint}/status/{one}").json() for one in ids]
    runs = collections.Counter(executions.read_text().split())
    execution = median_per_batch([one["executionTime"] for one in found])
    pauses = median_per_batch(pauses_ms(found, submitted_s))
    return {
        "what": "runpod SDK 1.12.0 echo workers at concurrency 1; the SDK itself pauses about 1 s after each job",
        "summary": {
            "jobs": jobs,
            "workers": workers,
            "completed": sum(one["status"] == "COMPLETED" for one in found),
            "lost": sum(runs[one] == 0 for one in ids),
            "run_twice": sum(count > 1 for count in runs.values()),
            "wrong_output": sum(one.get("output") != {"n": number} for number, one in enumerate(found)),
            "wall_s": round(wall_s, 1),
            "jobs_per_s": round(jobs / wall_s, 2),
            "standin_cpu_ms_per_job": round(1000 * cpu_used_s / jobs, 2),
            "submit_ms_p50": round(statistics.median(submits_ms), 2),
            "submit_ms_p99": round(statistics.quantiles(submits_ms, n=100)[98], 2),
            "health_ms_p50": round(statistics.median(health_ms), 2),
        },
        "execution_ms_median_per_batch_of_100": execution,
        "between_jobs_ms_median_per_batch_of_100": pauses,
        "jobs_per_worker": sorted(collections.Counter(one["workerId"] for one in found).values()),
    }


def median_per_batch(values: list[float]) -> list[float]:
    return [round(statistics.median(values[start : start + BATCH]), 1) for start in range(0, len(values), BATCH)]


def pauses_ms(found: list[dict[str, Any]], submitted_s: list[float]) -> list[float]:
    """From the end of a job to the start of the next on the same worker, in order of the starts.

    The SDK's own pause of about a second is included. What grows with the number of jobs is the stand-in's."""
    free_s: dict[str, float] = {}
    pauses = []
    starts_s = [at_s + one["delayTime"] / 1000 for at_s, one in zip(submitted_s, found, strict=True)]
    for start_s, one in sorted(zip(starts_s, found, strict=True), key=lambda pair: pair[0]):
        before_s = free_s.get(one["workerId"])
        free_s[one["workerId"]] = start_s + one["executionTime"] / 1000
        if before_s is not None:
            pauses.append((start_s - before_s) * 1000)
    return pauses


if __name__ == "__main__":
    sys.exit(main())
