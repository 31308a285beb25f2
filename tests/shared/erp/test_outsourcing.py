"""The outsourcing rule in SQL, on the cases that test it in Python: in one statement."""

from sqlalchemy import Boolean, Connection, Integer, cast, select

from shared.erp import outsourcing
from shared.rules.outsourcing import outsourcing_ladder
from tests.shared.rules.outsourcing_cases import LEVELS


def test_level(db: Connection) -> None:
    ladder = outsourcing_ladder(before_days=3, urgent_after_days=7)
    asked = [outsourcing.level(ladder, cast(days, Integer), cast(late, Boolean)) for days, late, _ in LEVELS]
    said = db.execute(select(*(expression.label(f"case_{n}") for n, expression in enumerate(asked)))).one()
    assert list(said) == [level for *_, level in LEVELS]
