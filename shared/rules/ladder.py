"""Which answer does a number get? The first step that it reaches, the worst step standing first.

A ladder is data: `answer` climbs it in Python, shared/erp/ladders.py writes the same steps as SQL.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Step:
    """`reached` is one of operator's ge, gt, le, lt, which compare a column just as they compare a number."""

    reached: Callable[[Any, Any], Any]
    limit: int
    answer: str


@dataclass(frozen=True)
class Ladder:
    """Steps from the worst down, and what a number gets that reaches none."""

    steps: tuple[Step, ...]
    otherwise: str | None = None

    def answer(self, number: int | Decimal | None) -> str | None:
        """The answer for a number; none for a number that is not known."""
        if number is None:
            return None
        return next((step.answer for step in self.steps if step.reached(number, step.limit)), self.otherwise)
