"""PSNR against seconds as a small SVG, one panel per photo set. Draws the points it gets; it measures nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

PANEL_W, PANEL_H, MARGIN = 360, 240, 46


@dataclass(frozen=True, kw_only=True)
class Line:
    """One run, or several runs of one length each. points: (seconds, dB)."""

    label: str
    colour: str
    points: Sequence[tuple[float, float]] = field(default=())


def plot(panels: Mapping[str, Sequence[Line]], seconds: str) -> str:
    """panels: title to its lines; seconds: what the horizontal axis shows, on a logarithmic scale."""
    width = PANEL_W * max(1, len(panels))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{PANEL_H}" font-family="sans-serif">'
    body = [_panel(PANEL_W * i, title, lines, seconds) for i, (title, lines) in enumerate(panels.items())]
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>\n"])


def _panel(left: int, title: str, lines: Sequence[Line], axis: str) -> str:
    points = [(max(s, 0.1), db) for line in lines for s, db in line.points]
    seconds, levels = [s for s, _ in points], [db for _, db in points]
    x_low, x_high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9)
    y_low, y_high = math.floor(min(levels)), math.ceil(max(levels) + 1e-9)

    def x(value: float) -> float:
        return left + MARGIN + (math.log10(max(value, 0.1)) - x_low) / max(x_high - x_low, 1) * (PANEL_W - 1.5 * MARGIN)

    def y(value: float) -> float:
        return PANEL_H - MARGIN - (value - y_low) / max(y_high - y_low, 1) * (PANEL_H - 2 * MARGIN)

    def text(
        at: float, down: float, words: str, *, size: int = 10, anchor: str = "middle", colour: str = "black"
    ) -> str:
        place = f'x="{at:.1f}" y="{down:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}"'
        return f"<text {place}>{escape(words)}</text>"

    parts = [text(left + MARGIN, 24, title, size=13, anchor="start")]
    for power in range(x_low, x_high + 1):
        at = x(10.0**power)
        parts.append(f'<path d="M{at:.1f} {y(y_low):.1f}V{y(y_high):.1f}" stroke="#ddd"/>')
        parts.append(text(at, PANEL_H - 28, f"{10.0**power:g} s"))
    for level in range(y_low, y_high + 1, max(1, (y_high - y_low) // 4)):
        parts.append(f'<path d="M{x(10.0**x_low):.1f} {y(level):.1f}H{x(10.0**x_high):.1f}" stroke="#ddd"/>')
        parts.append(text(left + MARGIN - 6, y(level) + 3, f"{level} dB", anchor="end"))
    named = set()
    for line in lines:
        course = " ".join(f"{x(s):.1f},{y(db):.1f}" for s, db in sorted(line.points))
        parts.append(f'<polyline points="{course}" fill="none" stroke="{line.colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x(s):.1f}" cy="{y(db):.1f}" r="3" fill="{line.colour}"/>' for s, db in line.points]
        if line.label not in named:
            named.add(line.label)
            last_s, last_db = max(line.points)
            parts.append(text(x(last_s), y(last_db) - 7, line.label, size=11, anchor="end", colour=line.colour))
    parts.append(text(left + PANEL_W / 2, PANEL_H - 10, axis))
    return "\n".join(parts)
