"""What of an engineering change waits for somebody past its time: evaluations, approvals, tasks? (rulebook job 27)"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    DateTime,
    Integer,
    Numeric,
    Select,
    Table,
    Text,
    case,
    cast,
    delete,
    extract,
    func,
    literal,
    null,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import array, insert

from shared.erp import ladders, tokens
from shared.erp.ecn_items import is_broken, running, waits
from shared.erp.facts import facts
from shared.erp.side_tables import approval_overdue
from shared.erp.tables import ecn_approvals, ecn_evaluations, ecn_tasks, ecns, projects, roles, users
from shared.rules.ecns import ecn_ladder

_INSTANT = DateTime(timezone=True)
_c, _p = ecns.c, projects.c
_e, _a, _t = ecn_evaluations.c, ecn_approvals.c, ecn_tasks.c


@dataclass(frozen=True)
class Limits:
    """When a run judges, how long an evaluation or approval without a due time may take, and the levels' days."""

    now: datetime
    day: date
    usual: timedelta
    critical_days: int
    urgent_days: int

    def due(self, part: Any) -> ColumnElement[Any]:
        """When an evaluation or approval is due."""
        return func.coalesce(part.due_at, part.created_at + self.usual)

    def days_past(self, due: Any) -> ColumnElement[Any]:
        """Whole days since an instant."""
        hours = extract("epoch", literal(self.now, _INSTANT) - due) / literal(3600, Numeric)
        return cast(func.floor(hours / 24), Integer)


def overdue(limits: Limits) -> Select[Any]:
    """Violations of ECN_OVERDUE, one for each evaluation, approval and task that waits past its time."""
    w = union_all(_evaluations(limits), _approvals(limits), _tasks(limits)).subquery("waiting").c
    ladder = ecn_ladder(limits.critical_days, limits.urgent_days)
    level = ladders.answer(ladder, w.days)
    told: list[Any] = [func.coalesce(w.asked, w.otherwise)]
    told.append(case((level.in_(("CRITICAL", "URGENT")), tokens.user(_p.pm_id))))
    said = {
        "kind": w.kind, "ecn_no": _c.ecn_no, "ecn_title": _c.ecn_title, "what": w.what,
        "approval_level": w.approval_level, "person": users.c.real_name, "due_at": w.due_at, "due_on": w.due_on,
        "days_overdue": w.days, "project_code": _p.project_code, "project_name": _p.project_name,
    }  # fmt: skip
    return (
        select(
            w.target_type, w.id.label("target_id"),
            func.concat(_c.ecn_no, "/", func.left(w.kind, 1), w.id).label("target_no"),
            _c.ecn_title.label("target_name"), _c.project_id, level.label("level"),
            array(told, type_=Text).label("recipients"),
            facts(said).label("facts"),
            cast(w.days, Numeric).label("trigger_value"), ladders.limit(ladder, w.days).label("threshold_value"),
        )
        .join_from(ecns, w.id.table, w.ecn_id == _c.id)
        .outerjoin(projects, _p.id == _c.project_id)
        .outerjoin(users, users.c.id == w.person_id)
        .where(running)
    )  # fmt: skip


def _evaluations(limits: Limits) -> Select[Any]:
    due = limits.due(_e)
    return _waiting(
        "ECN_EVALUATION", ecn_evaluations, asked=tokens.user(_e.evaluator_id), otherwise=tokens.user(_c.applicant_id),
        person=func.coalesce(_e.evaluator_id, _c.applicant_id), what=_e.eval_dept, due_at=due,
        days=limits.days_past(due),
    ).where(waits(ecn_evaluations), ~is_broken(ecn_evaluations), due < limits.now)  # fmt: skip


def _approvals(limits: Limits) -> Select[Any]:
    due = limits.due(_a)
    return _waiting(
        "ECN_APPROVAL", ecn_approvals, asked=tokens.user(_a.approver_id),
        otherwise=literal("ROLE:", Text) + _a.approval_role, person=_a.approver_id,
        what=func.coalesce(roles.c.role_name, _a.approval_role), approval_level=_a.approval_level, due_at=due,
        days=limits.days_past(due),
    ).outerjoin(roles, roles.c.role_code == _a.approval_role).where(*_is_late(limits))  # fmt: skip


def _tasks(limits: Limits) -> Select[Any]:
    return _waiting(
        "ECN_TASK", ecn_tasks, asked=tokens.user(_t.assignee_id), otherwise=tokens.user(_c.applicant_id),
        person=func.coalesce(_t.assignee_id, _c.applicant_id), what=_t.task_name, due_on=_t.planned_end,
        days=type_coerce(literal(limits.day) - _t.planned_end, Integer),
    ).where(waits(ecn_tasks), _t.planned_end < limits.day)  # fmt: skip


def _waiting(target_type: str, part: Table, *, person: Any, **said: Any) -> Select[Any]:
    columns = {
        "approval_level": null().cast(Integer), "due_at": null().cast(_INSTANT),
        "due_on": null().cast(_t.planned_end.type), **said,
    }  # fmt: skip
    return select(
        literal(target_type, Text).label("target_type"), literal(target_type.removeprefix("ECN_"), Text).label("kind"),
        part.c.id, part.c.ecn_id, person.label("person_id"), *(columns[name].label(name) for name in sorted(columns)),
    ).join_from(part, ecns, _c.id == part.c.ecn_id)  # fmt: skip


def _is_late(limits: Limits) -> tuple[ColumnElement[bool], ...]:
    return waits(ecn_approvals), ~is_broken(ecn_approvals), limits.due(_a) < limits.now


def flagged(limits: Limits, execution_id: str) -> Select[Any]:
    """Remember which approvals are overdue, and forget those that are not any more: one row, flagged and cleared."""
    o = approval_overdue
    late = (
        select(_a.id, limits.due(_a).label("due"))
        .join_from(ecn_approvals, ecns, _c.id == _a.ecn_id)
        .outerjoin(projects, _p.id == _c.project_id)
        .where(running, *_is_late(limits))
    )
    found = late.subquery("late").c
    run_id = cast(execution_id, o.c.execution_id.type)
    stored = insert(o).from_select(
        ["approval_id", "overdue_since", "execution_id"],
        select(found.id, found.due, run_id).outerjoin_from(found.id.table, o, o.c.approval_id == found.id).where(
            or_(o.c.approval_id.is_(None), o.c.overdue_since != found.due)
        ),
    )  # fmt: skip
    flags = (
        stored.on_conflict_do_update(
            index_elements=[o.c.approval_id],
            set_={name: stored.excluded[name] for name in ("overdue_since", "execution_id")},
        )
        .returning(o.c.approval_id)
        .cte("flags")
    )
    broken = select(_a.id).where(is_broken(ecn_approvals))
    stale = delete(o).where(
        o.c.approval_id.not_in(late.with_only_columns(_a.id)), o.c.approval_id.not_in(broken)
    ).returning(o.c.approval_id).cte("stale")  # fmt: skip
    parts = {"flagged": flags, "cleared": stale}
    return select(*(select(func.count()).select_from(cte).scalar_subquery().label(name) for name, cte in parts.items()))
