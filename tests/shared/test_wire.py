"""A connection that sends a statement in one message: it must fail as cleanly as pg8000's own, and cleaner."""

from __future__ import annotations

from io import BytesIO
from uuid import UUID

import pytest
from pg8000.converters import timestamptz_in
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from shared import db as database
from shared import executions, wire
from shared.errors import LeaseLost
from tests.shared.test_jobs import add_job


def echo(db: Connection, value: str) -> str:
    return str(db.execute(text("select cast(:v as text)"), {"v": value}).scalar_one())


def test_values_of_every_kind_come_back(db: Connection) -> None:
    row = db.execute(
        text(
            "select cast(:a as text), cast(:b as int), cast(:c as text[]), cast(:d as text), '50%', cast(:e as boolean)"
        ),
        {"a": "齿轮 'x' %s $1 \\", "b": -7, "c": ["a", None, "b,c"], "d": None, "e": True},
    ).one()
    assert tuple(row) == ("齿轮 'x' %s $1 \\", -7, ["a", None, "b,c"], None, "50%", True)


@pytest.mark.parametrize(
    "instant",
    ["2026-03-02 08:00:20+08", "2026-03-02 00:00:20.5+00", "1999-12-31 23:59:59.123456-03:30", "0001-01-01 00:00:00+00",
     "infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "12026-01-01 00:00:00+00"],
)  # fmt: skip
def test_an_instant_is_read_as_pg8000_reads_it(db: Connection, instant: str) -> None:
    asked = {"t": instant}
    told = db.execute(text("select cast(cast(:t as timestamptz) as text)"), asked).scalar_one()
    found = db.execute(text("select cast(:t as timestamptz)"), asked).scalar_one()
    assert found == timestamptz_in(told)
    assert getattr(found, "tzinfo", None) == getattr(timestamptz_in(told), "tzinfo", None)


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("selec :v", "42601"),
        ("select cast(:v as int)", "22P02"),
        ("select 1 / (length(:v) - 1)", "22012"),
        ("select 1 from missing where :v = ''", "42P01"),
    ],
    ids=["parse", "bind", "execute", "name"],
)
def test_after_an_error_the_next_answer_is_the_next_statements(db: Connection, statement: str, state: str) -> None:
    for turn in range(30):
        with pytest.raises(DBAPIError) as refused:
            db.execute(text(statement), {"v": "x"})
        assert database.sqlstate(refused.value) == state
        assert not refused.value.connection_invalidated
        assert echo(db, str(turn)) == str(turn)


def test_an_error_within_a_transaction_ends_with_its_rollback(db: Connection) -> None:
    with pytest.raises(ProgrammingError), database.transaction(db):  # noqa: PT012
        db.execute(text("insert into belfry.biz_calendar values (cast(:d as date), true, 'x')"), {"d": "1999-01-01"})
        db.execute(text("select cast(:v as int)"), {"v": "x"})
    assert db.execute(text("select count(*) from belfry.biz_calendar where note = 'x'")).scalar_one() == 0


def test_a_key_that_is_there_already_is_an_integrity_error(db: Connection) -> None:
    insert = text("insert into belfry.biz_config values (:k, 'true')")
    db.execute(insert, {"k": "x"})
    with pytest.raises(IntegrityError):
        db.execute(insert, {"k": "x"})


def test_text_that_cannot_be_encoded_never_reaches_the_wire(db: Connection) -> None:
    raw = db.connection.dbapi_connection
    assert isinstance(raw, wire.Connection)
    for turn in range(30):
        with pytest.raises(UnicodeEncodeError):  # the engine refuses it before; this is beneath
            raw.execute_unnamed("select $1::text, $2::text", ("fine", "\ud800"))
        assert echo(db, str(turn)) == str(turn)


def test_copy_still_talks_as_pg8000_does(db: Connection) -> None:
    raw = db.connection.dbapi_connection
    assert isinstance(raw, wire.Connection)
    raw.cursor().execute("create temp table copied (n int)")
    raw.cursor().execute("copy copied from stdin", stream=BytesIO(b"1\n2\n3\n"))
    assert db.execute(text("select sum(n) from copied where n > :n"), {"n": 1}).scalar_one() == 5


def test_the_server_refuses_the_commit_of_a_lost_lease(db: Connection) -> None:
    add_job(db, "held")
    at = db.execute(text("select belfry.clock()")).scalar_one().replace(minute=0, second=0, microsecond=0)
    claim = executions.claim(db, "held", at, "scheduled", lease=60, owner="me")
    execution = UUID(str(claim.execution_id))
    assert executions.begin(db, execution, claim.fence, 60_000) is False
    db.execute(text("insert into belfry.biz_config values (:k, 'true')"), {"k": "effect"})
    with pytest.raises(LeaseLost):
        executions.commit(db, execution, claim.fence + 1, "succeeded", counters={"it's": 1}, elapsed_ms=1)
    database.rollback(db)
    assert db.execute(text("select count(*) from belfry.biz_config where key = 'effect'")).scalar_one() == 0
    assert executions.begin(db, execution, claim.fence + 1, 60_000) is None
    database.rollback(db)
    assert executions.begin(db, execution, claim.fence, 60_000) is False
    assert executions.commit(db, execution, claim.fence, "succeeded", counters={"it's": 1}, elapsed_ms=1) == []
    assert executions.read_back(db, execution, claim.fence) == "succeeded"
