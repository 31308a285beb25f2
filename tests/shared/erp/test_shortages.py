"""The shortage and delivery rules in SQL, on the cases that test them in Python: each table in one statement."""

from decimal import Decimal
from typing import Any

from sqlalchemy import Boolean, Connection, Integer, Numeric, Text, cast, select

from shared.erp import purchasing, shortage_alerts, shortages
from shared.rules.purchasing import delivery_ladder
from shared.rules.shortages import shortage_ladder
from tests.shared.rules.shortage_cases import DELIVERY_LEVELS, IMPACTS, SHORTAGE_LEVELS


def answers(db: Connection, expressions: list[Any]) -> list[Any]:
    return list(db.execute(select(*(e.label(f"case_{n}") for n, e in enumerate(expressions)))).one())


def test_shortage_level(db: Connection) -> None:
    ladder = shortage_ladder(critical_days=3, warning_days=7)
    said = answers(
        db,
        [
            shortage_alerts.level(ladder, cast(days, Integer), cast(impact, Text), cast(Decimal(share), Numeric), 5)
            for days, impact, share, _ in SHORTAGE_LEVELS
        ],
    )
    assert said == [level for *_, level in SHORTAGE_LEVELS]


def test_shortage_impact(db: Connection) -> None:
    said = answers(
        db,
        [
            shortages.impact(cast(started, Boolean), cast(key, Boolean), cast(delay, Integer), cast(slack, Integer))
            for started, key, delay, slack, _ in IMPACTS
        ],
    )
    assert said == [impact for *_, impact in IMPACTS]


def test_delivery_level(db: Connection) -> None:
    ladder = delivery_ladder(critical_days=7, urgent_days=14)
    said = answers(
        db,
        [
            purchasing.level(ladder, cast(days, Integer), cast(feeds, Boolean), cast(promised, Boolean))
            for days, feeds, promised, _ in DELIVERY_LEVELS
        ],
    )
    assert said == [level for *_, level in DELIVERY_LEVELS]
