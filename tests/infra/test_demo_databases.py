"""The jobs that watch databases, over the demo factory, find what its instances' names promise."""

import re
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, text

from infra.local.demo import databases, populate
from tests.functions.databases.asking import secrets

DAYS = [date(2026, 3, 2), date(2026, 11, 22)]
PROMISE = re.compile(r"（.*：(.+)）$")


@pytest.fixture(params=DAYS, ids=str)
def night(request: pytest.FixtureRequest, db: Connection, database_url: str, perform: Any) -> Any:
    """The factory on a day; `night(job, "03:00")` runs one tick of a job on it, with the local cloud's secrets."""
    populate(db, request.param)

    def run(job_id: str, clock: str) -> dict[str, Any]:
        answer: dict[str, Any] = perform(job_id, at=f"{request.param}T{clock}+08:00", kind="manual")
        return answer

    with secrets(**{databases.HERE: database_url, databases.CLOSED: databases.NOBODY_LISTENS}):
        yield run


def levels(db: Connection, rule: str) -> dict[str, str]:
    return {row.target_name: row.base_level for row in db.execute(text("""
        select a.target_name, a.base_level from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = :rule and a.status = 'PENDING'"""), {"rule": rule})}


def test_partitions_are_made_and_old_ones_go(night: Any, db: Connection) -> None:
    made = night("monitor_partition_health", "00:30")
    assert (made["state"], made["counters"]["partitions"] > 10, levels(db, "PARTITION_MISSING")) == ("succeeded", True, {})
    done = night("cleanup_database_size_partitions", "04:00")
    assert done["state"] == "succeeded"
    assert done["counters"]["detached"] == 2
    assert done["counters"]["announced"] >= 4
    assert night("create_database_size_partitions", "05:00")["counters"]["created"] == 0


def test_accounts(night: Any, db: Connection) -> None:
    answer = night("sync_accounts", "01:00")
    assert (answer["state"], answer["counters"]["instances"], answer["counters"]["failed"]) == ("partial", 1, 3)
    assert answer["counters"]["deactivated"] == 1
    assert list(levels(db, "DB_ACCOUNT_SYNC_FAILED").values()) == ["WARNING"]
    assert list(levels(db, "DB_PRIVILEGED_ACCOUNT").values()) == ["CRITICAL"]


def test_sizes(night: Any, db: Connection) -> None:
    answer = night("collect_database_sizes", "03:00")
    assert (answer["state"], answer["counters"]["instances"]) == ("partial", 1)
    promised = {name: PROMISE.search(name)[1] for name in db.execute(text("select name from belfry.db_instances")).scalars()}
    assert levels(db, "DB_CAPACITY_COLLECT_FAILED") == {n: level for n, level in promised.items() if level != "不预警"}
    item = db.execute(text("select error from belfry.execution_items where status = 'succeeded' and item_type = 'DB_INSTANCE'"))
    assert item.scalar_one().endswith("gone: belfry, old_reports")


def test_sums(night: Any, db: Connection) -> None:
    answer = night("calculate_database_size_aggregations", "04:00")
    assert answer["state"] == "succeeded"
    kinds = text("select period_type, count(distinct period_start) from belfry.database_size_aggregations group by 1")
    found = {row[0]: row[1] for row in db.execute(kinds)}
    assert found["DAILY"] > 150
    assert found.keys() == {"DAILY", "WEEKLY", "MONTHLY", "QUARTERLY"}
    trends = set(db.execute(text("select trend from belfry.database_size_aggregations where period_type = 'QUARTERLY'")).scalars())
    assert trends & {"GROWING", "STABLE", "SHRINKING"}
