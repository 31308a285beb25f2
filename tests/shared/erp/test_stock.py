"""The stock rules in SQL, on the cases that test them in Python: each table in one statement."""

from decimal import Decimal

from sqlalchemy import Connection, Integer, Numeric, cast, select

from shared.erp import stock, stock_checks
from tests.shared.rules.stock_cases import FLAGS, LIMITS, STEPS


def test_flags(db: Connection) -> None:
    asked = [
        stock.flags(*(cast(None if n is None else Decimal(n), Numeric) for n in numbers), cast(unmoved, Integer), 180)
        for *numbers, unmoved, _ in FLAGS
    ]
    said = db.execute(select(*(expression.label(f"case_{n}") for n, expression in enumerate(asked)))).one()
    assert list(said) == [found for *_, found in FLAGS]


def test_next_step(db: Connection) -> None:
    cases = " union all ".join(
        f"select {n} as n, {e}::numeric as expected, {d}::numeric as difference, {p}::numeric as price, {r} as recounted"
        for n, (e, d, p, r, _) in enumerate(STEPS)
    )
    said = db.execute(stock_checks.next_steps(LIMITS, f"select * from ({cases}) u order by n")).scalars()
    assert list(said) == [step for *_, step in STEPS]
