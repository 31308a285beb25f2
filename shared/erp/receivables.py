"""Which issued invoices are unpaid past their due date? (rulebook job 30)"""

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
    column,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import array

from shared.alerts import level_rank, shift_level
from shared.erp import ladders
from shared.erp.alert_tables import alert_records, alert_rules, is_open
from shared.erp.facts import facts
from shared.erp.lists import LISTED, first
from shared.erp.tables import contracts, customers, invoices, projects, users
from shared.erp.tokens import user
from shared.rules.ladder import Ladder
from shared.rules.receivables import UNDISPUTED, receivable_ladder

_invoice, _contract, _project = invoices.c, contracts.c, projects.c
_amount = func.coalesce(_invoice.total_amount, _invoice.amount)
_unpaid = _amount - _invoice.paid_amount
# Words as literals, so that the planner can prove the partial index.
_waits = and_(
    _invoice.status == literal_column("'ISSUED'"),
    or_(_invoice.payment_status != literal_column("'PAID'"), _invoice.payment_status.is_(None)),
)
_unknown = or_(
    _amount.is_(None), _invoice.paid_amount.is_(None), _invoice.paid_amount < 0, _invoice.payment_status.is_(None)
)
_disputed = func.coalesce(_invoice.dispute_status.not_in(UNDISPUTED), False)


def level(ladder: Ladder, days_overdue: Any, amount: Any, disputed: Any, large_amount: int) -> Any:
    """shared.rules.receivables.receivable_level as an expression."""
    base = ladders.answer(ladder, days_overdue)
    raised = shift_level(base, case((amount >= large_amount, 1), else_=0))
    return case((base.is_(None), null()), (disputed, literal("INFO", Text)), else_=raised)


def overdue(day: date, large_amount: int, warning_days: int, critical_days: int, urgent_days: int) -> Select[Any]:
    """Violations of OVERDUE_RECEIVABLE: the contract's owner and finance are told, management as it grows."""
    days = type_coerce(literal(day) - _invoice.due_date, Integer)
    ladder = receivable_ladder(warning_days, critical_days, urgent_days)
    loudness = level(ladder, days, _amount, _disputed, large_amount)
    about = {
        "customer_id": customers.c.id, "customer_name": customers.c.customer_name,
        "contract_code": _contract.contract_code, "owner": users.c.real_name,
        "project_code": _project.project_code, "project_name": _project.project_name,
        "due_date": _invoice.due_date, "days_overdue": days, "amount": func.trim_scale(_amount),
        "paid": func.trim_scale(_invoice.paid_amount), "unpaid": func.trim_scale(_unpaid),
        "is_large": _amount >= large_amount, "disputed": _disputed,
    }
    found = select(
        _invoice.id.label("target_id"), _invoice.invoice_code.label("target_no"),
        customers.c.customer_name.label("target_name"), _project.id.label("project_id"), loudness.label("level"),
        user(_contract.owner_id).label("owner"), facts(about).label("facts"), days.label("trigger_value"),
        ladders.limit(ladder, days).label("threshold_value"),
    ).outerjoin_from(invoices, contracts, _contract.id == _invoice.contract_id).outerjoin(
        projects, _project.id == func.coalesce(_invoice.project_id, _contract.project_id)
    ).outerjoin(customers, customers.c.id == func.coalesce(_contract.customer_id, _project.customer_id)).outerjoin(
        users, users.c.id == _contract.owner_id
    ).where(_waits, ~_unknown, _unpaid > 0, _invoice.due_date < day).subquery("unpaid").c
    sales = case((level_rank(found.level) >= 3, "ROLE:SALES_MGR"))
    management = case((level_rank(found.level) >= 4, "ROLE:GM"))
    told: list[Any] = [found.owner, literal("ROLE:FIN"), sales, management]
    return select(
        found.target_id, found.target_no, found.target_name, found.project_id, found.level,
        array(told, type_=Text).label("recipients"), found.facts, found.trigger_value, found.threshold_value,
    )


def judged() -> Select[Any]:
    """All invoices but those that nobody can judge: one paid or withdrawn ends its alert."""
    return select(_invoice.id.label("target_id")).where(~and_(_waits, _unknown))


