"""The demo factory: the same for the same day, whole, in the past, and quick to make."""

import os
from collections.abc import Callable, Iterator
from datetime import date
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from infra.local.demo import populate
from infra.local.postgres import connection as superuser
from shared.db import new_engine

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
TABLES = text("""
    select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'belfry') and c.relkind in ('r', 'p') and not c.relispartition order by 1""")
INSTANTS = text("""
    select table_name, column_name from information_schema.columns
    where table_schema = 'erp' and data_type = 'timestamp with time zone'
      and column_name not in ('deadline', 'due_at', 'expected_start', 'expected_end')""")  # what is planned lies ahead


@pytest.fixture
def factory_on(db: Connection) -> Iterator[Callable[[date], Connection]]:
    """The factory of a day, in a database of its own."""
    server = os.environ["BELFRY_TEST_POSTGRES"]
    made = []

    def on(day: date) -> Connection:
        name = f"t_{uuid4().hex[:16]}"
        with superuser(server) as admin:
            admin.run(f"create database {name} template belfry_template strategy file_copy")
        engine = new_engine(server.rsplit("/", 1)[0] + "/" + name)
        connection = engine.connect()
        made.append((engine, connection, name))
        populate(connection, day)
        return connection

    yield on
    for engine, connection, name in made:
        connection.close()
        engine.dispose()
        with superuser(server) as admin:
            admin.run(f"drop database if exists {name} with (force)")


def rows_of(connection: Connection) -> dict[str, list[object]]:
    """Every row that the factory made, by table."""
    written_by_migrations = {"belfry.alert_rules", "belfry.biz_config", "belfry.channel_states"}
    return {
        table: connection.execute(text(f"select to_jsonb(t) from {table} t order by to_jsonb(t)::text")).scalars().all()
        for table in connection.execute(TABLES).scalars() if table not in written_by_migrations
    }


def test_the_same_day_gives_the_same_rows(factory_on: Callable[[date], Connection]) -> None:
    assert rows_of(factory_on(DAYS[0])) == rows_of(factory_on(DAYS[0]))


def test_another_day_gives_the_same_factory_with_other_dates(factory_on: Callable[[date], Connection]) -> None:
    first, second = rows_of(factory_on(DAYS[0])), rows_of(factory_on(DAYS[1]))
    assert {table: len(rows) for table, rows in first.items()} == {table: len(rows) for table, rows in second.items()}
    assert first["erp.users"] == second["erp.users"]
    assert first["erp.issues"] != second["erp.issues"]


@pytest.mark.parametrize("day", DAYS)
def test_nothing_has_happened_yet_on_the_day_itself(day: date, db: Connection) -> None:
    populate(db, day)
    for table, column in db.execute(INSTANTS):
        latest = db.execute(text(f"select max({column} at time zone 'Asia/Shanghai') from erp.{table}")).scalar()
        assert latest is None or latest.date() < day, f"{table}.{column}"


def test_a_factory_that_cannot_be_made_whole_is_not_made(db: Connection) -> None:
    db.exec_driver_sql("alter table erp.work_orders add constraint few check (id < 5)")
    with pytest.raises(DBAPIError, match="few"):
        populate(db, DAYS[0])
    assert db.execute(text("select count(*) from erp.users")).scalar() == 0


def test_rows_made_later_get_free_ids(db: Connection) -> None:
    populate(db, DAYS[0])
    made = db.execute(text("insert into erp.customers (customer_name) values ('新客户') returning id")).scalar_one()
    assert made == db.execute(text("select max(id) from erp.customers")).scalar()


def test_what_belfry_keeps_about_people_and_projects_points_to_some(db: Connection) -> None:
    populate(db, DAYS[0])
    for table, column, target in (
        ("notification_settings", "user_id", "users"), ("alert_subscriptions", "user_id", "users"),
        ("alert_subscriptions", "project_id", "projects"), ("project_health_snapshots", "project_id", "projects"),
    ):
        lost = f"select count(*) from belfry.{table} t where {column} not in (select id from erp.{target})"
        assert db.execute(text(lost)).scalar() == 0, f"{table}.{column}"
        assert db.execute(text(f"select count(*) from belfry.{table}")).scalar() > 0


def test_three_people_sign_in_with_growing_permissions(db: Connection) -> None:
    populate(db, DAYS[0])
    granted = {
        row.username: set(row.permissions)
        for row in db.execute(text("""
            select u.username, array_agg(p) as permissions from erp.users u join erp.user_roles x on x.user_id = u.id
            join erp.roles r on r.id = x.role_id, unnest(r.permissions) p
            where u.username in ('viewer', 'owner', 'admin') group by 1"""))
    }
    assert granted["viewer"] == {"scheduler:view"}
    assert granted["owner"] == {"scheduler:view", "scheduler:trigger", "alert:handle"}
    assert granted["admin"] == granted["owner"] | {"scheduler:manage", "scheduler:admin", "alert:admin"}


def test_every_role_of_the_rulebook_has_an_active_member(db: Connection) -> None:
    populate(db, DAYS[0])
    staffed = set(db.execute(text("""
        select r.role_code from erp.roles r join erp.user_roles x on x.role_id = r.id
        join erp.users u on u.id = x.user_id where u.is_active""")).scalars())
    assert staffed >= {
        "PMO", "FIN", "SALES_MGR", "PROC", "WH", "QA", "PROD", "EQUIP", "PRESALE", "DBA", "SYS_ADMIN", "GM",
    }


@pytest.mark.parametrize(("day", "works"), [
    (date(2026, 2, 17), False), (date(2026, 2, 28), True), (date(2026, 10, 10), True), (date(2026, 10, 11), False),
    (date(2026, 11, 23), True), (date(2025, 10, 1), False), (date(2027, 1, 4), True),
])
def test_the_calendar_knows_holidays_and_make_up_workdays(day: date, works: bool, db: Connection) -> None:
    populate(db, DAYS[1])
    assert db.execute(text("select belfry.is_workday(:day)"), {"day": day}).scalar() is works
