"""Several jobs in a row through one handler, under the unmodified RunPod SDK against the worker protocol on loopback.
Measures each job's seconds, the first progress of each stage, and the memory in use after it. Runs on a CPU too.

    python -m bench.gpu.handler_jobs PHOTOS_DIR --out FILE.json [--jobs 5] [--preset preview]

Needs the worker's own packages, and Node for SOG and SPZ.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.record import ROOT, arguments, write

PROTOCOL = ROOT / "tests" / "unit" / "splat_worker" / "runpod_server.py"
OUTPUTS = ("scene.ply", "scene.sog", "scene.spz", "preview.sog", "poster.webp", "cameras.json", "report.json")
JOB_LIMIT_S = 900
SETTLE_S = 1.0  # after an answer the child gives memory back
MIB = 1 << 20


def protocol() -> Any:
    """The module of the worker protocol that the handler's tests run against."""
    spec = importlib.util.spec_from_file_location("runpod_server", PROTOCOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["runpod_server"] = module
    spec.loader.exec_module(module)
    return module


def job_input(server: Any, names: list[str], number: int, preset: str) -> dict[str, Any]:
    photos = [{"name": n, "url": f"{server.url}/in/{n}", "bytes": len(server.objects[f"/in/{n}"])} for n in names]
    job = {"version": 1, "project_id": f"bench-{number}", "attempt": 1, "photos": photos, "preset": preset}
    job["outputs"] = {name: f"{server.url}/out/{number}/{name}" for name in OUTPUTS}
    return job


def memory_of(pid: int) -> dict[str, float | None]:
    """MiB in use: resident of the handler and all its descendants, and of the GPU as a whole (None without one)."""
    parents, pages = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                pages[int(entry.name)] = int((entry / "statm").read_text().split()[1])
    family, found = {pid}, {pid}
    while found:  # the child that trains leads a session of its own, so groups would miss it
        found = {child for child, parent in parents.items() if parent in found} - family
        family |= found
    resident = sum(pages.get(member, 0) for member in family) * os.sysconf("SC_PAGE_SIZE")
    gpu = None
    with contextlib.suppress(OSError):
        asked = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        gpu = float(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()[0])
    return {"resident_mib": round(resident / MIB), "gpu_mib": gpu}


def watched(server: Any, job_id: str) -> tuple[dict[str, Any], dict[str, float]]:
    """The job's answer, and the seconds to the first progress of each stage."""
    began, first = time.monotonic(), {}
    while time.monotonic() - began < JOB_LIMIT_S:
        for message in server.progress(job_id):
            first.setdefault(message["stage"], round(time.monotonic() - began, 2))
        for found, body in list(server.done):
            if found == job_id and body.get("status") != "IN_PROGRESS":
                return body, first
        time.sleep(0.02)
    raise TimeoutError(f"{job_id} gave no answer within {JOB_LIMIT_S} s")


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=5)
    parser.add_argument("--preset", default="preview")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with protocol().RunPodServer() as server, tempfile.TemporaryDirectory() as home:
        names = sorted(path.name for path in options.photos.iterdir())
        server.objects.update({f"/in/{name}": (options.photos / name).read_bytes() for name in names})
        search = os.pathsep.join([str(ROOT / "worker_image" / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, **server.environment(), "PYTHONPATH": search, "TMPDIR": home}
        log = options.out.with_suffix(".log").open("wb")
        worker = subprocess.Popen(
            [sys.executable, "-m", "splat_worker.handler"],
            env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            for number in range(options.jobs):
                began = time.monotonic()
                job = {"id": f"job-{number}", "input": job_input(server, names, number, options.preset)}
                server.jobs.put(job)
                answer, first = watched(server, job["id"])
                row: dict[str, Any] = {"job": number + 1, "seconds": round(time.monotonic() - began, 2)}
                output = answer.get("output") or {}
                if "metrics" in output:
                    row["stages_s"] = {stage["stage"]: stage["seconds"] for stage in output["stages"]}
                    row |= {"psnr": output["metrics"]["psnr_db"], "gaussians": output["metrics"]["gaussians"]}
                else:
                    row["error"] = answer.get("error") or output.get("error")
                time.sleep(SETTLE_S)
                rows.append(row | {"first_progress_s": first, "left": memory_of(worker.pid)})
                print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            log.close()
    write(options.out, rows)
    return 0 if all("error" not in row for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
