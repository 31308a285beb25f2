"""How is one row made many, in one statement? And what the jobs that look at alerts find: an old one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta

from sqlalchemy import Connection, Table, text

from tests.conftest import ROOT
from tests.factories import Erp
from tests.telling import NINE, alert


def copies_of(table: Table, number: str) -> Callable[[Connection, int, int], None]:
    """A `multiply` for a table whose rows differ only in the text of one unique column."""
    names = [column.name for column in table.columns if column.name not in ("id", number)]

    def multiply(db: Connection, target: int, n: int) -> None:
        db.execute(
            text(f"""insert into {table.fullname} ({number}, {", ".join(names)})
              select {number} || '-' || count || '-' || g, {", ".join(names)} from {table.fullname},
                (select count(*) from {table.fullname}) c, generate_series(1, :n) g where id = :id"""),
            {"n": n, "id": target},
        )

    return multiply


def old_alert(erp: Erp, day: date) -> int:
    """An `arrange`: an open alert that a person was to hear of and nobody ever handled."""
    facts = json.loads((ROOT / "tests/shared/template_facts.json").read_text("utf-8"))["ISSUE_OVERDUE"][0]
    since = NINE - timedelta(days=60)
    return alert(
        erp.conn, recipients=[f"USER:{erp.user()}"], facts=json.dumps(facts), triggered_at=since, level_changed_at=since
    )


def copies_of_alerts(db: Connection, target: int, n: int) -> None:
    """A `multiply` for open alerts."""
    db.execute(
        text("""insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, target_no, base_level,
                  alert_level, recipients, facts, triggered_at, level_changed_at)
                select alert_no || '-' || c.n || '-' || g, rule_id, dedupe_key || '|' || c.n || '|' || g, target_type, target_id + c.n + g,
                       target_no, base_level, base_level, recipients, facts, triggered_at, c.since - interval '60 days'
                from belfry.alert_records, generate_series(1, :n) g,
                     (select count(*) as n, min(level_changed_at) as since from belfry.alert_records) c
                where id = :id"""),
        {"n": n, "id": target},
    )
