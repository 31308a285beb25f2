"""How loud reminders are: the ladders, and as SQL over the same cases."""

import pytest
from sqlalchemy import Connection, Integer, cast, select

from shared.erp import ladders
from shared.rules.ladder import Ladder
from shared.rules.reminders import due_ladder, late_ladder, waiting_ladder

CASES: list[tuple[Ladder, int | None, str | None]] = [
    (due_ladder(3), 7, "INFO"), (due_ladder(3), 4, "INFO"), (due_ladder(3), 3, "WARNING"), (due_ladder(3), 0, "WARNING"),
    (due_ladder(3, 0), 1, "WARNING"), (due_ladder(3, 0), 0, "URGENT"), (due_ladder(3, 1), 1, "URGENT"), (due_ladder(3, 1), None, None),
    (due_ladder(15, 7), 30, "INFO"), (due_ladder(15, 7), 15, "WARNING"), (due_ladder(15, 7), 8, "WARNING"), (due_ladder(15, 7), 7, "URGENT"),
    (late_ladder(15, 60), 7, "INFO"), (late_ladder(15, 60), 14, "INFO"), (late_ladder(15, 60), 15, "WARNING"), (late_ladder(15, 60), 59, "WARNING"),
    (late_ladder(15, 60), 60, "URGENT"), (waiting_ladder(48), 24, "INFO"), (waiting_ladder(48), 47, "INFO"), (waiting_ladder(48), 48, "WARNING"),
]


@pytest.mark.parametrize(("ladder", "number", "level"), CASES)
def test_a_reminder_is_as_loud_as_its_days_or_hours(ladder: Ladder, number: int | None, level: str | None) -> None:
    assert ladder.answer(number) == level


def test_the_database_says_the_same_of_every_case(db: Connection) -> None:
    found = [db.execute(select(ladders.answer(ladder, cast(number, Integer)))).scalar_one() for ladder, number, _ in CASES]
    assert found == [level for *_, level in CASES]
