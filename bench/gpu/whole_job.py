"""Times a whole job on this machine, stage by stage: photos, cameras, training, files. No cloud, no bucket.
Measures the worker's own stages; SOG and SPZ are made where Node and splat-transform are there (SPLAT_TOOLS_DIR).

Usage: python -m bench.gpu.whole_job PHOTOS_DIR --out FILE.json [--preset standard] [--sfm gpu|cpu]
       (--sfm: where features are found and compared)
       [--extract-px 1600]   (longer side at which features are looked for; the worker's own where not given)
       [--keep FOLDER]       (the posed photos as an undistorted COLMAP folder)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import splat_worker.train  # noqa: F401 - sets the threads' environment before numba or torch load
from bench.gpu.colmap_folder import write_posed


def main(arguments: list[str] | None = None) -> int:  # noqa: PLR0915  (a list of stages in their order)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--sfm", choices=["gpu", "cpu"], default="gpu")
    parser.add_argument("--extract-px", type=int)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    stages: dict[str, float] = {}
    began = last = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal last
        now = time.perf_counter()
        stages[name] = round(now - last, 2)
        print(f"{name:12} {stages[name]:7.2f} s", file=sys.stderr, flush=True)
        last = now

    from splat_worker.contract.job_input import Preset
    from splat_worker.errors import JobError
    from splat_worker.export.artifacts import export_scene
    from splat_worker.export.splat_transform import tool
    from splat_worker.job.pipeline import EXTRACT_PX, SIDE_PX
    from splat_worker.limits import cpu_count
    from splat_worker.photos import validation
    from splat_worker.sfm import cameras, frame
    from splat_worker.sfm.preset import SfmPreset
    from splat_worker.sfm.undistort import posed_photos
    from splat_worker.train.context import Device, TrainContext
    from splat_worker.train.presets import PresetName, resolve_preset
    from splat_worker.train.render import render
    from splat_worker.train.trainer import train

    lap("imports")
    with tempfile.TemporaryDirectory() as scratch_name:
        scratch = Path(scratch_name)
        sources = [validation.Source(name=p.name, path=p) for p in sorted(options.photos.iterdir())]
        side_px = SIDE_PX["cuda", Preset(options.preset)]
        prepared = validation.prepare(sources, scratch / "photos", side_max_px=side_px)
        lap("photos")
        marks: list[tuple[float, str]] = []
        extract_px = options.extract_px or EXTRACT_PX.get(("cuda", Preset(options.preset)))
        sparse = cameras.reconstruct(
            SfmPreset(threads=cpu_count(), gpu="cuda" if options.sfm == "gpu" else None, extract_max_px=extract_px),
            prepared.photos,
            scratch / "sfm",
            on_progress=lambda f, _: marks.append((time.perf_counter(), f)),
        )
        for name, upto in (("extract", 0.35), ("match", 0.7)):
            reached = [t for t, f in marks if f >= upto - 1e-6]
            stages[name] = round((reached[0] if reached else time.perf_counter()) - last, 2)
            last = reached[0] if reached else last
        lap("map")
        stands = frame.find_frame(sparse)
        sparse = frame.transform(sparse, stands)
        posed = posed_photos(sparse, {photo.name: photo.path for photo in prepared.photos})
        lap("undistort")
        preset = resolve_preset(PresetName(options.preset), Device.CUDA, len(posed.views))
        first_look: list[float] = []
        trained = train(
            posed,
            preset,
            TrainContext(
                device=Device.CUDA,
                on_snapshot=lambda _: first_look.append(time.perf_counter() - began),
                snapshot_first_s=1.0,
            ),
        )
        lap("train")
        wanted = {"poster.webp", "cameras.json"}
        with contextlib.suppress(JobError):  # without Node the PLY is the scene
            tool()
            wanted |= {"scene.sog", "scene.spz"}
        parts: list[tuple[float, str]] = []
        exported = export_scene(
            trained.gaussians,
            posed,
            scratch / "export",
            frame=stands,
            held_out=trained.metrics.names,
            render=lambda gaussians, camera: render(gaussians, camera, Device.CUDA),
            wanted=wanted,
            threads=cpu_count(),
            on_progress=lambda _, message: parts.append((time.perf_counter(), message)),
        )
        lap("export")
        sizes = {name: path.stat().st_size for name, path in exported.files.items()}
        ends = [at for at, _ in parts[1:]]
        export_s = {message: round(end - at, 2) for (at, message), end in zip(parts, ends, strict=False)}
    if options.keep:
        write_posed(posed, options.keep)
    report = {
        "photos": len(sources),
        "placed": len(sparse.cameras),
        "reprojection_px": sparse.reprojection_error_px,
        "rung": sparse.rung,
        "points": len(posed.points),
        "sfm": options.sfm,
        "extract_px": extract_px,
        "bytes": sizes,
        "export_s": export_s,
        "fidelity_db": exported.fidelity_db,
        "preset": options.preset,
        "size": list(posed.views[0].image.shape[1::-1]),
        "stages_s": stages,
        "total_s": round(sum(stages.values()), 2),
        "first_look_s": round(first_look[0], 2) if first_look else None,
        "psnr": trained.metrics.psnr_db,
        "psnr_fitted": trained.metrics.psnr_fitted_db,
        "ssim": trained.metrics.ssim,
        "gaussians": len(trained.gaussians),
        "steps": trained.steps,
        "peak_mib": trained.peak_memory_mb,
    }
    options.out.write_text(json.dumps(report, indent=1))
    print(json.dumps(report))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
