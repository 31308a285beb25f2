"""Which open issues are overdue, which block a project, and who is to be reminded today? (rulebook jobs 5 and 6)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    DateTime,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    extract,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import array

from shared.alerts import shift_level
from shared.erp import ladders, tokens
from shared.erp.alert_tables import alert_records, alert_rules, is_open
from shared.erp.lists import LISTED, first
from shared.erp.tables import issues, projects, users
from shared.rules.issues import RAISED_PRIORITY, blocking_ladder, overdue_ladder

unsolved = issues.c.status.in_([literal_column("'OPEN'"), literal_column("'PROCESSING'")])
blocks = or_(issues.c.is_blocking, issues.c.issue_type == literal_column("'BLOCKER'"))
contradictory = and_(unsolved, issues.c.closed_at.is_not(None))
in_kept_project = or_(issues.c.project_id.is_(None), and_(projects.c.is_active, ~projects.c.is_archived))


def past_due(day: date, warning_days: int, critical_days: int) -> Select[Any]:
    """Violations of ISSUE_OVERDUE: unsolved and due before `day`; its assignee is told, else its reporter."""
    late = type_coerce(literal(day) - issues.c.due_date, Integer)
    ladder = overdue_ladder(warning_days, critical_days)
    steps = case((issues.c.priority == RAISED_PRIORITY, 1), else_=0)
    return _violations(
        shift_level(ladders.answer(ladder, late), steps),
        [_responsible(), tokens.user(projects.c.pm_id)],
        {"due_date": cast(issues.c.due_date, Text), "days_overdue": late},
        late,
        ladders.limit(ladder, late),
    ).where(unsolved, issues.c.due_date < day)


def blocking(now: datetime, critical_hours: int, urgent_hours: int) -> Select[Any]:
    """Violations of BLOCKING_ISSUE: unsolved issues that block, by the hours since they were raised.

    The alert changes with its level and once a day, not every hour: facts say since when and how many whole days.
    """
    hours = extract("epoch", literal(now, DateTime(timezone=True)) - issues.c.created_at) / literal(3600, Numeric)
    days = cast(func.floor(hours / 24), Integer)
    ladder = blocking_ladder(critical_hours, urgent_hours)
    pmo = case((hours >= min(critical_hours, urgent_hours), "ROLE:PMO"))
    reporter = case(
        (or_(issues.c.project_id.is_(None), issues.c.assignee_id.is_(None)), tokens.user(issues.c.reporter_id))
    )
    return _violations(
        ladders.answer(ladder, hours),
        [tokens.user(issues.c.assignee_id), reporter, tokens.user(projects.c.pm_id), pmo],
        {"since": issues.c.created_at, "days_blocked": days},
        days * 24,
        ladders.limit(ladder, hours),
    ).where(unsolved, blocks, issues.c.created_at <= now)


def overdue_reminders(day: date, day_began: datetime) -> Select[Any]:
    """One message a person: their overdue issues that nobody was told about today, the oldest first.

    An alert raised, upgraded or escalated today has told them already.
    """
    a = alert_records.c
    told = func.unnest(a.recipients).table_valued(column("token", Text)).render_derived(name="told")
    person = told.c.token
    item = a.facts + func.jsonb_build_object(
        "target_no", a.target_no, "target_name", a.target_name, "level", a.alert_level
    )
    return (
        select(
            (literal(f"ISSUE_OVERDUE|{day}|", Text) + person).label("dedupe_key"),
            array([person]).label("recipients"),
            literal("WARNING", Text).label("severity"),
            func.jsonb_build_object(
                "count", func.count(), "items", first(LISTED, item, a.facts["due_date"].astext, a.id)
            ).label("facts"),
        )
        .select_from(alert_records)
        .join(alert_rules, alert_rules.c.id == a.rule_id)
        .join(told, true())
        .join(users, tokens.user(users.c.id) == person)
        .where(
            alert_rules.c.rule_code == "ISSUE_OVERDUE",
            alert_rules.c.is_enabled,
            is_open,
            a.level_changed_at < day_began,
            users.c.is_active,
        )
        .group_by(person)
    )


def judgeable() -> Select[Any]:
    """Every issue that a run can judge, solved ones included: their alerts close."""
    return select(issues.c.id.label("target_id")).where(~contradictory)


def of_kept_projects() -> Select[Any]:
    """Every issue that still concerns somebody: without a project, or of one that is active and not archived."""
    return (
        select(issues.c.id.label("target_id"))
        .outerjoin_from(issues, projects, projects.c.id == issues.c.project_id)
        .where(in_kept_project)
    )


def overdue_contradictions(day: date) -> Select[Any]:
    """Overdue issues that are open and closed at once."""
    return contradictions().where(issues.c.due_date < day)


def blocking_contradictions() -> Select[Any]:
    """Blocking issues that are open and closed at once."""
    return contradictions().where(blocks)


def contradictions() -> Select[Any]:
    """Issues that are open and closed at once."""
    error = func.concat("status is ", issues.c.status, ", but it was closed at ", issues.c.closed_at)
    return select(literal("ISSUE").label("item_type"), issues.c.issue_no.label("item_key"), error.label("error")).where(
        contradictory
    )


def _responsible() -> Any:
    return tokens.user(func.coalesce(issues.c.assignee_id, issues.c.reporter_id))


def _violations(level: Any, recipients: list[Any], facts: dict[str, Any], value: Any, threshold: Any) -> Select[Any]:
    told = {
        **facts,
        "priority": issues.c.priority,
        "severity": issues.c.severity,
        "assignee": users.c.real_name,
        "project_code": projects.c.project_code,
        "project_name": projects.c.project_name,
    }
    return (
        select(
            issues.c.id.label("target_id"),
            issues.c.issue_no.label("target_no"),
            issues.c.title.label("target_name"),
            issues.c.project_id,
            level.label("level"),
            func.array_remove(array(recipients, type_=Text), None).label("recipients"),
            func.jsonb_build_object(*(part for pair in told.items() for part in pair)).label("facts"),
            cast(value, Numeric).label("trigger_value"),
            threshold.label("threshold_value"),
        )
        .select_from(issues)
        .outerjoin(projects, projects.c.id == issues.c.project_id)
        .outerjoin(users, users.c.id == issues.c.assignee_id)
        .where(~contradictory, in_kept_project)
    )
