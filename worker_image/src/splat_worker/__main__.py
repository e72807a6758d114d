"""The pipeline from a shell, without a cloud: `python -m splat_worker PHOTOS_DIR OUT_DIR`.
Files go to OUT_DIR, a table to stdout, progress and errors to stderr. Exit status: 0 done, 1 user error, 2 our error.
"""

from __future__ import annotations

import argparse
import errno
import logging
import re
import sys
import tempfile
import time
from pathlib import Path

from splat_worker.contract.job_input import Matching, Preset, SfmOptions, TrainOverrides
from splat_worker.contract.job_report import Report
from splat_worker.errors import Code, JobError, as_job_error
from splat_worker.progress import Event, Throttle
from splat_worker.transfer.delivery import Folder

PERMISSION_HINT = (
    "Use a folder that you have access to. A container has its own user; "
    'start it with --user "$(id -u):$(id -g)" to use yours.'
)
OURS = frozenset({Code.INTERNAL, Code.OUT_OF_MEMORY, Code.OUT_OF_DISK})


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, format="%(name)s: %(message)s")
    line = ProgressLine()
    try:
        report = _run(options, Throttle(line, interval_s=0.5 if sys.stderr.isatty() else 5.0))
    except (Exception, KeyboardInterrupt) as error:
        failure = as_job_error(error, None)
        line.end()
        print(f"{failure.code.value}: {failure.message}\nhint: {failure.hint}", file=sys.stderr)
        return 2 if failure.code in OURS else 1
    line.end()
    if options.json:
        print(report.model_dump_json(indent=2))
    else:
        print(table(report, options.out))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m splat_worker", description="Makes a 3D Gaussian-splat scene from photos."
    )
    parser.add_argument("photos", type=Path, help="folder of JPEG, PNG, WebP or HEIC photos of one subject")
    parser.add_argument("out", type=Path, help="folder for the scene; created if missing")
    parser.add_argument("--preset", choices=[p.value for p in Preset], default=Preset.PREVIEW.value)
    parser.add_argument("--steps", type=int, help="training steps, instead of the preset's")
    parser.add_argument("--size", type=int, help="longer side in px for training, instead of the preset's")
    parser.add_argument("--matching", choices=[m.value for m in Matching], default=Matching.AUTO.value)
    parser.add_argument("--sfm-side", type=int, help="longer side in px for finding cameras")
    parser.add_argument("--max-seconds", type=float, help="finish within this time by shortening training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the report instead of a table")
    parser.add_argument("--verbose", action="store_true", help="show the log")
    return parser


def _run(options: argparse.Namespace, on_event: Throttle) -> Report:
    from splat_worker.photos.sniff import meant_as_photo
    from splat_worker.photos.validation import Source

    if not options.photos.is_dir():
        raise JobError(Code.BAD_INPUT, f"{options.photos} is not a folder.", hint="Pass the folder with your photos.")
    try:
        files = [path for path in options.photos.iterdir() if path.is_file() and meant_as_photo(path)]
    except PermissionError:
        raise JobError(
            Code.BAD_INPUT, f"You have no permission to read {options.photos}.", hint=PERMISSION_HINT
        ) from None
    if not files:
        raise JobError(Code.TOO_FEW_PHOTOS, f"{options.photos} contains no photos.")
    _make_writable(options.out)
    from splat_worker.job.pipeline import run_folder
    from splat_worker.job.run import JobRun, SceneJob

    job = SceneJob(
        project_id=_project_id(options.photos),
        preset=Preset(options.preset),
        train=TrainOverrides(steps=options.steps, size_px=options.size),
        sfm=SfmOptions(matching=Matching(options.matching), side_max_px=options.sfm_side),
        seed=options.seed,
        seconds_max=options.max_seconds,
    )
    delivery = Folder(path=options.out)
    with tempfile.TemporaryDirectory(prefix="splat-") as scratch:
        run = JobRun(job=job, scratch=Path(scratch), delivery=delivery, on_event=on_event)
        sources = [Source(name=path.name, path=path) for path in sorted(files, key=_natural_order)]
        report = run_folder(run, sources)
    delivery.delete_checkpoint()
    return report


def _natural_order(path: Path) -> list[tuple[int, str]]:
    """IMG_2 before IMG_10: sequential matching compares neighbours."""
    return [(int(part), "") if part.isdecimal() else (-1, part.casefold()) for part in re.split(r"(\d+)", path.name)]


def _make_writable(out: Path) -> None:
    """Checked before the work: a scene that cannot be written would be lost."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise JobError(Code.BAD_INPUT, f"Cannot write to {out}: {error.strerror}.", hint=PERMISSION_HINT) from None


def _project_id(folder: Path) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in folder.resolve().name)
    return name.strip("-_")[:60] or "scene"


class ProgressLine:
    """One line that is rewritten on a terminal; elsewhere one line per event."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._tty = sys.stderr.isatty()
        self._open = False

    def __call__(self, event: Event) -> None:
        left = f", about {event.eta_s:.0f} s left" if event.eta_s is not None else ""
        text = (
            f"{time.monotonic() - self._began:5.0f} s  {event.stage.value:<8} {100 * event.fraction:3.0f} %  "
            f"{event.message}{left}"
        )
        if self._tty:
            sys.stderr.write(f"\r\x1b[K{text[:150]}")
            self._open = True
        else:
            sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._open:
            sys.stderr.write("\n")
            self._open = False


def table(report: Report, out: Path) -> str:
    """The report as aligned lines, the most important first."""
    metrics = report.metrics
    rows = [("photos in the scene", f"{report.photos.registered} of {report.photos.given}")]
    rows += [(f"  left out: {r.name}", r.reason) for r in report.photos.rejected]
    rows += [
        ("held-out PSNR", "-" if metrics.psnr_db is None else f"{metrics.psnr_db:.2f} dB"),
        ("held-out SSIM", "-" if metrics.ssim is None else f"{metrics.ssim:.3f}"),
        ("Gaussians", f"{metrics.gaussians:,}".replace(",", " ")),
        ("measured at", f"{metrics.width}x{metrics.height} px on {len(metrics.held_out)} photos"),
        ("device", f"{report.device.name} ({report.device.kind}, {report.device.count})"),
        ("peak memory", f"{report.peak_memory_mb} MiB"),
    ]
    rows += [(f"  {stage.stage.value}", f"{stage.seconds:.1f} s") for stage in report.stages]
    rows.append(("all stages", f"{sum(stage.seconds for stage in report.stages):.1f} s"))
    for name, item in report.artifacts.items():
        loss = metrics.export_fidelity_db.get(name)
        fidelity = f", {loss:.1f} dB compared with scene.ply" if loss is not None else ""
        rows.append((f"  {name}", f"{item.bytes / 1000:,.0f} kB".replace(",", " ") + fidelity))
    rows.append(("written to", str(out)))
    rows += [("note", warning) for warning in report.warnings]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


if __name__ == "__main__":
    sys.exit(main())
