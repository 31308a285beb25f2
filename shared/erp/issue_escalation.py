"""Which open issues does nobody move, and what becomes of them? (rulebook jobs 7 and 34)

The two jobs share the clock of the last automatic step, so that a night moves an issue once whichever comes first
(D-53). A priority that is not the one last seen was set by a person: it starts the clock of its age again.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Executable,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from shared.erp.issues import contradictions, contradictory, in_kept_project, unsolved
from shared.erp.side_tables import issue_escalations
from shared.erp.tables import issue_follow_ups, issues, projects
from shared.rules.issue_escalation import HIGHEST, RAISED, TIERS

_i, _e, _p = issues.c, issue_escalations.c, projects.c
_INSTANT = DateTime(timezone=True)
open_issues = (unsolved, ~contradictory, in_kept_project)
_touched = func.coalesce(_i.last_follow_up_at, _i.created_at)
_set_by_hand: ColumnElement[bool] = func.coalesce(_e.priority != _i.priority, False)


def alone() -> Executable:
    """Let no other escalation run until this one has ended: both jobs may catch up at once."""
    return text("lock table belfry.issue_escalations in share row exclusive mode")


def forgotten(now: datetime, stale: timedelta, pause: timedelta) -> Select[Any]:
    """Open issues that nobody has touched for longer than `stale`; `due`: not moved by a job within `pause`."""
    why = f"超过 {stale.days} 天没有跟进"
    return _judged(now, pause, literal(True), literal(why, Text)).where(_touched < literal(now - stale, _INSTANT))


def too_old(now: datetime, limits: Mapping[str, timedelta], pause: timedelta) -> Select[Any]:
    """All open issues; `due`: longer in their priority than its limit, and not moved by a job within `pause`."""
    since = func.coalesce(_since(now), _i.created_at)
    old = or_(*(and_(_i.priority == priority, since < now - limit) for priority, limit in limits.items()))
    days = case(*((_i.priority == priority, literal(str(limit.days), Text)) for priority, limit in limits.items()))
    return _judged(now, pause, old, func.concat(_i.priority, " 级超过 ", days, " 天未解决"))


def _judged(now: datetime, pause: timedelta, exceeded: Any, why: Any) -> Select[Any]:
    rested = or_(_e.last_auto_escalated_at.is_(None), _e.last_auto_escalated_at <= literal(now - pause, _INSTANT))
    tier = case((_set_by_hand, 0), else_=func.coalesce(_e.escalation_tier, 0))
    return (
        select(
            _i.id.label("issue_id"), _i.priority, _e.priority.label("known"), _set_by_hand.label("by_hand"),
            _since(now).label("since"), tier.label("tier"), _e.last_auto_escalated_at.label("last"),
            _e.execution_id.label("last_by"),
            and_(exceeded, rested, or_(_i.priority != HIGHEST, tier < TIERS)).label("due"), why.label("why"),
        )
        .outerjoin_from(issues, issue_escalations, _e.issue_id == _i.id)
        .outerjoin(projects, _p.id == _i.project_id)
        .where(*open_issues)
    )


def _since(now: datetime) -> ColumnElement[Any]:
    """Since when an issue has its priority; null: since it was raised."""
    return case((_set_by_hand, literal(now, _INSTANT)), else_=_e.priority_changed_at)


def moved(found: Select[Any], now: datetime, execution_id: str) -> Select[Any]:
    """Move what is due: priorities in the ERP, a follow-up for each, and what Belfry remembers, in one statement.

    Answers one row: raised, handed_over, and remembered: the same and issues that have a priority set by a person, or
    were not known yet.
    """
    f = found.subquery("found").c
    rises = and_(f.due, f.priority != HIGHEST)
    became = case(*((f.priority == low, literal(high, Text)) for low, high in RAISED.items()))
    j = select(*f, rises.label("up"), became.label("became")).cte("judged").c
    mark, run_id = literal(now, _INSTANT), cast(execution_id, _e.execution_id.type)
    # Nothing below joins two of its steps: their sizes are unknown to the planner, and it would compare row by row.
    raised = (
        update(issues)
        .values(priority=j.became)
        .where(_i.id == j.issue_id, j.up, _i.priority == j.priority)
        .returning(j.issue_id, j.why, j.priority.label("was"), j.became)
        .cte("raised")
    )
    r = raised.c
    told = func.concat("系统自动升级：", r.why, "，优先级 ", r.was, " → ", r.became)
    kind, operator = literal("PRIORITY_CHANGE", Text), literal("SYSTEM", Text)
    followed = insert(issue_follow_ups).from_select(
        ["issue_id", "follow_up_type", "content", "operator_name", "old_value", "new_value", "run_id", "created_at"],
        select(r.issue_id, kind, told, operator, r.was, r.became, run_id, mark).order_by(r.issue_id),
    ).returning(issue_follow_ups.c.id).cte("followed")  # fmt: skip
    moved_up = select(r.issue_id, r.became, mark, mark, literal(0), run_id)
    others = select(
        j.issue_id, j.priority, j.since, case((j.due, mark), else_=j.last), j.tier + case((j.due, 1), else_=0),
        case((j.due, run_id), else_=j.last_by),
    ).where(~j.up, or_(j.known.is_(None), j.by_hand, j.due))  # fmt: skip
    names = [str(column.key) for column in issue_escalations.columns]
    stored = insert(issue_escalations).from_select(names, union_all(moved_up, others))
    remembered = (
        stored.on_conflict_do_update(
            index_elements=[_e.issue_id], set_={name: stored.excluded[name] for name in names if name != "issue_id"}
        )
        .returning(_e.issue_id)
        .cte("remembered")
    )
    handed_over = select(func.count()).select_from(j.issue_id.table).where(j.due, ~j.up).scalar_subquery()
    numbers = {"raised": raised, "followed": followed, "remembered": remembered}
    return select(
        handed_over.label("handed_over"),
        *(select(func.count()).select_from(part).scalar_subquery().label(name) for name, part in numbers.items()),
    )


def counted() -> Select[Any]:
    """How many open issues there are to judge (`issues`)."""
    numbers = select(func.count().label("issues"))
    return numbers.outerjoin_from(issues, projects, _p.id == _i.project_id).where(*open_issues)


def forgotten_contradictions(now: datetime, stale: timedelta) -> Select[Any]:
    """Forgotten issues that are open and closed at once."""
    return contradictions().where(_touched < literal(now - stale, _INSTANT))
