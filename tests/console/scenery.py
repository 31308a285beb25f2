"""What does a console test look at? The demo factory, every job of cron.yaml, a past for each, and today's real runs."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from infra.local import demo
from shared import db, executions
from shared.cronfile.loading import load
from shared.operator import reload
from shared.schedule import MINUTE, Schedule, now
from tests.conftest import ROOT, Perform

SHANGHAI = ZoneInfo("Asia/Shanghai")
RUNS = 24
# job, run counted from the newest, what became of it
STORIES = {
    ("check_delivery_delay", 0): "failed",
    ("check_delivery_delay", 1): "failed",
    ("calculate_project_health", 3): "failed",
    ("check_overdue_issues", 5): "partial",
    ("check_alert_escalation", 2): "skipped",
    ("check_alert_escalation", 7): "partial",
    ("daily_health_snapshot", 6): "lost",
}
ERROR = "OperationalError: server closed the connection unexpectedly while reading purchase_order_items"
PERFORMED = ("check_overdue_issues", "check_blocking_issues", "check_milestone_alerts", "generate_shortage_alerts")


def register(connection: Connection) -> None:
    """Every job of cron.yaml; nothing listens where their functions should be."""
    file = load(ROOT / "cron.yaml")
    reload.apply(connection, file, None, targets=dict.fromkeys(file.jobs, "http://127.0.0.1:9"))


def furnish(connection: Connection, perform: Perform) -> None:
    """A house that has been lived in for a while."""
    today = now().astimezone(SHANGHAI).date()
    demo.populate(connection, today)
    register(connection)
    for row in connection.execute(
        text("select job_id, effective_schedule from belfry.jobs where category <> 'platform'")
    ):
        if row.effective_schedule:
            _live(connection, row.job_id, row.effective_schedule)
    connection.execute(
        text("""update belfry.jobs set paused = true, paused_reason = '供应商系统维护', paused_by = 'admin',
                paused_until = now() + interval '3 hours' where job_id = 'generate_shortage_alerts'""")
    )
    connection.execute(
        text("""update belfry.jobs set override_params = '{"warning_days": 2}', override_reason = '试行', override_by = 'admin',
                override_at = now() where job_id = 'check_overdue_issues'""")
    )
    connection.execute(text("update belfry.jobs set override_enabled = false where job_id = 'daily_health_snapshot'"))
    for job_id in PERFORMED:
        at = now().replace(second=0, microsecond=0)
        perform(job_id, at.isoformat(), kind="manual", now=at.isoformat())
    connection.execute(
        text("""update belfry.notification_deliveries set state = 'sent', sent_at = created_at, phase = 'accepted'
                where channel = 'system' and state = 'queued'""")
    )


def _live(connection: Connection, job_id: str, expression: str) -> None:
    """The last runs of a job, through the ledger's own moves under a virtual clock."""
    past = now() - timedelta(hours=1)
    grid = Schedule(expression, "Asia/Shanghai")
    start = past - (timedelta(hours=RUNS) if expression.split()[1] == "*" else timedelta(days=RUNS))
    ticks = list(islice(grid.ticks(start, past), RUNS))
    for age, tick in zip(reversed(range(len(ticks))), ticks, strict=True):
        _run(connection, job_id, tick, STORIES.get((job_id, age), "succeeded"), seed=age + len(job_id))
    db.set_clock(connection, None)


def _run(connection: Connection, job_id: str, tick: datetime, state: str, seed: int) -> None:
    db.set_clock(connection, tick + timedelta(milliseconds=400 + seed * 17 % 300))
    if state == "skipped":
        connection.execute(text("update belfry.jobs set paused = true where job_id = :id"), {"id": job_id})
    claim = executions.claim(connection, job_id, tick, "scheduled", lease=90, owner="demo")
    connection.execute(text("update belfry.jobs set paused = false where job_id = :id and paused"), {"id": job_id})
    if claim.decision == "run":
        took = timedelta(milliseconds=300 + (seed * 7919) % 2200)
        db.set_clock(connection, tick + timedelta(milliseconds=500) + took)
        counters = {"checked": 40 + seed % 9, "created": seed % 3, "updated": seed % 5, "notified": seed % 3}
        failed = state in ("failed", "lost")
        executions.finish(
            connection,
            claim.execution_id,
            claim.fence,
            state,
            reason="error" if failed else None,
            counters={} if failed else counters,
            error_text=ERROR if failed else None,
        )


def history(connection: Connection, done: int, total: int) -> None:
    """The local cloud says that it is playing history."""
    value = json.dumps({"total": total, "done": done, "current": "2026-03-02T01:00:00+00:00", "finished": False})
    connection.execute(
        text("""insert into belfry.biz_config (key, value) values ('local.history', cast(:value as jsonb))
                on conflict (key) do update set value = excluded.value"""),
        {"value": value},
    )


__all__ = ["MINUTE", "furnish", "history", "register"]
