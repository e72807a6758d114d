"""Whole jobs on photo sets of growing size: seconds per stage, photos placed, quality, memory of the GPU and the host.

    python -m bench.gpu.sets FOLDER... [--preset standard] [--out FILE.json] [--files scene.ply]

Each job runs in a process of its own, as a cold worker does. Runs on a CPU too. Compressed files need Node: name them
in --files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from bench.gpu.drawn_sets import centre_errors
from bench.record import arguments, write

MIB = 1 << 20
POLL_S = 0.2
ALWAYS = ("scene.ply", "poster.webp", "cameras.json", "report.json")


def job_of(folder: Path, preset: str, files: list[str], seed: int) -> dict[str, Any]:
    """One job in this process: its report, and its seconds after the imports."""
    from splat_worker.contract.job_input import Preset
    from splat_worker.job.pipeline import run_folder
    from splat_worker.job.run import JobRun, SceneJob
    from splat_worker.progress import Event
    from splat_worker.shell.folder import find_sources
    from splat_worker.transfer.delivery import Folder

    began = time.perf_counter()
    marks: dict[str, float] = {}

    def on_event(event: Event) -> None:
        if event.stage.value == "sfm":
            part = "features" if event.fraction < 0.35 else "matches" if event.fraction < 0.7 else "mapping"
            marks.setdefault(part, time.perf_counter())

    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryDirectory() as out:
        job = SceneJob(project_id="bench", preset=Preset(preset), seed=seed)
        delivery = Folder(path=Path(out), wanted=frozenset((*ALWAYS, *files)), keeps_checkpoints=False)
        run = JobRun(job=job, scratch=Path(scratch), delivery=delivery, on_event=on_event)
        report = run_folder(run, find_sources(folder, Path(out)))
        cameras = json.loads((Path(out) / "cameras.json").read_text())["cameras"]
    sfm_s = next(stage.seconds for stage in report.stages if stage.stage.value == "sfm")
    ends = [*list(marks.values())[1:], next(iter(marks.values())) + sfm_s]
    parts = {name: round(end - start, 1) for (name, start), end in zip(marks.items(), ends, strict=True)}
    found = {"seconds": time.perf_counter() - began, "sfm_s": parts, "report": report.model_dump(mode="json")}
    if (truth := folder.with_suffix(".json")).exists():
        found["centre_errors"] = centre_errors({camera["name"]: camera["position"] for camera in cameras}, truth)
    return found


class GpuMemory(threading.Thread):
    """Polls the GPU's used memory. peak_mib: the most seen, None without a GPU."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak_mib: int | None = None
        self._ended = threading.Event()

    def run(self) -> None:
        query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
        while not self._ended.wait(POLL_S):
            try:
                answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError):
                return
            self.peak_mib = max(self.peak_mib or 0, int(answer.split()[0]))

    def end(self) -> int | None:
        self._ended.set()
        self.join()
        return self.peak_mib


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """One row: a job in a child process, watched from here."""
    memory = GpuMemory()
    memory.start()
    command = [sys.executable, "-m", "bench.gpu.sets", "--one", str(folder), "--preset", options.preset]
    command += ["--seed", str(options.seed), "--files", *options.files]
    began = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    whole_s = time.perf_counter() - began
    peak = memory.end()
    if done.returncode != 0:
        words = (done.stdout.strip().splitlines() or ["no message"])[-1]
        return {"set": folder.name, "whole_s": round(whole_s, 1), "gpu_mib": peak, "failed": words}
    found = json.loads(done.stdout.splitlines()[-1])
    report = found["report"]
    return {
        "set": folder.name,
        "preset": options.preset,
        "given": report["photos"]["given"],
        "placed": report["photos"]["registered"],
        "rejected": report["photos"]["rejected"],
        "sfm": report["sfm"],
        "up": report["up"],
        "whole_s": round(whole_s, 1),
        "sfm_s": found["sfm_s"],
        "stages_s": {stage["stage"]: round(stage["seconds"], 1) for stage in report["stages"]},
        "centre_errors": found.get("centre_errors"),
        "metrics": report["metrics"],
        "gpu_mib": peak,
        "host_mib": report["peak_memory_mb"],
        "warnings": report["warnings"],
    }


def line_of(row: dict[str, Any]) -> str:
    if "failed" in row:
        return f"{row['set']}: failed after {row['whole_s']} s: {row['failed']}"
    sfm, figures = row["sfm"], row["metrics"]
    parts = [
        f"{row['set']}: {row['placed']}/{row['given']} by {sfm['rung']} {sfm['tried']}",
        f"{row['whole_s']} s {row['stages_s']} {row['sfm_s']}",
        f"{figures['psnr_db']} / {figures['psnr_fitted_db']} dB, SSIM {figures['ssim']}",
        f"{figures['gaussians']} Gaussians, GPU {row['gpu_mib']} MiB, host {row['host_mib']} MiB",
    ]
    return ", ".join(parts) + (f", centres {row['centre_errors']}" if row["centre_errors"] else "")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--files", nargs="*", default=["scene.ply"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("sets.json"))
    options = parser.parse_args()
    if options.one:
        from splat_worker.errors import as_job_error

        try:
            print(json.dumps(job_of(options.one, options.preset, options.files, options.seed)))
        except Exception as error:
            failure = as_job_error(error, None)
            print(f"{failure.code.value}: {failure.message}")
            raise SystemExit(1) from error
        return
    rows = []
    for folder in options.folders:
        rows.append(measured(folder, options))
        print(line_of(rows[-1]), file=sys.stderr, flush=True)
        write(options.out, {"sets": rows})


if __name__ == "__main__":
    main()
