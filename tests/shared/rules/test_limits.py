"""Time limits of stages and presale tickets: the rules in Python, and as SQL over the same cases."""

from decimal import Decimal

import pytest
from sqlalchemy import Connection, Integer, Numeric, Text, cast, select

from shared.erp import limits as sql
from shared.erp import presales
from shared.rules.limits import timeout_level
from shared.rules.presales import ticket_limit

# days, limit, level with HIGH beyond 150 %
LEVELS: list[tuple[int, str, str | None]] = [
    (13, "14", None), (14, "14", None), (15, "14", "INFO"), (21, "14", "INFO"), (22, "14", "WARNING"), (7, "7", None), (8, "7", "INFO"),
    (10, "7", "INFO"), (11, "7", "WARNING"), (10, "10", None), (11, "10", "INFO"), (15, "10", "INFO"), (16, "10", "WARNING"),
    (2, "2.5", None), (3, "2.5", "INFO"), (4, "2.5", "WARNING"), (0, "0", None), (1, "0", "WARNING"),
]
DAYS = {"CONSULT": 3, "SURVEY": 5, "SOLUTION": 7, "QUOTATION": 5, "TENDER": 10, "MEETING": 3, "SITE_VISIT": 5, "OTHER": 5}
PERCENT = {"NORMAL": 100, "URGENT": 50, "VERY_URGENT": 25}
# type, urgency, days to the deadline, limit
LIMITS: list[tuple[str, str, int | None, str]] = [
    ("CONSULT", "NORMAL", None, "3"), ("QUOTATION", "NORMAL", None, "5"), ("SOLUTION", "NORMAL", None, "7"), ("TENDER", "NORMAL", None, "10"),
    ("SURVEY", "NORMAL", None, "5"), ("MEETING", "NORMAL", None, "3"), ("SITE_VISIT", "NORMAL", None, "5"), ("OTHER", "NORMAL", None, "5"),
    ("NEW_KIND", "NORMAL", None, "5"), ("TENDER", "URGENT", None, "5"), ("TENDER", "VERY_URGENT", None, "2.5"), ("CONSULT", "URGENT", None, "1.5"),
    ("CONSULT", "VERY_URGENT", None, "1"), ("TENDER", "URGENT", 9, "9"), ("CONSULT", "NORMAL", 0, "0"), ("CONSULT", "VERY_URGENT", 20, "20"),
]


@pytest.mark.parametrize(("days", "limit", "level"), LEVELS)
def test_up_to_the_limit_is_silent_and_exactly_one_and_a_half_is_normal(days: int, limit: str, level: str | None) -> None:
    assert timeout_level(days, Decimal(limit), 150) == level


@pytest.mark.parametrize(("kind", "urgency", "deadline", "limit"), LIMITS)
def test_a_ticket_has_the_days_of_its_kind_and_urgency_unless_it_has_a_deadline(kind: str, urgency: str, deadline: int | None, limit: str) -> None:
    assert ticket_limit(kind, urgency, deadline, limits=DAYS, urgency_percent=PERCENT) == Decimal(limit)


def test_the_database_says_the_same_of_every_case(db: Connection) -> None:
    levels = [db.execute(select(sql.timeout_level(cast(days, Integer), cast(Decimal(limit), Numeric), 150))).scalar_one() for days, limit, _ in LEVELS]
    assert levels == [level for *_, level in LEVELS]
    limits = [
        db.execute(select(presales.limit(cast(deadline, Integer), cast(kind, Text), cast(urgency, Text), DAYS, PERCENT))).scalar_one()
        for kind, urgency, deadline, _ in LIMITS
    ]
    assert limits == [Decimal(limit) for *_, limit in LIMITS]
