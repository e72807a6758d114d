"""A worker whose stages take no time: the real handler, transfers and signed progress around an empty pipeline.
Runs as a process of its own on the unmodified runpod SDK, with the worker's Python.

It waits at every stage for which GATES holds a file `<project>.<stage>`, and writes `<project>.<stage>.reached`
there first. So a fault strikes at a stage, not at a time.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import runpod

from splat_worker.contract.job_input import JobInput
from splat_worker.contract.job_report import Artifact
from splat_worker.handler import Handler
from splat_worker.transfer.transfer import Transfer

GATES = Path(os.environ["GATES"])
STAGES = ("download", "photos", "sfm", "train", "export", "upload")
USD = float(os.environ["REPORT_USD"])
BILLED_S = 10.0
ARTIFACTS = ("scene.ply", "scene.sog", "poster.webp", "cameras.json")
USD = 0.0031
BILLED_S = 10.0


class EmptyPipeline:
    """Stands where the handler has the child process."""

    async def run(self, job: JobInput, *, seconds_max: float | None, on_event: Any) -> dict[str, Any]:
        """Download, pass every stage, upload. Returns the report."""
        with tempfile.TemporaryDirectory() as scratch, Transfer() as transfer:
            for stage in STAGES:
                on_event({"stage": stage, "fraction": 0.5, "message": stage, "eta_s": None, "preview": None})
                await _pass_gate(job.project_id, stage)
                if stage == "download":
                    await asyncio.to_thread(transfer.fetch_photos, job.photos, Path(scratch) / "photos")
                if stage == "upload":
                    report = await asyncio.to_thread(_deliver, job, Path(scratch), transfer)
            await _pass_gate(job.project_id, "result")
            return report


async def _pass_gate(project_id: str, stage: str) -> None:
    gate = GATES / f"{project_id}.{stage}"
    if gate.exists():
        gate.with_name(f"{gate.name}.reached").write_text(str(time.time()))
    while gate.exists():
        await asyncio.sleep(0.02)


def _deliver(job: JobInput, folder: Path, transfer: Transfer) -> dict[str, Any]:
    """Upload the artifacts, then the report as the last one, as the real worker does."""
    files = {name: folder / name for name in ARTIFACTS if name in job.outputs}
    for name, path in files.items():
        path.write_bytes(f"{name} of {job.project_id} ".encode() * 50)
    report = _report(job, transfer.put_all(files, job.outputs))
    path = folder / "report.json"
    path.write_text(json.dumps(report))
    transfer.put("report.json", path, job.outputs["report.json"])
    return report


def _report(job: JobInput, artifacts: dict[str, Artifact]) -> dict[str, Any]:
    price = job.price
    assert price is not None
    return {
        "version": 1,
        "project_id": job.project_id,
        "attempt": job.attempt,
        "preset": job.preset.value,
        "device": {"kind": "cpu", "name": "chaos", "count": 1},
        "photos": {"given": len(job.photos), "registered": len(job.photos), "rejected": []},
        "metrics": {"psnr_db": 25.5, "ssim": 0.8, "gaussians": 1000, "held_out": [], "width": 64, "height": 48}
        | {"reprojection_error_px": 0.5},
        "artifacts": {name: one.model_dump() for name, one in artifacts.items()},
        "stages": [{"stage": stage, "seconds": 1.0} for stage in STAGES],
        "peak_memory_mb": 100,
        "price": {"usd": USD, "usd_per_s": price.usd_per_s, "gpu": price.gpu, "as_of": price.as_of}
        | {"billed_s": BILLED_S, "estimate": True},
        "warnings": [],
        "versions": {"splat_worker": "chaos"},
    }


if __name__ == "__main__":
    runpod.serverless.start({"handler": Handler(EmptyPipeline(), runpod.serverless.progress_update)})  # type: ignore[arg-type]
