"""How does a rule's ladder look in SQL? As one CASE over the same steps (shared/rules/ladder.py)."""

from typing import Any

from sqlalchemy import Case, Numeric, Text, case, literal

from shared.rules.ladder import Ladder


def answer(ladder: Ladder, number: Any) -> Case[Any]:
    """What Ladder.answer says of a column; null stays null."""
    steps = [(step.reached(number, step.limit), literal(step.answer, Text)) for step in ladder.steps]
    known = case((number.is_not(None), literal(ladder.otherwise, Text))) if ladder.otherwise else None
    return case(*steps, else_=known)


def limit(ladder: Ladder, number: Any) -> Case[Any]:
    """The limit of the step that a column reaches: an alert's threshold_value."""
    return case(*((step.reached(number, step.limit), literal(step.limit, Numeric)) for step in ladder.steps))
