"""How long did the last runs take? One bar a run, drawn as SVG on the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from functions.console.language import t
from functions.console.moments import clock, took

WIDTH, HEIGHT, LEFT, BOTTOM, GAP = 720, 150, 58, 20, 2
_ROUND = (1, 2, 5)


def durations(strip: Sequence[dict[str, Any]], limit_ms: int | None = None) -> Markup:
    """Bars from the oldest to the newest run, the colour its outcome; a line where the promised duration ends."""
    runs = [run for run in reversed(strip) if run.get("ms") is not None]
    if not runs:
        return Markup("")
    longest = max(run["ms"] for run in runs)
    top = _ceiling(max(longest, limit_ms if limit_ms and limit_ms < 4 * longest else 0))
    step = (WIDTH - LEFT) / max(len(runs), 20)
    plot = HEIGHT - BOTTOM - 6
    parts = [_line(top, top, plot), _line(top // 2, top, plot)]
    for number, run in enumerate(runs):
        height = max(2.0, run["ms"] / top * plot)
        parts.append(
            Markup(
                '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="1"><title>{}</title></rect>'
            ).format(
                run["state"],
                LEFT + number * step,
                HEIGHT - BOTTOM - height,
                max(1.0, step - GAP),
                height,
                f"{clock(run['run_at'])} · {took(run['ms'])} · {t('state.' + run['state'])}",
            )
        )
    if limit_ms and limit_ms <= top:
        parts.append(_line(limit_ms, top, plot, "limit"))
    parts.append(_label(LEFT, HEIGHT - 5, clock(runs[0]["run_at"]), "start"))
    if len(runs) > 8:
        parts.append(_label(LEFT + len(runs) * step, HEIGHT - 5, clock(runs[-1]["run_at"]), "end"))
    middle = sorted(run["ms"] for run in runs)[len(runs) // 2]
    said = t("job.chart_says", n=len(runs), median=took(middle), longest=took(longest))
    opening = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, HEIGHT, said)
    return opening + Markup("").join(parts) + Markup("</svg>")


def _line(value: int, top: int, plot: int, kind: str = "grid") -> Markup:
    y = HEIGHT - BOTTOM - value / top * plot
    line = Markup('<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(kind, LEFT, WIDTH, y, y)
    return line + (_label(LEFT - 6, y + 4, took(value), "end") if kind == "grid" else Markup(""))


def _label(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, text)


def _ceiling(milliseconds: int) -> int:
    """The next round figure: 1, 2 or 5 with zeros."""
    size = 1
    while True:
        for digit in _ROUND:
            if digit * size >= milliseconds:
                return max(digit * size, 10)
        size *= 10
