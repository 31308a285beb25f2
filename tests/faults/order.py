"""Tells a function's process where to die: counts its crash points, then names one (see crash/sitecustomize.py)."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

HOOKS = ROOT / "tests" / "faults" / "crash"
FULL = bool(os.environ.get("BELFRY_FULL_SWEEP"))


class Order:
    """The order that one process obeys."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "order"
        self.environment = {"PYTHONPATH": f"{ROOT}:{HOOKS}", "BELFRY_CRASH": str(self.file)}
        self._armed = 0

    def count(self, act: Callable[[], object]) -> list[str]:
        """The names of the points that an act passes."""
        points = self.file.with_suffix(".points")
        points.unlink(missing_ok=True)
        self.file.write_text("count")
        act()
        self.file.unlink()
        return points.read_text().splitlines()

    def die_at(self, number: int) -> None:
        self._armed += 1
        self.file.write_text(f"{number} {self._armed}")

    def obeyed(self) -> bool:
        return not self.file.exists()


def chosen(points: list[str], every: int) -> list[tuple[int, str]]:
    """The points to try: all of them in the full sweep, else every n-th and the last three."""
    numbered = list(enumerate(points, 1))
    return numbered if FULL else [p for p in numbered if p[0] % every == 1 or p[0] > len(points) - 3]