def present() -> Select[Any]:
    """All invoices that were not made void."""
    return select(_invoice.id.label("target_id")).where(_invoice.status != "VOID")


def by_customer(day: date, now: datetime) -> Select[Any]:
    """For a customer with several overdue invoices, one of them alerted or risen in this run: all of them in one list.

    Reads the alerts that this run has just written; goes to everybody who is told of one of them.
    """
    a = alert_records.c
    open_ = select(
        a.id, a.target_no, a.alert_level, a.level_changed_at, a.facts, a.recipients,
        a.facts["customer_id"].astext.label("customer"), a.facts["days_overdue"].as_integer().label("days"),
        a.facts["unpaid"].astext.cast(Numeric).label("unpaid"),
    ).join(alert_rules, alert_rules.c.id == a.rule_id).where(
        alert_rules.c.rule_code == "OVERDUE_RECEIVABLE", alert_rules.c.is_enabled, is_open
    ).cte("open_receivables").c
    person = func.unnest(open_.recipients).table_valued(column("token", Text)).render_derived(name="person")
    people = select(open_.customer, func.array_agg(person.c.token.distinct()).label("tokens")).select_from(
        open_.id.table
    ).join(person, true()).group_by(open_.customer).subquery("people").c
    item = facts({
        "invoice_code": open_.target_no, "due_date": open_.facts["due_date"], "days_overdue": open_.days,
        "unpaid": open_.unpaid, "level": open_.alert_level, "disputed": open_.facts["disputed"],
        "contract_code": open_.facts["contract_code"],
    })
    per_customer = select(
        open_.customer, func.max(open_.facts["customer_name"].astext).label("name"), func.count().label("count"),
        func.sum(open_.unpaid).label("unpaid"), func.max(open_.unpaid).label("largest"),
        first(LISTED, item, open_.days.desc(), open_.target_no).label("listed"),
    ).where(open_.customer.is_not(None)).group_by(open_.customer).having(and_(
        func.count() > 1, func.bool_or(open_.level_changed_at == literal(now, DateTime(timezone=True)))
    )).subquery("customers_overdue").c
    return select(
        func.concat("DIGEST_RECEIVABLE|CUSTOMER|", per_customer.customer, "|", literal(day)).label("dedupe_key"),
        people.tokens.label("recipients"), literal("INFO", Text).label("severity"),
        facts({
            "customer_name": per_customer.name, "day": literal(day), "count": per_customer.count,
            "unpaid": per_customer.unpaid, "largest": per_customer.largest, "items": per_customer.listed,
        }).label("facts"),
        array(["system", "email"], type_=Text).label("channels"),
    ).join_from(per_customer.customer.table, people.customer.table, people.customer == per_customer.customer)


def unjudgeable() -> Select[Any]:
    """Issued invoices of which nobody can say what is owed."""
    error = func.concat(
        "amount is ", func.coalesce(_amount.cast(Text), "unknown"), ", paid ",
        func.coalesce(_invoice.paid_amount.cast(Text), "unknown"), ", payment status ",
        func.coalesce(_invoice.payment_status, "unknown"),
    )
    return _items(error).where(_waits, _unknown)


def contradictions() -> Select[Any]:
    """Invoices paid in full whose payment status was left open: judged as paid, recorded as data defects."""
    error = func.concat("everything is paid, and the payment status is still ", _invoice.payment_status)
    return _items(error).where(_waits, ~_unknown, _amount > 0, _unpaid <= 0)


def counted() -> Select[Any]:
    """How many invoices wait for money (`invoices`), and how many of them have no due date (`undated`)."""
    numbers: tuple[Any, ...] = (
        func.count().label("invoices"), func.count().filter(_invoice.due_date.is_(None)).label("undated"),
    )
    return select(*numbers).select_from(invoices).where(_waits)


def _items(error: Any) -> Select[Any]:
    columns: tuple[Any, ...] = (
        literal("INVOICE").label("item_type"), _invoice.invoice_code.label("item_key"), error.label("error"),
    )
    return select(*columns).select_from(invoices)
