"""Overdue invoices: the rule in Python, and as SQL over the same cases."""

from decimal import Decimal

import pytest
from sqlalchemy import Boolean, Connection, Integer, Numeric, cast, select

from shared.erp import receivables
from shared.rules.receivables import is_disputed, receivable_ladder, receivable_level
from tests.shared.rules.receivable_cases import CASES, LIMITS


@pytest.mark.parametrize(("days", "amount", "dispute", "level"), CASES)
def test_an_invoice_is_as_loud_as_its_days_and_amount(
    days: int | None, amount: str, dispute: str | None, level: str | None
) -> None:
    assert receivable_level(days, Decimal(amount), disputed=is_disputed(dispute), **LIMITS) == level


def test_the_database_says_the_same_of_every_case(db: Connection) -> None:
    ladder = receivable_ladder(LIMITS["warning_days"], LIMITS["critical_days"], LIMITS["urgent_days"])
    found = [
        db.execute(select(receivables.level(
            ladder, cast(days, Integer), cast(Decimal(amount), Numeric), cast(is_disputed(dispute), Boolean),
            LIMITS["large_amount"],
        ))).scalar_one()
        for days, amount, dispute, _ in CASES
    ]
    assert found == [level for *_, level in CASES]
