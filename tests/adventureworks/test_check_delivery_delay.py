"""Late deliveries in data that nobody here wrote: every alert, level and fact against figures made from the files."""

from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from tests.adventureworks import adapter, oracle
from tests.conftest import Perform

JOB = "check_delivery_delay"
# How many late orders by level: WARNING, CRITICAL, URGENT. Figured once from the files; the oracle must find them too.
DAYS = {
    date(2022, 5, 1): (1, 0, 0),
    date(2023, 1, 1): (1, 0, 2),
    date(2024, 1, 1): (0, 0, 33),
    date(2025, 3, 1): (7, 5, 178),
    date(2025, 6, 1): (4, 4, 270),
    date(2025, 10, 20): (0, 0, 356),
}


def said(db: Connection) -> dict[int, dict[str, Any]]:
    """The open alerts, in the oracle's words."""
    rows = db.execute(text("""select a.*, r.rule_code from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
        where r.rule_code = 'DELIVERY_DELAY' and a.status = 'PENDING'"""))
    return {
        row.target_id: {
            "level": row.base_level, "trigger": row.trigger_value, "threshold": row.threshold_value, "target_no": row.target_no,
            "target_name": row.target_name, "recipients": set(row.recipients), "facts": row.facts | {"lines": [exact(line) for line in row.facts["lines"]]},
        }
        for row in rows
    }


def exact(line: dict[str, Any]) -> dict[str, Any]:
    return line | {name: Decimal(str(line[name])) for name in ("quantity", "remainder")}


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_every_alert_level_and_fact_on_a_past_day(day: date, adventureworks: Connection, files: oracle.Files, perform: Perform) -> None:
    adapter.as_of(adventureworks, day)
    answer = perform(JOB, f"{day}T14:00+08:00")
    expected = oracle.delays(files, day)
    levels = Counter(alert["level"] for alert in expected.values())
    assert (levels["WARNING"], levels["CRITICAL"], levels["URGENT"]) == DAYS[day]
    assert (answer["state"], answer["counters"]["created"]) == ("succeeded", len(expected))
    assert said(adventureworks) == expected


def test_playing_the_days_one_after_the_other_ends_where_a_fresh_run_does(adventureworks: Connection, files: oracle.Files, perform: Perform) -> None:
    for day in DAYS:
        adapter.as_of(adventureworks, day)
        perform(JOB, f"{day}T14:00+08:00")
        assert said(adventureworks) == oracle.delays(files, day)


def test_lines_that_feed_an_open_shortage_count_one_level_more(adventureworks: Connection, files: oracle.Files, perform: Perform) -> None:
    day = date(2025, 6, 1)
    adapter.as_of(adventureworks, day)
    perform("generate_shortage_alerts", f"{day}T07:00+08:00")
    perform(JOB, f"{day}T14:00+08:00")
    short = frozenset(material for _, material in oracle.shortages(files, day))
    expected = oracle.delays(files, day, short)
    assert any(alert["facts"]["feeds_shortage"] for alert in expected.values())
    assert said(adventureworks) == expected
