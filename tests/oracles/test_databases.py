"""Over random rows, the jobs that watch databases say what the rulebook says, and nothing else."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.functions.databases.asking import a_server, a_server_that_exaggerates, tell
from tests.oracles import databases as oracle
from tests.watched import run_sql

SEEDS = [1, 2]
DAYS = [TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=2), date(2026, 4, 1), date(2026, 4, 6)]
LOOK_BACK = 190


@pytest.fixture(params=SEEDS)
def rng(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


def stored(db: Connection, table: str, *key: str) -> dict[Any, Any]:
    rows = db.execute(text(f"select * from belfry.{table}")).mappings()
    left_out = {*key, "period_type", "period_start", "calculated_at"}
    return {
        (*(row[name] for name in key), row["period_type"], row["period_start"]): {k: v for k, v in row.items() if k not in left_out}
        for row in rows
    }


def test_sums_of_periods(rng: random.Random, db: Connection, perform: Perform) -> None:
    oracle.generate(Erp(db), rng, TODAY)
    databases: dict[Any, Any] = {}
    instances: dict[Any, Any] = {}
    done: set[tuple[str, date]] = set()
    for day in DAYS:
        periods = oracle.expected_periods(db, day, LOOK_BACK, done)
        # What was not final is summed up again three days after its end; what is due anew is too.
        ripe = {(k, s) for (*_, k, s), row in instances.items() if not row["is_final"] and row["period_end"] <= day - timedelta(days=3)}
        ripe = {(kind, start) for kind, start in ripe if start >= day - timedelta(days=LOOK_BACK)}
        assert perform("calculate_database_size_aggregations", f"{day}T04:00+08:00")["state"] == "succeeded"
        for_databases, for_instances = oracle.expected_sums(db, day, periods | ripe)
        databases |= for_databases
        instances |= for_instances
        done |= periods
        found = stored(db, "database_size_aggregations", "instance_id", "database_name")
        assert found.keys() == databases.keys()
        assert {k: v for k, v in found.items() if v != databases[k]} == {}
        found = stored(db, "instance_size_aggregations", "instance_id")
        assert found.keys() == instances.keys()
        assert {k: v for k, v in found.items() if v != instances[k]} == {}
    assert {row["trend"] for row in databases.values()} == {None, "GROWING", "SHRINKING", "STABLE"}
    assert len(databases) > 1000


def test_sizes_totals_and_growth(rng: random.Random, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    names = [f"d{n}" for n in range(4)]
    alarming: set[str] = set()
    grown = 0
    with a_server_that_exaggerates(db) as url:
        known = {name: oracle.GIB * (30 + n) for n, name in enumerate(names)}
        run_sql(url, *(f"create database {name}" for name in names))
        for number in range(12):
            day = TODAY + timedelta(days=number)
            known = {name: oracle.next_size(rng, size) for name, size in known.items()}
            if number == 5:
                run_sql(url, f"drop database {names[0]}")
                del known[names[0]]
            tell(url, **known)
            expected = {name: oracle.megabytes(size) for name, size in {**known, "shop": 1, "postgres": 1}.items()}
            if number == 8 or rng.random() < 0.15:
                continue  # nobody measured on that day
            assert perform("collect_database_sizes", f"{day}T03:00+08:00")["state"] == "succeeded"
            found = text("select database_name, size_mb from belfry.database_size_stats where collected_date = :day")
            assert dict(db.execute(found, {"day": day}).all()) == expected
            totals = text("select total_size_mb, database_count from belfry.instance_size_stats where collected_date = :day")
            assert db.execute(totals, {"day": day}).all() == [(sum(expected.values()), len(expected))]
            growth = oracle.expected_growth(db, day)
            alarming = {name for name in alarming if name.removeprefix("pg/") not in expected} | growth.keys()
            alerts = db.execute(text("select target_no, base_level, facts from belfry.alert_records where status = 'PENDING'")).all()
            assert {a.target_no: a.base_level for a in alerts} == dict.fromkeys(alarming, "WARNING")
            assert {a.target_no: (a.facts["before_mb"], a.facts["size_mb"]) for a in alerts if a.target_no in growth} == growth
            grown += len(growth)
    assert grown > 5


def test_accounts(rng: random.Random, db: Connection, perform: Perform) -> None:
    Erp(db).db_instance(name="pg")
    days = [[oracle.OWNER, *oracle.random_accounts(rng)] for _ in range(8)]
    logged, alarming, active = oracle.expected_accounts(days)
    kept: set[str] = set()
    with a_server(db) as url:
        there: set[str] = set()
        for number, seen in enumerate(days):
            run_sql(url, *oracle.as_roles(there, seen))
            there = {account["username"] for account in seen}
            assert perform("sync_accounts", f"{TODAY + timedelta(days=number)}T01:00+08:00")["state"] == "succeeded"
            changes = db.execute(text("select username, change_type from belfry.db_account_changes")).all()
            assert sorted(tuple(row) for row in changes) == sorted(log[1:] for log in logged if log[0] <= number)
            raised = {name for day, name in alarming if day == number}
            kept = (kept | raised) & {a["username"] for a in seen if a["is_superuser"]}
            open_ones = db.execute(text("select target_no, base_level from belfry.alert_records where status = 'PENDING'"))
            assert {row.target_no: row.base_level for row in open_ones} == {f"pg/{name}": "CRITICAL" for name in kept}
    found = db.execute(text("select username, is_active from belfry.db_instance_accounts")).all()
    assert {row.username: row.is_active for row in found} == active
    assert len(alarming) > 3


def test_partitions_of_the_months_to_come(rng: random.Random, db: Connection, perform: Perform) -> None:
    parents = db.execute(text("select distinct parent_table from belfry.v_partitions")).scalars().all()
    query = text("select parent_table, range_start from belfry.v_partitions where range_start is not null")
    for parent in parents:
        for ahead in rng.sample(range(-3, 6), 3):
            month = oracle.months_later(TODAY, ahead)
            if (parent, month) not in {tuple(row) for row in db.execute(query)}:
                Erp(db).partition(month, parent)
    for number in range(3):
        first = oracle.months_later(TODAY, number)
        before = {tuple(row) for row in db.execute(query)}
        perform("create_database_size_partitions", f"{first}T02:00+08:00")
        wanted = {(parent, oracle.months_later(first, ahead)) for parent in parents for ahead in range(4)}
        assert {tuple(row) for row in db.execute(query)} == before | wanted
        assert number or wanted - before
    assert len(parents) == 5


def test_partitions(rng: random.Random, db: Connection, perform: Perform) -> None:
    erp = Erp(db)
    parents = {"belfry.database_size_stats": 13, "belfry.instance_size_aggregations": 36}
    months = {parent: oracle.random_partitions(erp, rng, TODAY, parent) for parent in parents}
    goes = {(p, m) for p, kept in parents.items() for m in months[p] if not oracle.stays(m, TODAY, kept)}
    for number in range(5):  # told on the first day, then at most twelve a day
        perform("cleanup_database_size_partitions", f"{TODAY + timedelta(days=number)}T04:00+08:00")
    query = text("select parent_table, range_start from belfry.v_partitions where range_start is not null and parent_table = any(:p)")
    left = {(row.parent_table, row.range_start) for row in db.execute(query, {"p": list(parents)})}
    assert left == {(p, m) for p in parents for m in months[p]} - goes
    perform("monitor_partition_health", f"{TODAY + timedelta(days=5)}T00:30+08:00")
    wanted = {(p, date(2026, month, 1)) for p in parents for month in (3, 4, 5, 6)}
    now = {(row.parent_table, row.range_start) for row in db.execute(query, {"p": list(parents)})}
    assert now == left | wanted
    holes = {p: _holes({m for parent, m in now if parent == p}) for p in parents}
    told = {a.target_no: [problem["month"] for problem in a.facts["problems"]] for a in db.execute(text("select * from belfry.alert_records"))}
    assert told == {p: missing for p, missing in holes.items() if missing}


def _holes(months: set[date]) -> list[str]:
    number = {m.year * 12 + m.month - 1 for m in months}
    return [str(date(n // 12, n % 12 + 1, 1)) for n in range(min(number), max(number)) if n not in number]
