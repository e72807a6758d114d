"""PSNR against CPU seconds as a small SVG, one panel per photo set and size.
Draws what it is given; measures nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

PANEL_W, PANEL_H, MARGIN = 360, 240, 46
COLOURS = {"ours": "#0b6e4f", "opensplat": "#b5541c"}


def plot(medians: Sequence[dict[str, object]]) -> str:
    """medians: rows with set, width_px, trainer, cpu_s, psnr_db."""
    panels = sorted({(str(row["set"]), int(row["width_px"])) for row in medians})  # type: ignore[call-overload]
    width, height = PANEL_W * max(1, len(panels)), PANEL_H
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
    body = [
        _panel(PANEL_W * i, f"{name}, {px} px", [r for r in medians if (r["set"], r["width_px"]) == (name, px)])
        for i, (name, px) in enumerate(panels)
    ]
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>\n"])


def _panel(left: int, title: str, rows: Sequence[dict[str, object]]) -> str:
    seconds = [max(float(row["cpu_s"]), 0.1) for row in rows]  # type: ignore[arg-type]
    levels = [float(row["psnr_db"]) for row in rows]  # type: ignore[arg-type]
    x_low, x_high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9)
    y_low, y_high = math.floor(min(levels)), math.ceil(max(levels) + 1e-9)

    def x(value: float) -> float:
        return left + MARGIN + (math.log10(value) - x_low) / max(x_high - x_low, 1) * (PANEL_W - 1.5 * MARGIN)

    def y(value: float) -> float:
        return PANEL_H - MARGIN - (value - y_low) / max(y_high - y_low, 1) * (PANEL_H - 2 * MARGIN)

    parts = [f'<text x="{left + MARGIN}" y="24" font-size="13">{escape(title)}</text>']
    for power in range(x_low, x_high + 1):
        at = x(10.0**power)
        parts.append(f'<path d="M{at:.1f} {y(y_low):.1f}V{y(y_high):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{PANEL_H - 28}" font-size="10" text-anchor="middle">{10**power} s</text>')
    for level in range(y_low, y_high + 1, max(1, (y_high - y_low) // 4)):
        parts.append(
            f'<path d="M{x(10.0**x_low):.1f} {y(level):.1f}H{x(10.0**x_high):.1f}" stroke="#ddd"/>'
            f'<text x="{left + MARGIN - 6}" y="{y(level) + 3:.1f}" font-size="10" text-anchor="end">{level} dB</text>'
        )
    for trainer in sorted({str(row["trainer"]) for row in rows}):
        points = sorted((s, p) for s, p, row in zip(seconds, levels, rows, strict=True) if row["trainer"] == trainer)
        line = " ".join(f"{x(s):.1f},{y(p):.1f}" for s, p in points)
        colour = COLOURS.get(trainer, "#333")
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(s):.1f}" cy="{y(p):.1f}" r="3" fill="{colour}"/>' for s, p in points]
        last_s, last_p = points[-1]
        parts.append(
            f'<text x="{x(last_s):.1f}" y="{y(last_p) - 7:.1f}" font-size="11" text-anchor="end" fill="{colour}">'
            f"{escape(trainer)}</text>"
        )
    parts.append(
        f'<text x="{left + PANEL_W / 2}" y="{PANEL_H - 10}" font-size="10" text-anchor="middle">CPU seconds</text>'
    )
    return "\n".join(parts)
