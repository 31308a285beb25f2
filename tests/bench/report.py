"""What does a benchmark say? Its ratio, over how many interleaved rounds and how far they lie apart, and whether that is what was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Result:
    """One line of the table. `ratio` is ours over the other's unless the target says otherwise; `met` judges all of the target's parts."""

    name: str
    ratio: float
    target: str
    met: bool
    ours: Mapping[str, Any]
    other: Mapping[str, Any]
    runs: Sequence[Any] = field(default_factory=list)


def middle(values: Sequence[float], digits: int = 2) -> float:
    return round(median(values), digits)


def spread(values: Sequence[float], digits: int = 2) -> list[float]:
    """Lowest and highest of the rounds."""
    return [round(min(values), digits), round(max(values), digits)]


def write(results: Sequence[Result], *, quick: bool) -> None:
    """Replace the file: it tells of one run, whole."""
    content = {"quick": quick, "benchmarks": [asdict(result) for result in results]}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


def table(results: Sequence[Result]) -> str:
    """name, ours, other, ratio, target, met: one line each."""
    head = ("name", "ours", "other", "ratio", "target", "met")
    lines = [(r.name, _few(r.ours), _few(r.other), f"{r.ratio:g}", r.target, "yes" if r.met else "NO") for r in results]
    widths = [max(len(line[column]) for line in [head, *lines]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [head, *lines]
    )


def _few(figures: Mapping[str, Any]) -> str:
    """The first two figures of a side: what the table has room for."""
    return ", ".join(f"{name} {value}" for name, value in list(figures.items())[:2])
