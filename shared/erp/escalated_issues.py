"""Which issues has an automatic step made URGENT, and who hears of what a run has moved? (rulebook jobs 7 and 34)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import DateTime, Numeric, Select, Text, and_, case, cast, func, literal, null, or_, select
from sqlalchemy.dialects.postgresql import array

from shared.erp import tokens
from shared.erp.facts import facts
from shared.erp.issue_escalation import open_issues
from shared.erp.side_tables import issue_escalations
from shared.erp.tables import issues, projects, users
from shared.rules.issue_escalation import HIGHEST, RAISED, TIERS

_i, _e, _p = issues.c, issue_escalations.c, projects.c


def urgent() -> Select[Any]:
    """Violations of ISSUE_ESCALATED: open issues that an automatic step made URGENT, or handed over as such."""
    at_pmo = case((_e.escalation_tier == TIERS, literal("ROLE:PMO", Text)))
    return (
        select(
            _i.id.label("target_id"), _i.issue_no.label("target_no"), _i.title.label("target_name"), _i.project_id,
            literal("CRITICAL", Text).label("level"), array([*_concerned(), at_pmo], type_=Text).label("recipients"),
            facts({"step": literal("ALERT", Text), **_about(), "tier": _e.escalation_tier}).label("facts"),
            cast(_e.escalation_tier, Numeric).label("trigger_value"), null().cast(Numeric).label("threshold_value"),
        )
        .select_from(_whole_issues())
        .where(
            *open_issues, _i.priority == HIGHEST, _e.priority == HIGHEST,
            _e.last_auto_escalated_at >= func.coalesce(_e.priority_changed_at, _i.created_at),
        )
    )  # fmt: skip


def told(now: datetime, day: date, execution_id: str, not_before: datetime) -> Select[Any]:
    """What this run moved, a message an issue: a raise to those who work on it, a hand-over to whoever has it now.

    Those that became URGENT are told by their alert.
    """
    raised = _e.escalation_tier == 0
    was = case(*((_i.priority == high, literal(low, Text)) for low, high in RAISED.items()))
    manager = func.coalesce(tokens.manager(_i.assignee_id), tokens.user(_p.pm_id), "ROLE:PMO")
    taken_by = case(
        (_e.escalation_tier == 1, manager), (_e.escalation_tier == 2, func.coalesce(tokens.user(_p.pm_id), "ROLE:PMO")),
        else_=literal("ROLE:PMO", Text),
    )  # fmt: skip
    said = {
        "target_no": _i.issue_no, "target_name": _i.title, "step": case((raised, "RAISED"), else_="HANDED_OVER"),
        "was": was, **_about(), "tier": _e.escalation_tier,
    }  # fmt: skip
    return (
        select(
            func.concat("ISSUE_ESCALATED|ISSUE|", _i.id, "|", str(day)).label("dedupe_key"),
            case((raised, array(_concerned(), type_=Text)), else_=array([taken_by], type_=Text)).label("recipients"),
            case((raised, literal("WARNING", Text)), else_=literal("CRITICAL", Text)).label("severity"),
            facts(said).label("facts"), _i.project_id, literal(not_before, DateTime(timezone=True)).label("not_before"),
        )
        .select_from(_whole_issues())
        .where(
            _e.last_auto_escalated_at == literal(now, DateTime(timezone=True)),
            _e.execution_id == cast(execution_id, _e.execution_id.type),
            or_(_i.priority != HIGHEST, ~raised),
        )
    )  # fmt: skip


def _about() -> dict[str, Any]:
    return {
        "priority": _i.priority, "severity": _i.severity, "assignee": users.c.real_name, "created_at": _i.created_at,
        "touched_at": _i.last_follow_up_at, "escalated_at": _e.last_auto_escalated_at,
        "project_code": _p.project_code, "project_name": _p.project_name,
    }  # fmt: skip


def _concerned() -> list[Any]:
    """The assignee and the project manager; whoever reported it when there is neither."""
    reporter = case((and_(_i.assignee_id.is_(None), _p.pm_id.is_(None)), tokens.user(_i.reporter_id)))
    return [tokens.user(_i.assignee_id), tokens.user(_p.pm_id), reporter]


def _whole_issues() -> Any:
    known = issue_escalations.join(issues, _i.id == _e.issue_id)
    return known.outerjoin(projects, _p.id == _i.project_id).outerjoin(users, users.c.id == _i.assignee_id)
