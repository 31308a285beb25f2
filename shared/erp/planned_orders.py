"""How is a production plan kept and told, and how far are the plans that people made? (rulebook job M3)"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Integer,
    Numeric,
    Select,
    Text,
    bindparam,
    cast,
    column,
    func,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.sql.selectable import TextualSelect

from shared.erp import lists
from shared.erp.facts import facts
from shared.erp.side_tables import plan_exceptions, planned_orders
from shared.erp.tables import materials, workshops

_planned, _warn, _material, _workshop = planned_orders.c, plan_exceptions.c, materials.c, workshops.c
LISTED = 10
_PLANNERS = cast(["ROLE:PROD"], ARRAY(Text))


def store(version: str, orders: str, execution: str) -> TextualSelect:
    """Make the proposals of a version these; what is firm stays, older proposals are superseded. Answers how many."""
    return _bound(_STORE, version=version, rows=orders, execution=execution).columns(
        *(column(name, Integer) for name in ("created", "updated", "removed", "superseded"))
    )


def store_exceptions(version: str, warnings: str, execution: str) -> TextualSelect:
    """Make the warnings of a version these; answers how many were `changed`."""
    return _bound(_STORE_EXCEPTIONS, version=version, rows=warnings, execution=execution).columns(
        column("changed", Integer)
    )


def forget(before: str) -> TextualSelect:
    """Superseded proposals and warnings of versions before a day are dropped; answers how many were `forgotten`."""
    return text(_FORGET).bindparams(bindparam("before", before, Text)).columns(column("forgotten", Integer))


def roll_plans() -> TextualSelect:
    """Progress of running production plans from their work orders, begun and finished ones moved on; how many."""
    return text(_ROLL).columns(column("rolled", Integer))


def release_late(version: str, day: date) -> Select[Any]:
    """Violations of PLAN_EXCEPTION: key materials whose order should have been released already."""
    line = facts({
        "qty": func.trim_scale(_planned.qty), "order_type": _planned.order_type, "release": _planned.release_date,
        "due": _planned.due_date, "for": _planned.pegging,
    })
    late = type_coerce(literal(day) - func.min(_planned.release_date), Integer)
    told = {
        "count": func.count(), "days_late": late, "unit": _material.unit,
        "orders": lists.first(LISTED, line, _planned.release_date, _planned.due_date),
    }
    return select(
        _material.id.label("target_id"), _material.material_code.label("target_no"),
        _material.material_name.label("target_name"), cast(None, _material.id.type).label("project_id"),
        literal("CRITICAL", Text).label("level"), _PLANNERS.label("recipients"),
        facts(told).label("facts"), cast(late, Numeric).label("trigger_value"),
        literal(0, Numeric).label("threshold_value"),
    ).join_from(planned_orders, materials, _material.id == _planned.material_id).where(
        _planned.plan_version == version, _planned.status == "PROPOSED", _planned.exception_code == "RELEASE_LATE",
        _material.is_key_material,
    ).group_by(_material.id, _material.material_code, _material.material_name, _material.unit)


def judged(loop_materials: Sequence[int]) -> Select[Any]:
    """Every material but those in a loop."""
    found = select(_material.id.label("target_id"))
    return found.where(_material.id.not_in(loop_materials)) if loop_materials else found


def summary(version: str, day: date, loops: Sequence[str], not_before: datetime) -> Select[Any]:
    """The night's plan for production: how much of what, what is late, what comes at the wrong time, who is full."""
    told = {
        "day": literal(day), "orders": _counts(_planned.order_type, _planned, _planned.status == "PROPOSED", version),
        "exceptions": _counts(_warn.code, _warn, literal(True), version), "loops": cast(list(loops), JSONB),
        "late": _listed(version, "RELEASE_LATE"), "wrong_day": _listed(version, "EXPEDITE", "DEFER", "CANCEL"),
        "full": _listed(version, "CAPACITY"), "gaps": _listed(version, "NO_BOM", "NO_LEAD_TIME"),
    }
    any_order = select(_planned.id).where(_planned.plan_version == version, _planned.status == "PROPOSED").exists()
    any_warning = select(_warn.code).where(_warn.plan_version == version).exists()
    columns: tuple[Any, ...] = (
        literal(f"PLAN_RUN_DONE|PLAN|{version}").label("dedupe_key"), literal("INFO").label("severity"),
        _PLANNERS.label("recipients"),
        cast(["system", "email"], ARRAY(Text)).label("channels"), facts(told).label("facts"),
        literal(not_before).label("not_before"),
    )
    return select(*columns).where(any_order | any_warning)


def _counts(what: Any, table: Any, where: Any, version: str) -> Any:
    each = select(what.label("word"), func.count().label("number")).where(
        table.plan_version == version, where
    ).group_by(what).subquery().c
    return select(
        func.coalesce(func.jsonb_object_agg(each.word, each.number, type_=JSONB), func.jsonb_build_object())
    ).scalar_subquery()


def _listed(version: str, *codes: str) -> Any:
    line = facts({
        "code": _warn.code, "subject": _warn.subject, "material_code": _material.material_code,
        "material_name": _material.material_name, "is_key": _material.is_key_material,
        "workshop_name": _workshop.workshop_name, "qty": func.trim_scale(_warn.qty), "day": _warn.day,
        "wanted": _warn.wanted, "more": _warn.facts,
    })
    order = (func.coalesce(_material.is_key_material, False).desc(), _warn.day, _warn.subject)
    listed = lists.first(LISTED, line, *order)
    return select(func.coalesce(listed, func.jsonb_build_array())).select_from(
        plan_exceptions.outerjoin(materials, _material.id == _warn.material_id).outerjoin(
            workshops, _workshop.id == _warn.workshop_id
        )
    ).where(_warn.plan_version == version, _warn.code.in_(codes)).scalar_subquery()


