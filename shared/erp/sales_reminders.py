"""Which gates wait, which quotes and contracts run out, which approvals are pending? (rulebook job 4)"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
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
    extract,
    func,
    literal,
    literal_column,
    or_,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import array

from shared.erp import ladders
from shared.erp.facts import facts
from shared.erp.limits import days_since, local_day
from shared.erp.live import in_live_project
from shared.erp.tables import approval_records, contracts, customers, leads, opportunities, projects, quotes, users
from shared.erp.tiers import due_tier, late_tier
from shared.erp.tokens import user
from shared.rules.reminders import due_ladder, waiting_ladder

_lead, _opportunity, _quote = leads.c, opportunities.c, quotes.c
_contract, _project, _approval = contracts.c, projects.c, approval_records.c
# Words as literals, so that the planner can prove the partial indexes.
_lead_waits = _lead.status == literal_column("'QUALIFYING'")
_gate_waits = and_(
    _opportunity.gate_status == literal_column("'PENDING'"), _opportunity.stage.not_in(("WON", "LOST"))
)
_offered = _quote.status.in_([literal_column("'IN_REVIEW'"), literal_column("'SENT'")])
_in_force = _contract.status.in_([literal_column("'SIGNED'"), literal_column("'ACTIVE'")])
_pending = _approval.status == literal_column("'PENDING'")


def waiting_gates(day: date, zone: str, days: int, manager_days: int) -> Select[Any]:
    """Leads and opportunities whose gate nobody has decided for days, told every day; later to sales managers too."""
    lead_days = days_since(_lead.gate_submitted_at, day, zone)
    lead = select(
        literal("LEAD", Text).label("kind"), _lead.id, _lead.lead_code.label("code"), cast(None, Text).label("name"),
        cast(None, Text).label("customer_name"), literal("G1", Text).label("gate"),
        local_day(_lead.gate_submitted_at, zone).label("submitted"), lead_days.label("days"), _lead.owner_id,
    ).where(_lead_waits, lead_days >= days)
    gate_days = days_since(_opportunity.gate_submitted_at, day, zone)
    opportunity = select(
        literal("OPPORTUNITY", Text), _opportunity.id, _opportunity.opp_code, _opportunity.opp_name,
        customers.c.customer_name, _opportunity.gate_code, local_day(_opportunity.gate_submitted_at, zone), gate_days,
        _opportunity.owner_id,
    ).outerjoin_from(opportunities, customers, customers.c.id == _opportunity.customer_id).where(
        _gate_waits, gate_days >= days
    )
    gates = union_all(lead, opportunity).subquery("gates")
    g = gates.c
    managers = case((or_(g.days >= manager_days, g.owner_id.is_(None)), "ROLE:SALES_MGR"))
    told: list[Any] = [user(g.owner_id), managers]
    about = {name: g[name] for name in ("kind", "code", "name", "customer_name", "gate", "submitted", "days")}
    return select(
        func.concat_ws("|", "GATE_TIMEOUT", g.kind, g.id, literal(day)).label("dedupe_key"),
        array(told, type_=Text).label("recipients"), literal("WARNING", Text).label("severity"),
        facts(about | {"owner": users.c.real_name}).label("facts"),
    ).outerjoin_from(gates, users, users.c.id == g.owner_id)


def unknown_gates() -> Select[Any]:
    """Gates that wait since nobody knows when."""
    error = literal("the gate waits, but gate_submitted_at is empty", Text).label("error")
    lead = select(literal("LEAD", Text).label("item_type"), _lead.lead_code.label("item_key"), error).where(
        _lead_waits, _lead.gate_submitted_at.is_(None)
    )
    opportunity = select(literal("OPPORTUNITY", Text), _opportunity.opp_code, error).where(
        _gate_waits, _opportunity.gate_submitted_at.is_(None)
    )
    found = union_all(lead, opportunity).subquery("unknown_gates").c
    return select(found.item_type, found.item_key, found.error)


def expiring_quotes(day: date, tiers: Sequence[int], *, high_days: int, urgent_days: int) -> Select[Any]:
    """Quotes on offer whose validity ends within the first tier; the last day counts."""
    left = type_coerce(_quote.valid_until - literal(day), Integer)
    return _quotes(
        "QUOTE_EXPIRING", func.concat("T", due_tier(left, tiers)),
        ladders.answer(due_ladder(high_days, urgent_days), left), {"days_left": left},
    ).where(_quote.valid_until.between(day, day + timedelta(days=max(tiers))))


def expired_quotes(day: date, every: int, until_days: int) -> Select[Any]:
    """Quotes still on offer after their last day: the day after, then every so many days, for a while."""
    late = type_coerce(literal(day) - _quote.valid_until, Integer)
    return _quotes(
        "QUOTE_EXPIRED", func.concat("D", late_tier(late, (1,), every)), literal("WARNING", Text),
        {"days_expired": late},
    ).where(_quote.valid_until.between(day - timedelta(days=until_days), day - timedelta(days=1)))


def _quotes(type_: str, bucket: Any, severity: Any, more: dict[str, Any]) -> Select[Any]:
    about = {
        "quote_code": _quote.quote_code, "status": _quote.status, "valid_until": _quote.valid_until,
        "opp_code": _opportunity.opp_code, "opp_name": _opportunity.opp_name,
        "customer_name": customers.c.customer_name, "owner": users.c.real_name, **more,
    }
    return select(
        func.concat_ws("|", type_, "QUOTE", _quote.id, _quote.valid_until, bucket).label("dedupe_key"),
        array([_owner_or_managers(_quote.owner_id)], type_=Text).label("recipients"), severity.label("severity"),
        facts(about).label("facts"),
    ).outerjoin_from(quotes, opportunities, _opportunity.id == _quote.opportunity_id).outerjoin(
        customers, customers.c.id == _opportunity.customer_id
    ).outerjoin(users, users.c.id == _quote.owner_id).where(_offered)


def expiring_contracts(day: date, tiers: Sequence[int], *, high_days: int, urgent_days: int) -> Select[Any]:
    """Contracts in force to be delivered within the first tier: their owner and the project manager."""
    left = type_coerce(_contract.delivery_deadline - literal(day), Integer)
    told: list[Any] = [_owner_or_managers(_contract.owner_id), user(_project.pm_id)]
    about = {
        "contract_code": _contract.contract_code, "customer_name": customers.c.customer_name,
        "amount": func.trim_scale(_contract.contract_amount), "deadline": _contract.delivery_deadline,
        "days_left": left, "owner": users.c.real_name, "project_code": _project.project_code,
        "project_name": _project.project_name, "progress": func.trim_scale(_project.progress_pct),
    }
    key = (
        "CONTRACT_EXPIRING", "CONTRACT", _contract.id, _contract.delivery_deadline,
        func.concat("T", due_tier(left, tiers)),
    )
    return select(
        func.concat_ws("|", *key).label("dedupe_key"), array(told, type_=Text).label("recipients"),
        ladders.answer(due_ladder(high_days, urgent_days), left).label("severity"), facts(about).label("facts"),
        _contract.project_id,
    ).outerjoin_from(contracts, projects, _project.id == _contract.project_id).outerjoin(
        customers, customers.c.id == _contract.customer_id
    ).outerjoin(users, users.c.id == _contract.owner_id).where(
        _in_force, in_live_project(), _contract.delivery_deadline.between(day, day + timedelta(days=max(tiers)))
    )


def pending_approvals(day: date, now: datetime, hours: int, high_hours: int) -> Select[Any]:
    """Approval steps that have waited for their own hours, else for `hours`, every day: the approver, else the role."""
    waited = _hours(now)
    code = func.coalesce(_quote.quote_code, _contract.contract_code, _opportunity.opp_code)
    role = case(
        (_approval.approver_role.is_not(None), literal("ROLE:", Text) + _approval.approver_role),
        else_="ROLE:SALES_MGR",
    )
    told: list[Any] = [case((_approval.approver_id.is_not(None), user(_approval.approver_id)), else_=role)]
    about = {
        "entity_type": _approval.entity_type, "entity_id": _approval.entity_id, "entity_code": code,
        "step_name": _approval.step_name, "since": _approval.step_started_at,
        "hours": cast(func.floor(waited), Integer), "approver": users.c.real_name, "role": _approval.approver_role,
    }
    return select(
        func.concat_ws("|", "APPROVAL_PENDING", "APPROVAL", _approval.id, literal(day)).label("dedupe_key"),
        array(told, type_=Text).label("recipients"),
        ladders.answer(waiting_ladder(high_hours), waited).label("severity"), facts(about).label("facts"),
    ).outerjoin_from(approval_records, users, users.c.id == _approval.approver_id).outerjoin(
        quotes, and_(_approval.entity_type == "QUOTE", _quote.id == _approval.entity_id)
    ).outerjoin(
        contracts, and_(_approval.entity_type == "CONTRACT", _contract.id == _approval.entity_id)
    ).outerjoin(
        opportunities, and_(_approval.entity_type == "OPPORTUNITY", _opportunity.id == _approval.entity_id)
    ).where(_pending, ~_endless, waited >= func.coalesce(_approval.due_hours, hours))


def unjudgeable_approvals() -> Select[Any]:
    """Pending steps that were to be done in less than no time."""
    said = func.concat("due_hours is ", _approval.due_hours)
    columns: tuple[Any, ...] = (
        literal("APPROVAL", Text).label("item_type"),
        func.concat(_approval.entity_type, "/", _approval.entity_id, "#", _approval.id).label("item_key"),
        said.label("error"),
    )
    return select(*columns).where(_pending, _endless)


_endless = func.coalesce(_approval.due_hours < 0, False)


def _hours(now: datetime) -> Any:
    waited = extract("epoch", literal(now, DateTime(timezone=True)) - _approval.step_started_at)
    return cast(waited, Numeric) / literal(3600, Numeric)


def _owner_or_managers(owner_id: Any) -> Any:
    return func.coalesce(user(owner_id), "ROLE:SALES_MGR")
