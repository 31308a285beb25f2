"""A number gets the answer of the worst step that it reaches, in Python and in SQL alike."""

from decimal import Decimal
from operator import ge, gt, le, lt

import pytest
from sqlalchemy import Connection, Integer, Numeric, Text, literal, select

from shared.alerts import shift_level
from shared.erp import ladders
from shared.rules.ladder import Ladder, Step
from shared.rules.levels import LEVELS, shifted

RISING = Ladder((Step(ge, 7, "CRITICAL"), Step(gt, 3, "WARNING")), otherwise="INFO")
FALLING = Ladder((Step(lt, 50, "H3"), Step(le, 70, "H2")))
CASES = [
    (RISING, 7, "CRITICAL"),
    (RISING, Decimal("6.99"), "WARNING"),
    (RISING, Decimal("3.01"), "WARNING"),
    (RISING, 3, "INFO"),
    (RISING, -100, "INFO"),
    (RISING, None, None),
    (FALLING, Decimal("49.99"), "H3"),
    (FALLING, 50, "H2"),
    (FALLING, 70, "H2"),
    (FALLING, Decimal("70.01"), None),
    (FALLING, None, None),
]


@pytest.mark.parametrize(("ladder", "number", "answer"), CASES)
def test_a_number_gets_the_worst_step_it_reaches(ladder: Ladder, number: Decimal | None, answer: str | None) -> None:
    assert ladder.answer(number) == answer


def test_sql_climbs_the_same_ladders(db: Connection) -> None:
    answers = [ladders.answer(ladder, literal(number, Numeric)) for ladder, number, _ in CASES]
    assert list(db.execute(select(*answers)).one()) == [answer for _, _, answer in CASES]


def test_the_threshold_of_an_alert_is_the_limit_of_its_step(db: Connection) -> None:
    limits = select(*(ladders.limit(RISING, literal(number, Numeric)) for number in (9, 5, 1)))
    assert list(db.execute(limits).one()) == [7, 3, None]


MOVES = [
    ("INFO", -1, "INFO"),
    ("INFO", 0, "INFO"),
    ("INFO", 1, "WARNING"),
    ("WARNING", 2, "URGENT"),
    ("URGENT", 1, "URGENT"),
    ("CRITICAL", -1, "WARNING"),
    ("URGENT", -9, "INFO"),
]


@pytest.mark.parametrize(("level", "steps", "moved"), MOVES)
def test_a_level_moves_but_never_past_the_ends(level: str, steps: int, moved: str) -> None:
    assert shifted(level, steps) == moved
    assert moved in LEVELS


def test_sql_moves_a_level_the_same_way(db: Connection) -> None:
    moved = select(*(shift_level(literal(level, Text), literal(steps, Integer)) for level, steps, _ in MOVES))
    assert list(db.execute(moved).one()) == [level for *_, level in MOVES]