def _bound(statement: str, **values: str) -> TextClause:
    return text(statement).bindparams(*(bindparam(name, value, Text) for name, value in values.items()))


# A plan of an earlier day that runs again must not stand beside the plan that came after it.
_STORE = """
with fresh as (
  select * from jsonb_to_recordset(cast(:rows as jsonb)) as o (material_id bigint, order_type text, qty numeric,
    release_date date, due_date date, pegging jsonb, exception_code text)),
standing as (
  select case when exists (select from belfry.planned_orders where plan_version > :version) then 'SUPERSEDED'
         else 'PROPOSED' end as status),
removed as (
  delete from belfry.planned_orders p where p.plan_version = :version and p.status = 'PROPOSED'
    and not exists (select from fresh f where f.material_id = p.material_id and f.due_date = p.due_date
                      and f.order_type = p.order_type)
  returning 1),
updated as (
  update belfry.planned_orders p set qty = f.qty, release_date = f.release_date, pegging = f.pegging,
    exception_code = f.exception_code, execution_id = cast(:execution as uuid)
  from fresh f
  where p.plan_version = :version and p.status = 'PROPOSED' and f.material_id = p.material_id
    and f.due_date = p.due_date and f.order_type = p.order_type
    and (p.qty, p.release_date, p.pegging, p.exception_code)
        is distinct from (f.qty, f.release_date, f.pegging, f.exception_code)
  returning 1),
created as (
  insert into belfry.planned_orders (plan_version, material_id, order_type, qty, release_date, due_date, pegging,
    status, exception_code, execution_id)
  select :version, f.material_id, f.order_type, f.qty, f.release_date, f.due_date, f.pegging, s.status,
         f.exception_code, cast(:execution as uuid)
  from fresh f cross join standing s
  where not exists (select from belfry.planned_orders p where p.plan_version = :version
                      and p.material_id = f.material_id and p.due_date = f.due_date and p.order_type = f.order_type)
  returning 1),
superseded as (
  update belfry.planned_orders set status = 'SUPERSEDED' where status = 'PROPOSED' and plan_version < :version
  returning 1)
select (select count(*) from created)::int as created, (select count(*) from updated)::int as updated,
       (select count(*) from removed)::int as removed, (select count(*) from superseded)::int as superseded
"""
_STORE_EXCEPTIONS = """
with fresh as (
  select * from jsonb_to_recordset(cast(:rows as jsonb)) as e (code text, subject text, material_id bigint,
    workshop_id bigint, qty numeric, day date, wanted date, facts jsonb)),
removed as (
  delete from belfry.plan_exceptions p where p.plan_version = :version
    and not exists (select from fresh f where f.code = p.code and f.subject = p.subject)
  returning 1),
updated as (
  update belfry.plan_exceptions p set material_id = f.material_id, workshop_id = f.workshop_id, qty = f.qty,
    day = f.day, wanted = f.wanted, facts = f.facts, execution_id = cast(:execution as uuid)
  from fresh f
  where p.plan_version = :version and f.code = p.code and f.subject = p.subject
    and (p.material_id, p.workshop_id, p.qty, p.day, p.wanted, p.facts)
        is distinct from (f.material_id, f.workshop_id, f.qty, f.day, f.wanted, f.facts)
  returning 1),
created as (
  insert into belfry.plan_exceptions (plan_version, code, subject, material_id, workshop_id, qty, day, wanted, facts,
    execution_id)
  select :version, f.code, f.subject, f.material_id, f.workshop_id, f.qty, f.day, f.wanted, f.facts,
         cast(:execution as uuid)
  from fresh f
  where not exists (select from belfry.plan_exceptions p
                    where p.plan_version = :version and p.code = f.code and p.subject = f.subject)
  returning 1)
select ((select count(*) from created) + (select count(*) from updated)
        + (select count(*) from removed))::int as changed
"""
_FORGET = """
with orders as (
  delete from belfry.planned_orders where status = 'SUPERSEDED' and plan_version < :before returning 1),
warnings as (delete from belfry.plan_exceptions where plan_version < :before returning 1)
select ((select count(*) from orders) + (select count(*) from warnings))::int as forgotten
"""
_ROLL = """
with orders as (
  select production_plan_id as id, sum(coalesce(plan_qty, 1)) as planned, sum(completed_qty) as done,
         bool_and(status in ('COMPLETED', 'APPROVED')) as finished,
         bool_or(status in ('STARTED', 'PAUSED', 'COMPLETED', 'APPROVED') or actual_start_time is not null) as begun
  from erp.work_orders
  where production_plan_id is not null and status <> 'CANCELLED' and coalesce(plan_qty, 1) > 0
  group by production_plan_id),
now as (
  select p.id, least(100, greatest(0, round(o.done * 100 / o.planned, 2))) as progress,
         case when o.finished then 'COMPLETED' when o.begun then 'EXECUTING' else p.status end as status
  from erp.production_plans p join orders o on o.id = p.id where p.status in ('PUBLISHED', 'EXECUTING')),
rolled as (
  update erp.production_plans p set progress = n.progress, status = n.status from now n
  where p.id = n.id and (p.progress, p.status) is distinct from (n.progress, n.status)
  returning 1)
select (select count(*) from rolled)::int as rolled
"""
