"""What a run from a shell prints: progress, the table at the end, and the next step after a failure."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from splat_worker.contract.job_report import Report
from splat_worker.errors import HINTS, Code, JobError
from splat_worker.progress import Event
from splat_worker.shell.folder import shown

STOPPED = "Stopped. Run the same command to continue from the last checkpoint, if there is one."


def hint_of(failure: JobError, out: Path) -> str:
    """The next step for whoever typed the command. The general hints are for users and operators of the service."""
    own = {
        Code.OUT_OF_DISK: f"Free some space in {shown(out)} and in {tempfile.gettempdir()}, or set TMPDIR to a folder"
        " on a larger disk. Then run the same command to continue.",
        Code.TIME_LIMIT: "Raise --max-seconds, choose a smaller preset, or use fewer photos.",
        Code.INTERNAL: "Run the same command with --verbose to see the log.",
        Code.BAD_INPUT: "Run `python -m splat_worker --help` to see what is accepted.",
    }
    return own.get(failure.code, failure.hint) if failure.hint == HINTS[failure.code] else failure.hint


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


def _size(report: Report) -> list[tuple[str, str]]:
    size = report.size
    if size is None:
        return []
    error = f"within {max(1, round(100 * (size.error or 0)))} %"
    return [("size", f"about {length(size.width_m)} wide, {length(size.height_m)} high, {error}")]


def length(metres: float) -> str:
    """2 significant digits: 12 m, 1.3 m, 45 cm."""
    if metres >= 0.995:
        return f"{metres:.0f} m" if metres >= 9.95 else f"{metres:.1f} m"
    return f"{100 * metres:.0f} cm" if metres >= 0.0095 else f"{1000 * metres:.1f} mm"


def table(report: Report, out: Path) -> str:
    """The report as aligned lines, the most important first."""
    metrics = report.metrics
    rows = [("photos in the scene", f"{report.photos.registered} of {report.photos.given}")]
    rows += [(f"  left out: {r.name}", r.reason) for r in report.photos.rejected]
    for video in report.videos:
        rows.append((f"  frames of {video.name}", f"{video.frames} from {video.seconds:.1f} s"))
        rows += [(f"    {gap.from_s:.1f} to {gap.to_s:.1f} s", gap.reason) for gap in video.dropped]
    rows += [
        ("held-out PSNR", "-" if metrics.psnr_db is None else f"{metrics.psnr_db:.2f} dB"),
        ("held-out SSIM", "-" if metrics.ssim is None else f"{metrics.ssim:.3f}"),
        ("Gaussians", f"{metrics.gaussians:,}".replace(",", " ")),
        *_size(report),
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
    rows.append(("written to", shown(out)))
    rows += [("note", warning) for warning in report.warnings]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
