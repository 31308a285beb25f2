"""Does a tick find the few rows that concern it by an index, among a million that do not?

The million is made of one row of the job's own case, over and done with; then one more row violates the rule. Every
statement of the tick is explained as it was said; none may read the whole of a table that has grown.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from pg8000.converters import literal
from pg8000.dbapi import convert_paramstyle
from sqlalchemy import Connection, Engine, event, text

from shared.cronfile.loading import load
from shared.db import set_patience
from tests.acceptance.cases import AlertJob
from tests.conftest import ROOT, Perform
from tests.factories import Erp
from tests.faults.order import FULL

ROWS = 1_000_000 if FULL else 50_000
ARRANGED = 600.0  # seconds that a million rows and their indexes may take
JOBS = dict(load(ROOT / "cron.yaml").jobs)
# The jobs whose tables grow without end in a factory, and how most rows of them look: over and done with.
HEAVIEST = {
    "check_timeout_issues": "erp.issues set status = 'CLOSED', closed_at = now()",
    "run_ecn_scheduler": "erp.ecn_tasks set status = 'COMPLETED'",
    "check_overdue_issues": "erp.issues set status = 'CLOSED', closed_at = now()",
    "check_blocking_issues": "erp.issues set status = 'CLOSED', closed_at = now()",
    "check_issue_timeout_escalation": "erp.issues set status = 'CLOSED', closed_at = now()",
    "check_milestone_alerts": "erp.project_milestones set status = 'COMPLETED', actual_date = planned_date",
    "check_task_delay_alerts": "erp.project_tasks set status = 'DONE', actual_end = plan_end",
    "check_work_report_timeout": "erp.work_orders set status = 'COMPLETED'",
    "check_delivery_delay": "erp.purchase_orders set status = 'COMPLETED'",
    "check_outsourcing_delivery_alerts": "erp.outsourcing_orders set status = 'COMPLETED'",
    "check_overdue_receivable_alerts": "erp.invoices set payment_status = 'PAID'",
    "check_task_warnings": "erp.work_tasks set status = 'CLOSED'",
}
_GROWN = text("""
  select relname from pg_class where relkind = 'r' and relnamespace in ('erp'::regnamespace, 'belfry'::regnamespace)
    and reltuples >= :rows""")


@pytest.mark.parametrize("job_id", HEAVIEST)
def test_a_tick_reads_no_grown_table_from_end_to_end(job_id: str, db: Connection, perform: Perform) -> None:
    module = importlib.import_module(f"tests.functions.{JOBS[job_id].category}.test_{job_id}")
    case = next(case for case in module.CASES if isinstance(case, AlertJob))
    set_patience(db, ARRANGED)
    with case.around(db):
        well = case.violate(Erp(db), case.day)
        db.execute(text(f"update {HEAVIEST[job_id]} where id = :id"), {"id": well})
        case.multiply(db, well, ROWS)
        case.violate(Erp(db), case.day)
        db.exec_driver_sql("vacuum analyze")
        grown = set(db.execute(_GROWN, {"rows": ROWS}).scalars())
        assert grown
        with _said() as statements:
            answer = perform(job_id, case.at())
    assert (answer["state"], answer["counters"]["created"]) == ("succeeded", 1)
    read = {
        f"{table}: {statement[:300]}"
        for statement in statements
        for table in re.findall(r"Seq Scan on (\w+)", _plan(db, statement))
        if table in grown
    }
    assert read == set()


def _plan(db: Connection, statement: str) -> str:
    return "\n".join(db.exec_driver_sql(f"explain {statement}").scalars())


@contextmanager
def _said() -> Iterator[list[str]]:
    """Every query of a tick with its parameters written into it; commands that have no plan are left out."""
    said: list[str] = []

    def hear(conn: Any, cursor: Any, statement: str, parameters: Sequence[Any], context: Any, many: bool) -> None:
        if re.match(r"\s*(select|with|insert|update|delete)\b", statement, re.IGNORECASE) and ";" not in statement:
            numbered = convert_paramstyle("format", statement, ())[0] if parameters else statement
            said.append(re.sub(r"\$(\d+)", lambda found: literal(parameters[int(found[1]) - 1]), numbered))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
