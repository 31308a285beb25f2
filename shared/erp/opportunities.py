"""Which opportunities have stood in one stage for too long? (rulebook job 32)"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    DateTime,
    Integer,
    Select,
    Text,
    case,
    cast,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.limits import days_since, local_day, timeout_level
from shared.erp.tables import customers, opportunities, users
from shared.erp.tiers import after
from shared.erp.tokens import user
from shared.rules.limits import beyond

_opportunity = opportunities.c
STAGES = ("DISCOVERY", "QUALIFIED", "PROPOSAL", "NEGOTIATION")  # the others are over, or wait on purpose
_running = _opportunity.stage.in_([literal_column(f"'{stage}'") for stage in STAGES])


def overstayed(
    day: date, zone: str, *, limits: Mapping[str, int], every_days: int, high_percent: int, manager_percent: int
) -> Select[Any]:
    """Opportunities past the limit of their stage, told on the day after it and then every so many days.

    The clock is the stage's own: an edit does not reset it, a return to the stage does.
    """
    days = days_since(_opportunity.stage_entered_at, day, zone)
    limit = cast(case(limits, value=_opportunity.stage), Integer)
    bucket = after(days, limit + 1, every_days)
    manager = case((or_(_opportunity.owner_id.is_(None), beyond(days, limit, manager_percent)), "ROLE:SALES_MGR"))
    told: list[Any] = [user(_opportunity.owner_id), manager]
    entered = local_day(_opportunity.stage_entered_at, zone)
    about = {
        "opp_code": _opportunity.opp_code, "opp_name": _opportunity.opp_name,
        "customer_name": customers.c.customer_name, "owner": users.c.real_name, "stage": _opportunity.stage,
        "since": entered, "days": days, "limit": limit, "amount": func.trim_scale(_opportunity.est_amount),
    }
    key = (
        "OPPORTUNITY_STAGE_TIMEOUT", "OPPORTUNITY", _opportunity.id, _opportunity.stage, entered,
        func.concat("D", bucket),
    )
    return select(
        func.concat_ws("|", *key).label("dedupe_key"), array(told, type_=Text).label("recipients"),
        timeout_level(days, limit, high_percent).label("severity"), facts(about).label("facts"),
    ).outerjoin_from(opportunities, customers, customers.c.id == _opportunity.customer_id).outerjoin(
        users, users.c.id == _opportunity.owner_id
    ).where(_running, days > limit)


def unjudgeable(now: datetime) -> Select[Any]:
    """Running opportunities that entered their stage in the future, or nobody knows when."""
    latest = func.greatest(literal(now, DateTime(timezone=True)), func.belfry.clock())
    said = func.coalesce(cast(_opportunity.stage_entered_at, Text), "unknown")
    columns: tuple[Any, ...] = (
        literal("OPPORTUNITY").label("item_type"), _opportunity.opp_code.label("item_key"),
        func.concat("the stage was entered at ", said, ", which has not come yet").label("error"),
    )
    unknown = or_(_opportunity.stage_entered_at.is_(None), _opportunity.stage_entered_at > latest)
    return select(*columns).where(_running, unknown)


def counted() -> Select[Any]:
    """How many opportunities somebody works on."""
    return select(func.count()).select_from(opportunities).where(_running)
