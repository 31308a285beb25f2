"""Which presale tickets take too long, and which has nobody taken? (rulebook job 33)"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import Integer, Numeric, Select, Text, and_, case, cast, func, literal, literal_column, or_, select
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.limits import days_since, local_day, timeout_level
from shared.erp.tables import presale_tickets, users
from shared.erp.tokens import user
from shared.rules.limits import beyond
from shared.rules.presales import SHORTEST_DAYS

_ticket = presale_tickets.c
_at_work = _ticket.status.in_([literal_column(f"'{word}'") for word in ("PENDING", "ACCEPTED", "PROCESSING")])
_broken = func.coalesce(_ticket.deadline < _ticket.created_at, False)


def limit(
    days_to_deadline: Any, ticket_type: Any, urgency: Any, limits: Mapping[str, int], urgency_percent: Mapping[str, int]
) -> Any:
    """shared.rules.presales.ticket_limit as an expression."""
    usual = case(limits, value=ticket_type, else_=limits["OTHER"])
    urgent = cast(usual * case(urgency_percent, value=urgency, else_=100), Numeric) / 100
    return func.coalesce(cast(days_to_deadline, Numeric), func.greatest(urgent, SHORTEST_DAYS), type_=Numeric)


def overdue(
    day: date, zone: str, *, limits: Mapping[str, int], urgency_percent: Mapping[str, int], untaken_days: int,
    high_percent: int, manager_percent: int,
) -> Select[Any]:
    """Tickets past their limit, for whoever works on them; and those still untaken, for everybody in presales. Daily.

    A ticket's own deadline wins over the limit of its type; days are calendar days.
    """
    age = days_since(_ticket.created_at, day, zone)
    to_deadline = cast(local_day(_ticket.deadline, zone) - local_day(_ticket.created_at, zone), Integer)
    allowed = limit(to_deadline, _ticket.ticket_type, _ticket.urgency, limits, urgency_percent)
    late, untaken = age > allowed, and_(_ticket.status == "PENDING", age >= untaken_days)
    responsible = func.coalesce(_ticket.assignee_id, _ticket.applicant_id)
    told: list[Any] = [
        case((late, user(responsible))),
        case((beyond(age, allowed, manager_percent), literal("MGR:", Text) + cast(_ticket.assignee_id, Text))),
        case((or_(untaken, responsible.is_(None)), "ROLE:PRESALE")),
    ]
    about = {
        "ticket_no": _ticket.ticket_no, "ticket_title": _ticket.title, "ticket_type": _ticket.ticket_type,
        "urgency": _ticket.urgency, "status": _ticket.status, "owner": users.c.real_name,
        "since": local_day(_ticket.created_at, zone), "deadline": local_day(_ticket.deadline, zone), "days": age,
        "limit": func.trim_scale(allowed), "late": late, "untaken": untaken,
    }
    severity = func.coalesce(timeout_level(age, allowed, high_percent), "INFO")
    return select(
        func.concat_ws("|", "PRESALE_TICKET_TIMEOUT", "PRESALE_TICKET", _ticket.id, literal(day)).label("dedupe_key"),
        array(told, type_=Text).label("recipients"), severity.label("severity"), facts(about).label("facts"),
    ).outerjoin_from(presale_tickets, users, users.c.id == _ticket.assignee_id).where(
        _at_work, ~_broken, or_(late, untaken)
    )


def unjudgeable() -> Select[Any]:
    """Tickets that were to be done before they were made."""
    said = ("made at ", _ticket.created_at, ", to be done by ", _ticket.deadline)
    columns: tuple[Any, ...] = (
        literal("PRESALE_TICKET").label("item_type"), _ticket.ticket_no.label("item_key"),
        func.concat(*said).label("error"),
    )
    return select(*columns).where(_at_work, _broken)


def counted() -> Select[Any]:
    """How many tickets somebody works on, or should."""
    return select(func.count()).select_from(presale_tickets).where(_at_work)
