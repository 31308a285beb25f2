"""Which instances are asked, in which order, and which of them have not answered for how long? (rulebook W2, W4)"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    Text,
    TextClause,
    and_,
    func,
    literal,
    select,
    text,
)

from shared.databases.tables import db_instance_checks, db_instances
from shared.erp import ladders
from shared.erp.facts import facts
from shared.rules.ladder import Ladder

_instance, _check = db_instances.c, db_instance_checks.c

_ANSWERED = """
  insert into belfry.db_instance_checks as c (instance_id, kind, attempted_at, succeeded_at)
  values (:instance, :kind, :now, :now)
  on conflict (instance_id, kind) do update set attempted_at = excluded.attempted_at,
    succeeded_at = excluded.succeeded_at, failed_on = null, failed_days = 0, error = null"""
_FAILED = """
  insert into belfry.db_instance_checks as c (instance_id, kind, attempted_at, failed_on, failed_days, error)
  values (:instance, :kind, :now, :day, 1, :error)
  on conflict (instance_id, kind) do update set attempted_at = excluded.attempted_at, error = excluded.error,
    failed_on = greatest(c.failed_on, excluded.failed_on),
    failed_days = c.failed_days + case when c.failed_on >= excluded.failed_on then 0 else 1 end"""


def to_ask(kind: str) -> Select[Any]:
    """Active instances, the longest unasked first: what the last run did not reach this one starts with."""
    return select(
        _instance.id, _instance.name, _instance.db_type, _instance.host, _instance.port, _instance.credential_ref
    ).outerjoin_from(
        db_instances, db_instance_checks, and_(_check.instance_id == _instance.id, _check.kind == kind)
    ).where(_instance.is_active).order_by(_check.attempted_at.asc().nulls_first(), _instance.id)


def answered(kind: str, instance: int, now: datetime) -> TextClause:
    """It was read."""
    return text(_ANSWERED).bindparams(kind=kind, instance=instance, now=now)


def failed(kind: str, instance: int, now: datetime, day: date, error: str) -> TextClause:
    """It was not; one more failed day, unless the day has failed before."""
    return text(_FAILED).bindparams(kind=kind, instance=instance, now=now, day=day, error=error)


def failing(kind: str, ladder: Ladder, instance: int | None = None) -> Select[Any]:
    """An active instance that could not be read for so many days, as a violation; without one, none."""
    level = ladders.answer(ladder, _check.failed_days)
    about = {
        "db_type": _instance.db_type, "host": _instance.host, "failed_days": _check.failed_days,
        "failed_on": _check.failed_on, "last_success": _check.succeeded_at, "error": _check.error,
    }
    columns: tuple[Any, ...] = (
        _instance.id.label("target_id"), _instance.name.label("target_no"), _instance.name.label("target_name"),
        literal(None, BigInteger).label("project_id"), level.label("level"),
        literal(["ROLE:DBA"], ARRAY(Text)).label("recipients"), facts(about).label("facts"),
        _check.failed_days.label("trigger_value"), ladders.limit(ladder, _check.failed_days).label("threshold_value"),
    )
    return select(*columns).join_from(db_instances, db_instance_checks, _check.instance_id == _instance.id).where(
        _instance.is_active, _check.kind == kind, level.is_not(None), _only(instance)
    )


def known(instance: int | None = None) -> Select[Any]:
    """The instance; without one, all that are not watched any more: their alerts end."""
    return select(_instance.id.label("target_id")).where(_only(instance))


def _only(instance: int | None) -> ColumnElement[bool]:
    return ~_instance.is_active if instance is None else _instance.id == instance


def today(zone: str) -> Select[Any]:
    """The day it is in a zone."""
    return select(func.date(func.timezone(zone, func.belfry.clock())))
