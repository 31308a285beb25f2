"""Job W4: real servers are measured, each by itself; what cannot be read is said and stops nobody else."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.databases import instances
from tests.acceptance.cases import AlertJob, RowsJob
from tests.conftest import Perform
from tests.evidence import alerts
from tests.factories import TODAY, Erp
from tests.functions.databases.asking import (
    CLOSED,
    REF,
    a_server,
    a_server_that_exaggerates,
    secrets,
    tell,
    variable,
)
from tests.watched import mariadb, postgres, run_sql, speaking_to

JOB = "collect_database_sizes"
THREE = "2026-03-02T03:00+08:00"
GB = 1024
GIB = 1024**3
_STEPS = "works in steps: a transaction an instance"
_FEW = "few rows: instances and their databases, whatever they hold"


def sizes(db: Connection) -> list[Any]:
    return db.execute(text("""select i.name, s.database_name, s.collected_date::text, s.size_mb
        from belfry.database_size_stats s join belfry.db_instances i on i.id = s.instance_id order by 3, 1, 2""")).all()


def totals(db: Connection) -> list[Any]:
    return db.execute(text("""select collected_date::text, total_size_mb, database_count from belfry.instance_size_stats
        order by instance_id, collected_date""")).all()


def items(db: Connection, status: str = "failed") -> dict[str, str]:
    rows = db.execute(text("""select item_key, error from belfry.execution_items
        where status = :s and item_type <> 'step' order by 1"""), {"s": status})
    return {row.item_key: row.error for row in rows}


def levels(db: Connection, rule: str) -> dict[str, str]:
    return {a["target_no"]: a["base_level"] for a in alerts(db) if a["rule_code"] == rule and a["status"] == "PENDING"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def maria() -> Iterator[str]:
    with mariadb() as url:
        yield url


@pytest.fixture
def watched(server: str) -> Iterator[str]:
    with secrets(**{REF: server}):
        yield server


# ---------------------------------------------------------------- what every job promises
def _unreadable(erp: Erp, day: date) -> str:
    erp.db_instance(credential_ref="nobody_set_this")
    return "DB_INSTANCE"


def _made(db: Connection) -> list[Any]:
    return [*sizes(db), *totals(db)]


def _grow(erp: Erp, day: date) -> Any:
    instance = erp.db_instance()
    erp.database_size(instance, day - timedelta(days=1), 40 * GB, database_name="shop")
    tell(os.environ[variable(REF)], shop=60 * GIB)


def _violate_failed(erp: Erp, day: date) -> int:
    return erp.db_instance(credential_ref=CLOSED)


def _clear_failed(db: Connection, target: int) -> None:
    db.execute(text("update belfry.db_instances set is_active = false"))


def _worsen_failed(db: Connection, target: int) -> None:
    db.execute(text("update belfry.db_instance_checks set failed_days = 3"))


CASES = [
    RowsJob(
        JOB, clock="03:00", around=a_server, arrange=lambda erp, day: erp.db_instance(), made=_made, spoil=_unreadable,
        multiply=lambda db, target, n: None,
        reasons={
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
        },
    ),
    AlertJob(
        JOB, "DB_CAPACITY_GROWTH", clock="03:00", around=a_server_that_exaggerates, violate=_grow, spoil=_unreadable,
        clear=lambda db, target: tell(os.environ[variable(REF)], shop=41 * GIB), multiply=lambda db, target, n: None,
        reasons={
            "a_worse_level_upgrades_the_same_alert_and_tells_once": "one level: fast growth is a warning",
            "a_rule_that_is_switched_off_says_nothing_and_touches_no_alert":
                "proved by test_the_growth_rule_can_be_switched_off: one server is not an instance twice",
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
            "the_business_day_begins_at_local_midnight":
                "proved by test_growth_is_against_the_newest_size_of_the_last_three_days: yesterday's run is what it compares with",
        },
    ),
    AlertJob(
        JOB, "DB_CAPACITY_COLLECT_FAILED", ends="partial", clock="03:00", around=a_server, violate=_violate_failed, clear=_clear_failed,
        worsen=_worsen_failed, multiply=lambda db, target, n: None,
        reasons={
            "a_row_that_cannot_be_judged_is_listed_and_the_others_are_done": _STEPS,
            "the_number_of_statements_does_not_depend_on_the_rows": _STEPS,
            "fifty_thousand_rows_are_done_within_the_jobs_timeout": _FEW,
            "the_business_day_begins_at_local_midnight": "no day: an instance that cannot be read is told on whatever day it is",
        },
    ),
]  # fmt: skip


# ---------------------------------------------------------------- what is measured
def test_every_database_of_a_postgres_is_measured(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    answer = perform(JOB, THREE)
    assert (answer["state"], answer["counters"]["databases"]) == ("succeeded", 2)
    found = {row.database_name: row.size_mb for row in sizes(db)}
    assert found.keys() == {"postgres", "shop"}, "templates are the engine's own"
    assert all(5 <= size <= 20 for size in found.values())
    assert totals(db) == [("2026-03-02", sum(found.values()), 2)]
    assert "2 databases" in items(db, "succeeded")["pg"]


def test_every_database_of_a_mariadb_is_measured(maria: str, db: Connection, perform: Perform) -> None:
    with speaking_to(maria) as root:
        root.exec_driver_sql("create database if not exists shop")
        root.exec_driver_sql("create database if not exists empty_one")
        root.exec_driver_sql("create table if not exists shop.t (x longtext) engine = myisam")
        root.exec_driver_sql("insert into shop.t values (repeat('x', 3 * 1024 * 1024))")
    Erp(db).db_instance(name="my", db_type="MYSQL", credential_ref="watched_mysql")
    with secrets(watched_mysql=maria):
        answer = perform(JOB, THREE)
    assert answer["state"] == "succeeded", items(db)
    assert [(row.database_name, row.size_mb) for row in sizes(db)] == [("empty_one", 0), ("shop", 3)]
    assert totals(db) == [("2026-03-02", 3, 2)]


def test_a_second_run_of_the_day_overwrites_and_its_total_is_its_own(watched: str, db: Connection, perform: Perform) -> None:
    """A database that was dropped between two runs is not in the total."""
    instance = Erp(db).db_instance()
    run_sql(watched, "create database short_lived")
    perform(JOB, THREE)
    assert {row.database_name for row in sizes(db)} == {"postgres", "shop", "short_lived"}
    run_sql(watched, "drop database short_lived")
    db.execute(text("update belfry.database_size_stats set size_mb = 999 where database_name = 'shop'"))
    perform(JOB, THREE, kind="manual")
    assert {row.database_name for row in sizes(db)} == {"postgres", "shop"}
    assert [row.total_size_mb for row in totals(db)] == [sum(row.size_mb for row in sizes(db))]
    assert totals(db)[0].total_size_mb < 100
    assert instance


def test_a_database_of_yesterday_is_listed_and_not_stored_as_nothing(watched: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    instance, yesterday = erp.db_instance(name="pg"), TODAY - timedelta(days=1)
    erp.database_size(instance, yesterday, 5, database_name="archive")
    erp.instance_size(instance, yesterday, 5)
    perform(JOB, THREE)
    assert items(db, "succeeded")["pg"].endswith("gone: archive")
    assert [row.database_name for row in sizes(db) if row.collected_date == str(TODAY)] == ["postgres", "shop"]


def test_a_missing_partition_is_made_before_the_first_row(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance()
    perform(JOB, THREE)
    where = text("select distinct c.relname from belfry.database_size_stats s join pg_class c on c.oid = s.tableoid")
    assert db.execute(where).scalars().all() == ["database_size_stats_2026_03"]


def test_a_database_whose_size_may_not_be_read_is_an_item(watched: str, db: Connection, perform: Perform) -> None:
    run_sql(watched, "create role watcher login", "create database hidden_one", "revoke connect on database hidden_one from public")
    try:
        Erp(db).db_instance(name="pg", credential_ref="watcher")
        with secrets(watcher=watched.replace("belfry@", "watcher@")):
            answer = perform(JOB, THREE)
        assert (answer["state"], items(db)) == ("partial", {"pg/hidden_one": "its size may not be read"})
        assert {row.database_name for row in sizes(db)} == {"postgres", "shop"}
    finally:
        run_sql(watched, "drop database hidden_one", "drop role watcher")


def test_the_sizes_of_a_past_day_cannot_be_read_any_more(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance()
    answer = perform(JOB, THREE, kind="manual", now="2026-03-05T09:00+08:00")
    assert (answer["state"], sizes(db)) == ("failed", [])


# ---------------------------------------------------------------- what cannot be read
@pytest.mark.parametrize(("columns", "said"), [
    ({"db_type": "SQLSERVER"}, "type SQLSERVER cannot be read yet, only POSTGRESQL and MYSQL"),
    ({"db_type": "ORACLE"}, "type ORACLE cannot be read yet"),
    ({"db_type": "MYSQL"}, f"credential {REF} opens no MYSQL"),
    ({"credential_ref": "not_there"}, "CREDENTIAL_NOT_THERE must be set"),
    ({"credential_ref": "postgresql://root:geheim@db/x"}, "credential_ref is not the name of a secret"),
    ({"credential_ref": "broken"}, "credential broken is not a database URL"),
    ({"host": "db7.example.com"}, f"credential {REF} is for another server than db7.example.com:0"),
    ({"port": 5}, f"credential {REF} is for another server than 127.0.0.1:5"),
    ({"credential_ref": CLOSED}, "Can't create a connection to host 127.0.0.1 and port 1"),
    ({"credential_ref": "stranger"}, 'role "stranger" does not exist'),
])
def test_an_instance_that_cannot_be_read_stops_no_other(
    columns: dict[str, Any], said: str, watched: str, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    erp.db_instance(name="bad", **columns)
    erp.db_instance(name="good")
    with secrets(broken="no url at all", stranger=watched.replace("belfry@", "stranger:geheim@")):
        answer = perform(JOB, THREE)
    assert answer["state"] == "partial"
    assert list(items(db)) == ["bad"]
    assert said in items(db)["bad"]
    assert "geheim" not in items(db)["bad"]
    assert {row.name for row in sizes(db)} == {"good"}
    assert levels(db, "DB_CAPACITY_COLLECT_FAILED") == {"bad": "WARNING"}


def test_a_wrong_password_is_told_without_it(maria: str, db: Connection, perform: Perform, caplog: Any) -> None:
    Erp(db).db_instance(name="my", db_type="MYSQL", credential_ref="watched_mysql")
    with secrets(watched_mysql=maria.replace("s3cret%3Aword", "falsch%21")):
        assert perform(JOB, THREE)["state"] == "partial"
    assert "1045: Access denied" in items(db)["my"]
    everywhere = f"{items(db)} {caplog.text} {alerts(db)}"
    assert "falsch" not in everywhere
    assert "s3cret" not in everywhere


@pytest.mark.parametrize(("days", "level"), [(1, "WARNING"), (2, "WARNING"), (3, "CRITICAL"), (9, "CRITICAL")])
def test_the_third_failed_day_in_a_row_is_critical(days: int, level: str, db: Connection, perform: Perform) -> None:
    instance = Erp(db).db_instance(name="bad", credential_ref=CLOSED)
    with secrets():
        if days > 1:
            Erp(db).db_instance_check(instance, kind="SIZES", failed_on=TODAY - timedelta(days=1), failed_days=days - 1)
        perform(JOB, THREE)
    assert levels(db, "DB_CAPACITY_COLLECT_FAILED") == {"bad": level}


def test_a_second_failure_of_a_day_is_not_a_second_day(db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="bad", credential_ref=CLOSED)
    with secrets():
        for _ in range(3):
            perform(JOB, THREE, kind="manual")
    assert db.execute(text("select failed_days from belfry.db_instance_checks")).scalar_one() == 1
    (alert,) = alerts(db)
    assert (alert["base_level"], alert["version"]) == ("WARNING", 1)


def test_a_success_ends_the_alert_and_the_count(watched: str, db: Connection, perform: Perform) -> None:
    instance = Erp(db).db_instance(name="flaky", credential_ref=CLOSED)
    perform(JOB, THREE)
    db.execute(text("update belfry.db_instances set credential_ref = :r where id = :i"), {"r": REF, "i": instance})
    perform(JOB, "2026-03-03T03:00+08:00")
    assert levels(db, "DB_CAPACITY_COLLECT_FAILED") == {}
    row = db.execute(text("select failed_days, failed_on, error from belfry.db_instance_checks")).one()
    assert row == (0, None, None)


def test_the_failure_rule_can_be_switched_off(db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="bad", credential_ref=CLOSED)
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'DB_CAPACITY_COLLECT_FAILED'"))
    with secrets():
        assert perform(JOB, THREE)["state"] == "partial"
    assert alerts(db) == []


# ---------------------------------------------------------------- time
# pg8000 leaves the socket of a connection that was not answered to the garbage collector.
GIVES_UP = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


class Slow:
    """A port that takes connections and never says a word."""

    def __enter__(self) -> Slow:
        import socket

        self.socket = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.socket.getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        gc.collect()  # while the warning is still expected


@GIVES_UP
def test_an_instance_that_never_answers_is_given_up(watched: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    erp.db_instance(name="silent", credential_ref="silent")
    erp.db_instance(name="good")
    with Slow() as slow, secrets(silent=f"postgresql://x@127.0.0.1:{slow.port}/x"):
        began = time.monotonic()
        params = {"connect_seconds": 1, "tries": 2, "instance_seconds": 5}
        assert perform(JOB, THREE, params=params, kind="manual")["state"] == "partial"
        assert time.monotonic() - began < 10
    assert list(items(db)) == ["silent"]
    assert {row.name for row in sizes(db)} == {"good"}


@GIVES_UP
def test_what_the_deadline_left_over_is_skipped_and_first_the_next_time(watched: str, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    slow_ones = [erp.db_instance(name=f"slow{n}", credential_ref="silent") for n in range(2)]
    late = erp.db_instance(name="late")
    for instance in slow_ones:
        erp.db_instance_check(instance, kind="SIZES", attempted_at="2026-01-01T00:00Z", failed_days=0)
    erp.db_instance_check(late, kind="SIZES", attempted_at="2026-01-02T00:00Z", failed_days=0)
    register_with_timeout(db, 9)
    with Slow() as slow, secrets(silent=f"postgresql://x@127.0.0.1:{slow.port}/x"):
        params = {"connect_seconds": 4, "tries": 1, "instance_seconds": 5, "workers": 1, "reserve_seconds": 4}
        answer = perform(JOB, THREE, params=params, kind="manual")
    assert answer["state"] == "partial", answer
    assert (list(items(db)), list(items(db, "skipped"))) == (["slow0"], ["late", "slow1"])
    assert sizes(db) == []
    order = db.execute(text("""select i.name from belfry.db_instances i join belfry.db_instance_checks c on c.instance_id = i.id
        order by c.attempted_at, i.id""")).scalars().all()
    assert order.index("late") < order.index("slow0"), "the one that was reached goes to the end"


def register_with_timeout(db: Connection, seconds: int) -> None:
    from tests.conftest import register

    register(db, JOB)
    db.execute(text("update belfry.jobs set timeout_s = :s where job_id = :j"), {"s": seconds, "j": JOB})


@GIVES_UP
def test_no_transaction_is_open_while_an_instance_is_asked(watched: str, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="silent", credential_ref="silent")
    seen: list[str] = []

    def look() -> None:
        time.sleep(1)
        seen.extend(db.execute(text("""select state from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type = 'client backend'""")).scalars())

    with Slow() as slow, secrets(silent=f"postgresql://x@127.0.0.1:{slow.port}/x"):
        looker = threading.Thread(target=look)
        looker.start()
        perform(JOB, THREE, params={"connect_seconds": 3, "tries": 1}, kind="manual")
        looker.join()
    assert seen
    assert not [state for state in seen if "transaction" in state], seen


def test_five_at_a_time_at_most() -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def read(connection: Any, instance: Any) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        return instance.id

    with postgres() as url, secrets(**{REF: url}):
        asked = [instances.Instance(n, f"i{n}", "POSTGRESQL", "127.0.0.1", 0, REF) for n in range(12)]
        patience = instances.Patience(5, 10, 1, 5)
        found = instances.survey(asked, read, patience, check=lambda: None, remaining=lambda: 60, reserve=1)
        assert sorted(answer.found for answer in found) == list(range(12))
    assert 1 < most <= 5


def test_what_is_asked_is_asked_read_only(watched: str) -> None:
    def write(connection: Any, instance: Any) -> None:
        connection.exec_driver_sql("create table written (x int)")

    instance = instances.Instance(1, "pg", "POSTGRESQL", "127.0.0.1", 0, REF)
    (answer,) = instances.survey([instance], write, instances.Patience(5, 10, 1, 1), check=lambda: None,
                                 remaining=lambda: 60, reserve=1)  # fmt: skip
    assert "read-only transaction" in (answer.failed or "")


# ---------------------------------------------------------------- growth
@pytest.mark.parametrize(("before", "now", "level"), [
    (40, 60, "WARNING"), (66.66, 86.66, "WARNING"), (66.7, 86.7, None), (40, 59.9, None), (0, 20, "WARNING"), (80, 60, None),
])
def test_growth_needs_30_percent_and_20_gigabytes(before: float, now: float, level: str | None, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    with a_server_that_exaggerates(db) as url:
        erp.database_size(erp.db_instance(name="pg"), TODAY - timedelta(days=1), int(before * GB), database_name="shop")
        tell(url, shop=int(now * GIB))
        perform(JOB, THREE)
    assert levels(db, "DB_CAPACITY_GROWTH") == ({"pg/shop": level} if level else {})


@pytest.mark.parametrize(("known", "grown"), [
    ({1: 40}, True), ({3: 40}, True), ({4: 40}, False), ({1: 59, 3: 10}, False), ({2: 40, 3: 59}, True), ({}, False),
])
def test_growth_is_against_the_newest_size_of_the_last_three_days(
    known: dict[int, int], grown: bool, db: Connection, perform: Perform
) -> None:
    erp = Erp(db)
    with a_server_that_exaggerates(db) as url:
        instance = erp.db_instance(name="pg")
        for days, size in known.items():
            erp.database_size(instance, TODAY - timedelta(days=days), size * GB, database_name="shop")
        tell(url, shop=60 * GIB)
        perform(JOB, THREE)
    assert (levels(db, "DB_CAPACITY_GROWTH") != {}) is grown


def test_the_growth_rule_can_be_switched_off(db: Connection, perform: Perform) -> None:
    db.execute(text("update belfry.alert_rules set is_enabled = false where rule_code = 'DB_CAPACITY_GROWTH'"))
    with a_server_that_exaggerates(db):
        _grow(Erp(db), TODAY)
        assert perform(JOB, THREE)["state"] == "succeeded"
    assert alerts(db) == []
