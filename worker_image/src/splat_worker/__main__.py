"""The pipeline from a shell, without a cloud: `python -m splat_worker PHOTOS_DIR_OR_CLIP OUT_DIR`.
Files go to OUT_DIR, a table to stdout, progress and errors to stderr. Exit status: 0 done, 1 user error, 2 our error,
128 and the signal's number after Ctrl-C and the like.
"""

from __future__ import annotations

import argparse
import errno
import logging
import sys
import tempfile
from pathlib import Path

from splat_worker.contract.job_input import Matching, Preset, SfmOptions, TrainOverrides
from splat_worker.contract.job_report import Report
from splat_worker.errors import Code, JobError, as_job_error
from splat_worker.export.ground import WHOLE
from splat_worker.export.portable import ALSO
from splat_worker.progress import Throttle
from splat_worker.shell.folder import PERMISSION_HINT, find_sources, shown
from splat_worker.shell.stopping import stoppable
from splat_worker.shell.words import STOPPED, ProgressLine, hint_of, table
from splat_worker.transfer.delivery import ALL_ARTIFACTS, Folder

OURS = frozenset({Code.INTERNAL, Code.OUT_OF_MEMORY, Code.OUT_OF_DISK})


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.ERROR, format="%(name)s: %(message)s")
    line = ProgressLine()
    with stoppable() as stopping:
        try:
            report = _run(options, Throttle(line, interval_s=0.5 if sys.stderr.isatty() else 5.0))
        except (Exception, KeyboardInterrupt) as error:
            line.end()
            if stopping.by is not None:
                print(STOPPED, file=sys.stderr)
                return stopping.exit_code
            failure = as_job_error(error, None)
            print(f"{failure.code.value}: {failure.message}\nhint: {hint_of(failure, options.out)}", file=sys.stderr)
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
    parser.add_argument(
        "photos",
        type=Path,
        help="folder of JPEG, PNG, WebP, HEIC or AVIF photos and MP4 or MOV clips of one subject, or one clip",
    )
    parser.add_argument("out", type=Path, help="folder for the scene; created if missing")
    parser.add_argument("--preset", choices=[p.value for p in Preset], default=Preset.PREVIEW.value)
    parser.add_argument("--steps", type=int, help="training steps, instead of the preset's")
    parser.add_argument("--size", type=int, help="longer side in px for training, instead of the preset's")
    parser.add_argument("--matching", choices=[m.value for m in Matching], default=Matching.AUTO.value)
    parser.add_argument("--sfm-side", type=int, help="longer side in px for finding cameras")
    parser.add_argument("--max-seconds", type=float, help="finish within this time by shortening training")
    parser.add_argument(
        "--also",
        choices=list(ALSO),
        action="append",
        default=[],
        help="also write scene.html, a page with viewer and scene in one file, scene.glb, or dataset.zip, the photos "
        "with their cameras for COLMAP and nerfstudio",
    )
    parser.add_argument(
        "--subject",
        action="store_true",
        help="leave out what is around the subject; whole.ply keeps it",
    )
    parser.add_argument(
        "--place",
        action="store_true",
        help="write where on Earth the scene is into cameras.json, if the photos have positions",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the report instead of a table")
    parser.add_argument("--verbose", action="store_true", help="show the log")
    return parser


def _run(options: argparse.Namespace, on_event: Throttle) -> Report:
    sources = find_sources(options.photos, options.out)
    _make_writable(options.out)
    from splat_worker.job.pipeline import run_folder
    from splat_worker.job.run import JobRun, SceneJob

    job = SceneJob(
        project_id=_project_id(options.photos),
        preset=Preset(options.preset),
        train=TrainOverrides(steps=options.steps, size_px=options.size),
        sfm=SfmOptions(matching=Matching(options.matching), side_max_px=options.sfm_side),
        seed=options.seed,
        subject=options.subject,
        place=options.place,
        seconds_max=options.max_seconds,
    )
    more = {ALSO[name] for name in options.also} | ({WHOLE} if options.subject else set())
    delivery = Folder(path=options.out, wanted=ALL_ARTIFACTS | more)
    with tempfile.TemporaryDirectory(prefix="splat-") as scratch:
        run = JobRun(job=job, scratch=Path(scratch), delivery=delivery, on_event=on_event)
        report = run_folder(run, sources)
    delivery.delete_checkpoint()
    return report


def _make_writable(out: Path) -> None:
    """Checked before the work: a scene that cannot be written would be lost."""
    if out.is_file():
        raise JobError(
            Code.BAD_INPUT,
            f"{shown(out)} is a file, not a folder.",
            hint="Name a folder for the scene; it is created if missing.",
        )
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        message = f"Cannot write to {shown(out)}: {error.strerror}."
        raise JobError(Code.BAD_INPUT, message, hint=PERMISSION_HINT) from None


def _project_id(folder: Path) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in folder.resolve().name)
    return name.strip("-_")[:60] or "scene"


if __name__ == "__main__":
    sys.exit(main())
