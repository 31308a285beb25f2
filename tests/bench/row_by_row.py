"""How do most programs scan for overdue issues? Row by row, by the ORM: is there an alert already, what project, which
people; then an alert, its event, what is to be told and to whom; then a commit.

The effect is that of our own job, in the same tables. The sessions do not forget at each commit what they have read,
which is kinder than the ORM's default: a run's time would grow with the square of its rows.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import MetaData, create_engine, make_url
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

from tests.bench.company import DAY, RULE, Company

_READ = {"erp": ["issues", "projects", "users"]}
_WRITTEN = {"belfry": ["alert_rules", "alert_records", "alert_events", "notifications", "notification_deliveries"]}
_OPEN = ["PENDING", "ACKNOWLEDGED", "PROCESSING"]


def row_by_row(company: Company, rows: int) -> float:
    """Alerts a second over so many overdue issues."""
    with company.copy() as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+pg8000"))
        metadata = MetaData()
        for schema, tables in (_READ | _WRITTEN).items():
            metadata.reflect(engine, schema, only=tables)
        base = automap_base(metadata=metadata)
        base.prepare()
        with Session(engine, expire_on_commit=False) as session:
            took = _scan(session, base.classes, rows)
            written = session.query(base.classes.notifications).count()
        engine.dispose()
    if written != rows:
        raise AssertionError(f"{rows} alerts were to be told, not {written}")
    return rows / took


def _scan(session: Session, tables: Any, rows: int) -> float:
    """Seconds."""
    issues, rules = tables.issues, tables.alert_rules
    late = session.query(issues).filter(issues.status.in_(["OPEN", "PROCESSING"]), issues.due_date < DAY)
    found = late.order_by(issues.id).limit(rows).all()
    rule = session.query(rules).filter(rules.rule_code == RULE).one()
    began = time.monotonic()
    for place, issue in enumerate(found, 1):
        held = session.query(tables.alert_records).filter_by(rule_id=rule.id, target_id=issue.id)
        if held.filter(tables.alert_records.status.in_(_OPEN)).first() is None:
            _raise(session, tables, rule, issue, place)
            session.commit()
    return time.monotonic() - began


def _raise(session: Session, tables: Any, rule: Any, issue: Any, place: int) -> None:
    now = datetime.now(UTC)
    project = session.query(tables.projects).filter_by(id=issue.project_id).first()
    people = [session.query(tables.users).filter_by(id=number).first() for number in (issue.assignee_id, project.pm_id)]
    days = (DAY - issue.due_date).days
    level = "CRITICAL" if days >= 7 else "WARNING" if days >= 3 else "INFO"
    recipients = [f"USER:{person.id}" for person in people]
    facts = {
        "due_date": str(issue.due_date), "days_overdue": days, "priority": issue.priority, "severity": issue.severity,
        "assignee": people[0].real_name, "project_code": project.project_code, "project_name": project.project_name,
    }  # fmt: skip
    alert = tables.alert_records(
        alert_no=f"AL-{DAY:%Y%m%d}-{place:06}", rule_id=rule.id, dedupe_key=f"{RULE}|ISSUE|{issue.id}",
        target_type="ISSUE", target_id=issue.id, target_no=issue.issue_no, target_name=issue.title,
        project_id=issue.project_id, base_level=level, alert_level=level, facts=facts, recipients=recipients,
        trigger_value=days, triggered_at=now, judged_at=now, level_changed_at=now,
    )  # fmt: skip
    session.add(alert)
    session.flush()  # gives it its number
    event = tables.alert_events(alert_id=alert.id, event="CREATED", to_level=level, to_status="PENDING", at=now)
    notification = tables.notifications(
        dedupe_key=f"ALERT|{alert.id}|NEW", alert_id=alert.id, type=RULE, reason="NEW", severity=level,
        recipients=recipients, facts=facts | {"alert_no": alert.alert_no, "target_no": issue.issue_no},
        project_id=issue.project_id, not_after=now + timedelta(hours=24), fanned_out=True,
    )  # fmt: skip
    session.add_all([event, notification])
    session.flush()
    told = {"notification_id": notification.id, "channel": "system", "state": "queued"}
    for person in people:
        if person.is_active:
            delivery = tables.notification_deliveries(user_id=person.id, not_after=notification.not_after, **told)
            session.add(delivery)
