"""Which milestones come soon while the work for them is behind, and whose work is it? (rulebook job 10)"""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import (
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, array

from shared.alerts import shift_level
from shared.erp import alert_tables, ladders
from shared.erp.alert_tables import alert_records, alert_rules
from shared.erp.facts import facts
from shared.erp.issues import blocks, unsolved
from shared.erp.lists import LISTED, SAMPLED, first
from shared.erp.live import in_live_project
from shared.erp.milestones import is_open
from shared.erp.shortages import is_open as is_open_shortage
from shared.erp.side_tables import material_shortages
from shared.erp.tables import issues, materials, project_tasks, projects, users
from shared.erp.tables import project_milestones as milestones
from shared.erp.tokens import user
from shared.rules.milestone_risk import risk_ladder

_m, _t, _project = milestones.c, project_tasks.c, projects.c
ENDED = ("DONE", "CANCELLED")
weight = case((_t.weight > 0, _t.weight), else_=1)


def at_risk(day: date, window_days: int, min_done_percent: int, critical_days: int) -> Select[Any]:
    """Violations of MILESTONE_RISK: milestones of the next days whose linked tasks are not done to the share asked."""
    ladder = risk_ladder(critical_days)
    work, blocking, short = _work().lateral("work"), _blocking().lateral("blocking"), _short().lateral("short")
    left = type_coerce(_m.planned_date - literal(day), Integer)
    hindered = or_(work.c.blocked > 0, blocking.c.number > 0, short.c.number > 0)
    behind = work.c.share < literal(min_done_percent, Numeric)
    level = case(
        (and_(work.c.tasks == 0, _m.is_key), literal("INFO", Text)),
        (behind, shift_level(ladders.answer(ladder, left), cast(hindered, Integer))),
    )
    reasons = func.jsonb_path_query_array(
        func.jsonb_build_array(
            _reason("TASK_BLOCKED", work.c.blocked, work.c.blocked_sample),
            _reason("ISSUE_BLOCKING", blocking.c.number, blocking.c.sample),
            _reason("SHORTAGE", short.c.number, short.c.sample),
        ), cast("$[*] ? (@ != null)", JSONPATH), type_=JSONB,
    )
    told = {
        "planned_date": _m.planned_date, "days_left": left, "is_key": _m.is_key, "owner": users.c.real_name,
        "project_code": _project.project_code, "project_name": _project.project_name, "tasks": work.c.tasks,
        "done": work.c.done, "done_percent": func.trim_scale(func.trunc(work.c.share, 1)),
        "min_done_percent": min_done_percent,
        "reasons": case((work.c.tasks == 0, literal([], JSONB)), else_=reasons),
    }
    limit: Any = cast(case((work.c.tasks > 0, min_done_percent)), Numeric)
    return select(
        _m.id.label("target_id"), _m.milestone_code.label("target_no"), _m.milestone_name.label("target_name"),
        _m.project_id, level.label("level"),
        array([user(_m.owner_id), user(_project.pm_id)], type_=Text).label("recipients"),
        facts(told).label("facts"), func.trunc(work.c.share, 1, type_=Numeric).label("trigger_value"),
        limit.label("threshold_value"),
    ).select_from(
        milestones.join(projects, _project.id == _m.project_id).outerjoin(users, users.c.id == _m.owner_id)
        .join(work, true()).join(blocking, true()).join(short, true())
    ).where(_near(day, window_days), level.is_not(None))


def all_ids() -> Select[Any]:
    """Every milestone can be judged: one that was reached, re-planned or has become overdue closes its alert."""
    return select(_m.id.label("target_id"))


def counted(day: date, window_days: int) -> Select[Any]:
    """How many milestones are near (`milestones`), and how many of them no task is linked to (`without_tasks`)."""
    linked = select(_t.id).where(_t.milestone_id == _m.id, _t.status != "CANCELLED").exists()
    numbers: tuple[Any, ...] = (
        func.count().label("milestones"), func.count().filter(~linked).label("without_tasks"),
    )
    return select(*numbers).join_from(milestones, projects, _project.id == _m.project_id).where(_near(day, window_days))


def strays(day: date, window_days: int) -> Select[Any]:
    """Tasks linked to a near milestone of another project, as data defects: they count for it all the same."""
    error = func.concat("is linked to milestone ", _m.milestone_code, " of project ", _project.project_code)
    return select(
        literal("PROJECT_TASK").label("item_type"), _t.id.label("item_key"), error.label("error")
    ).join_from(milestones, projects, _project.id == _m.project_id).join(
        project_tasks, _t.milestone_id == _m.id
    ).where(_near(day, window_days), _t.project_id != _m.project_id, _t.status != "CANCELLED")


def to_task_owners() -> Select[Any]:
    """In-app messages to those whose unfinished tasks hold a milestone up: one a person, alert and level."""
    a = alert_records.c
    task = func.jsonb_build_object("name", _t.task_name, "plan_end", _t.plan_end, "blocked", _t.status == "BLOCKED")
    others = and_(_t.owner_id.is_distinct_from(_m.owner_id), _t.owner_id.is_distinct_from(_project.pm_id))
    own = facts({
        "alert_no": a.alert_no, "target_no": a.target_no, "target_name": a.target_name, "level": a.base_level,
        "own_count": func.count(), "own_tasks": first(LISTED, task, _t.plan_end, _t.id),
    })
    key = func.concat("MILESTONE_RISK|ALERT|", a.id, "|", a.base_level, "|", _t.owner_id)
    return select(
        key.label("dedupe_key"), array([user(_t.owner_id)]).label("recipients"),
        a.base_level.label("severity"), array([literal("system", Text)]).label("channels"),
        a.facts.op("||", return_type=JSONB())(own).label("facts"), a.id.label("alert_id"), a.project_id,
    ).join_from(alert_records, alert_rules, alert_rules.c.id == a.rule_id).join(
        milestones, _m.id == a.target_id
    ).join(projects, _project.id == _m.project_id).join(project_tasks, _t.milestone_id == _m.id).where(
        alert_rules.c.rule_code == "MILESTONE_RISK", alert_rules.c.is_enabled, alert_tables.is_open,
        _t.status.not_in(ENDED), _t.owner_id.is_not(None), others,
    ).group_by(a.id, a.alert_no, a.target_no, a.target_name, a.base_level, a.facts, a.project_id, _t.owner_id)


def _near(day: date, window_days: int) -> Any:
    last = day + timedelta(days=window_days)
    return and_(is_open(day), in_live_project(), _m.planned_date.between(day, last))


def _work() -> Select[Any]:
    """What is linked to the milestone: how much of it is done, and what is blocked."""
    done, blocked = _t.status == "DONE", _t.status == "BLOCKED"
    share = func.coalesce(func.sum(weight).filter(done), 0) * literal(100, Numeric) / func.sum(weight)
    sample = func.jsonb_build_object("id", _t.id, "name", _t.task_name)
    return select(
        func.count(type_=Integer).label("tasks"), func.count(type_=Integer).filter(done).label("done"),
        type_coerce(share, Numeric).label("share"), func.count(type_=Integer).filter(blocked).label("blocked"),
        first(SAMPLED, sample, _t.id, where=blocked).label("blocked_sample"),
    ).where(_t.milestone_id == _m.id, _t.status != "CANCELLED")


def _blocking() -> Select[Any]:
    """What blocks the whole project."""
    sample = func.jsonb_build_object("id", issues.c.id, "name", func.concat(issues.c.issue_no, " ", issues.c.title))
    return select(
        func.count(type_=Integer).label("number"), first(SAMPLED, sample, issues.c.id).label("sample")
    ).where(issues.c.project_id == _m.project_id, unsolved, blocks)


def _short() -> Select[Any]:
    """Material that the project misses and needs before the milestone."""
    s = material_shortages.c
    sample = func.jsonb_build_object("id", s.id, "name", materials.c.material_name)
    return select(
        func.count(type_=Integer).label("number"), first(SAMPLED, sample, s.required_date, s.id).label("sample")
    ).outerjoin_from(material_shortages, materials, materials.c.id == s.material_id).where(
        s.project_id == _m.project_id, is_open_shortage, s.required_date < _m.planned_date
    )


def _reason(code: str, number: Any, sample: Any) -> Any:
    told = func.jsonb_build_object("code", code, "count", number, "sample", sample)
    return case((number > 0, told), else_=null())
