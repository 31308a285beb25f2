"""Over random rows, the jobs that watch databases say what the rulebook says, and nothing else."""

import random
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, text

from shared.databases import accounts, sizes
from shared.rules.accounts import privileges_hash
from tests.conftest import Perform
from tests.factories import TODAY, Erp
from tests.oracles import databases as oracle

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


def test_growth(rng: random.Random, db: Connection) -> None:
    oracle.generate(Erp(db), rng, TODAY)
    numbers = db.execute(text("select id from belfry.db_instances")).scalars().all()
    seen = 0
    for ago in range(60):
        day, found = TODAY - timedelta(days=ago), {}
        for instance in numbers:
            for row in db.execute(sizes.grown(instance, day, 30, 20, 3)):
                found[row.target_no] = (row.facts["before_mb"], row.facts["size_mb"])
        assert found == oracle.expected_growth(db, day)
        seen += len(found)
    assert seen > 5


def test_accounts(rng: random.Random, db: Connection) -> None:
    instance = Erp(db).db_instance(name="pg")
    days = [oracle.random_accounts(rng) for _ in range(8)]
    alarming = set()
    for number, seen in enumerate(days):
        run = f"00000000-0000-4000-8000-{number:012}"
        given = [a | {"privileges_hash": privileges_hash(a["privileges"])} for a in seen]
        db.execute(accounts.merge(instance, given, oracle.now_of(TODAY + timedelta(days=number)), run))
        alarming |= {(number, row.target_name) for row in db.execute(accounts.alarming(instance, run))}
    logged, expected, active = oracle.expected_accounts(days)
    found = db.execute(text("select right(run_id::text, 12)::int, username, change_type from belfry.db_account_changes")).all()
    assert sorted(tuple(row) for row in found) == sorted(logged)
    assert alarming == expected
    kept = db.execute(text("select username, is_active from belfry.db_instance_accounts")).all()
    assert {row.username: row.is_active for row in kept} == active
    assert len(expected) > 3


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
