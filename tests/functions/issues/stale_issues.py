"""What the tests of the two escalation jobs share: an issue of an age, what became of it, who was told."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from shared.erp import tables
from shared.rules.issue_escalation import Step
from tests.acceptance.cases import AlertJob
from tests.acceptance.many import copies_of
from tests.evidence import messages
from tests.factories import TODAY, Erp

FORGOTTEN, TOO_OLD = "check_timeout_issues", "check_issue_timeout_escalation"
NIGHT = {FORGOTTEN: datetime.fromisoformat(f"{TODAY}T01:00+08:00"), TOO_OLD: datetime.fromisoformat(f"{TODAY}T01:30+08:00")}


def at(job_id: str, nights: float = 0) -> str:
    """The job's tick, so many nights later."""
    return (NIGHT[job_id] + timedelta(days=nights)).isoformat()


def since(day: date, days: int) -> datetime:
    """The minute from which so many days are over with the first minute of a day."""
    return datetime.combine(day, time(), ZoneInfo("Asia/Shanghai")) - timedelta(days=days)


def case(job_id: str, clock: str, days: int) -> AlertJob:
    """What every job promises, of a job that makes an issue urgent when it was HIGH for so many days."""

    def spoil(erp: Erp, day: date) -> str:
        erp.issue(created_at=since(day, days), closed_at=since(day, days - 1))
        return "ISSUE"

    return AlertJob(
        job_id, "ISSUE_ESCALATED", clock=clock,
        violate=lambda erp, day: erp.issue(priority="HIGH", created_at=since(day, days)),
        clear=_solve,
        spoil=spoil,
        multiply=copies_of(tables.issues, "issue_no"),
        reasons={
            "a_worse_level_upgrades_the_same_alert_and_tells_once":
                "one level: whoever has the issue, its escalation is CRITICAL; a new tier is told by a message",
        },
    )  # fmt: skip


def issue(erp: Erp, minutes: int, *, at: datetime, last: int | None = None, tier: int = 0, **columns: Any) -> int:
    """An issue raised and left alone so many minutes before `at`; moved by a job so many minutes before, if at all."""
    raised = at - timedelta(minutes=minutes)
    row = erp.issue(created_at=raised, **columns)
    if last is not None or tier:
        erp.escalation(
            row, priority=columns.get("priority", "MEDIUM"), escalation_tier=tier, priority_changed_at=raised,
            last_auto_escalated_at=None if last is None else at - timedelta(minutes=last),
        )  # fmt: skip
    return row


def moved(db: Connection) -> dict[int, Step]:
    """Every issue by what it is now."""
    rows = db.execute(
        text("""select i.id, i.priority, coalesce(e.escalation_tier, 0) as tier
                from erp.issues i left join belfry.issue_escalations e on e.issue_id = i.id""")
    )
    return {row.id: Step(row.priority, row.tier) for row in rows}


def remembered(db: Connection) -> list[Mapping[str, Any]]:
    found = db.execute(text("select * from belfry.issue_escalations order by issue_id"))
    return [dict(row) for row in found.mappings()]


def follow_ups(db: Connection) -> list[tuple[Any, ...]]:
    rows = db.execute(text("select issue_id, old_value, new_value from erp.issue_follow_ups order by id"))
    return [tuple(row) for row in rows]


def told(db: Connection, user: int) -> list[tuple[str, str]]:
    """Why and how loudly a person was told of escalated issues in the inbox, in order."""
    mine = [m for m in messages(db) if m["type"] == "ISSUE_ESCALATED" and f"{user} system" in (m["told"] or ())]
    return [(m["reason"], m["severity"]) for m in mine]


def set_priority(db: Connection, row: int, priority: str) -> None:
    """What a person does in the ERP."""
    db.execute(text("update erp.issues set priority = :p where id = :id"), {"p": priority, "id": row})


def _solve(db: Connection, row: int) -> None:
    db.execute(text("update erp.issues set status = 'RESOLVED', resolved_at = '2026-03-02' where id = :id"), {"id": row})
