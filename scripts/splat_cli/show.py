"""Reports and scenes as text: the rows of a report's table, durations, prices. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from rich.table import Table

from scripts.splat_cli.edge_client import Project

NO_NAMES: Mapping[str, str] = MappingProxyType({})
STAGE_WORDS = {
    "upload_photos": "uploading photos",
    "queued": "waiting for a worker",
    "download": "fetching photos",
    "photos": "checking photos",
    "sfm": "finding camera poses",
    "train": "training Gaussians",
    "export": "writing the scene",
    "upload": "storing the scene",
}


def seconds(value: float) -> str:
    """A duration: 8.3 s, 2 min 5 s. An int has no decimals."""
    if round(value, 1) < 60:
        return f"{value} s" if isinstance(value, int) else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def counted(number: int, noun: str) -> str:
    """A number with its noun: 1 job, 2 jobs."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def usd(value: float) -> str:
    """US dollars, with four decimals below a dollar, but for nothing."""
    return f"${value:.2f}" if value >= 0.995 or value == 0 else f"${value:.4f}"


def length(metres: float) -> str:
    """2 significant digits, as the page shows it: 12 m, 1.3 m, 45 cm."""
    if metres >= 0.995:
        return f"{metres:.0f} m" if metres >= 9.95 else f"{metres:.1f} m"
    return f"{100 * metres:.0f} cm" if metres >= 0.0095 else f"{1000 * metres:.1f} mm"


def psnr_words(psnr_db: float) -> str:
    """What a held-out PSNR means to the eye; the bounds of the page (edge_worker/web/src/scene/quality.ts)."""
    if psnr_db >= 30:
        return "very close"
    if psnr_db >= 25:
        return "close"
    return "recognisable" if psnr_db >= 20 else "rough"


def own_names(text: str, names: Mapping[str, str]) -> str:
    """A message of the worker with the user's file names instead of the service's (0001.jpg)."""
    return re.sub(r"\b\d{4,}\.\w+\b", lambda found: names.get(found[0], found[0]), text)


def report_rows(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and value of each row of a job report's table."""
    photos, metrics, price = report["photos"], report["metrics"], report["price"]
    psnr_db = metrics["psnr_db"]
    rows = [
        ("Photos registered", f"{photos['registered']} of {photos['given']}"),
        ("Held-out PSNR", f"{psnr_db:.2f} dB, {psnr_words(psnr_db)} ({len(metrics['held_out'])} photos kept back)"),
        ("Held-out SSIM", f"{metrics['ssim']:.3f}"),
        ("Gaussians", f"{metrics['gaussians']:,}".replace(",", " ")),
    ]
    if size := report.get("size"):
        error = size.get("error")
        within = "from a length that was given" if error is None else f"within {max(1, round(100 * error))} %"
        rows.append(("Size", f"about {length(size['width_m'])} wide, {length(size['height_m'])} high, {within}"))
    per_stage = {item["stage"]: item["usd"] for item in price.get("stages", [])}
    for item in report["stages"]:
        cost = f"  {usd(per_stage[item['stage']])}" if item["stage"] in per_stage else ""
        rows.append((f"  {STAGE_WORDS.get(item['stage'], item['stage'])}", seconds(item["seconds"]) + cost))
    rows.append(("Device", f"{report['device']['name']} ({report['device']['kind']})"))
    rate = f"{price['gpu']} at ${price['usd_per_s'] * 3600:.2f}/h, rate of {price['as_of']}"
    if price["estimate"]:
        rows.append(("Price (estimate)", f"{usd(price['usd'])} for the same time on an {rate}"))
    else:
        rows.append(("Price", f"{usd(price['usd'])} on {rate}"))
    return rows


def clip_words(clip: Mapping[str, Any]) -> str:
    """How many frames of a clip were used, and at which seconds."""
    used = clip["used_s"]
    at = f": {', '.join(clock(moment) for moment in used)}" if used else ""
    return f"{len(used)} of {clip['name']} ({seconds(clip['seconds'])}){at}"


def clock(moment_s: float) -> str:
    """75.5 as 1:15.5, as the page shows it."""
    tenths = round(moment_s * 10)
    return f"{tenths // 600}:{tenths % 600 / 10:04.1f}"


def report_table(report: Mapping[str, Any], *, title: str, names: Mapping[str, str] = NO_NAMES) -> Table:
    """The table of a job report. names: the user's file names by the service's."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for label, value in report_rows(report):
        table.add_row(label, value)
    for item in report["photos"].get("rejected", []):
        table.add_row("  left out", own_names(f"{item['name']}: {item['reason']}", names))
    for item in report.get("videos", []):
        table.add_row("Frames", own_names(clip_words(item), names))
        for part in item.get("dropped", []):
            table.add_row("  left out", f"{clock(part['from_s'])} to {clock(part['to_s'])}: {part['reason']}")
    for words in report.get("warnings", []):
        table.add_row("  note", str(words))
    return table


def scene_lines(scenes: Sequence[Project]) -> list[str]:
    """One line per scene: id, state, day of creation, photos, name."""
    return [
        f"{scene.id}  {scene.state:<9}  {scene.created_at[:10]:<10}  {scene.photos.count:>4} photos  {scene.name}"
        for scene in scenes
    ]
