"""The worker of bench.load: answers every job at once with a report of its own. Unmodified runpod SDK, no GPU work."""

from __future__ import annotations

from typing import Any

import runpod  # type: ignore[import-untyped]

STAGES = ("download", "photos", "sfm", "train", "export", "upload")


async def handler(job: dict[str, Any]) -> dict[str, Any]:
    asked = job["input"]
    return {
        "version": 1,
        "project_id": asked["project_id"],
        "attempt": asked["attempt"],
        "preset": asked["preset"],
        "device": {"kind": "cpu", "name": "load", "count": 1},
        "photos": {"given": len(asked["photos"]), "registered": len(asked["photos"]), "rejected": []},
        "metrics": {"psnr_db": 25.5, "ssim": 0.8, "gaussians": 1000, "held_out": [], "width": 64, "height": 48}
        | {"reprojection_error_px": 0.5},
        "artifacts": {},
        "stages": [{"stage": stage, "seconds": 1.5} for stage in STAGES],
        "peak_memory_mb": 100,
        "price": {**asked["price"], "usd": 0.0031, "billed_s": 9.0, "estimate": True},
        "warnings": [],
        "versions": {"splat_worker": "load"},
    }


if __name__ == "__main__":
    runpod.serverless.start({"handler": handler})
