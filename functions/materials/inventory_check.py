"""Inventory check: freeze the count sheets of the month, settle what was counted, and say where the books are wrong."""

from shared.alerts import raise_alerts
from shared.erp import stock, stock_checks
from shared.erp.stock import Scope
from shared.jobs import Run, job
from shared.notifications import notify

RULES = {"NEGATIVE": "STOCK_NEGATIVE", "LEDGER_DIFF": "STOCK_LEDGER_DIFF", "BELOW_SAFETY": "STOCK_BELOW_SAFETY"}


@job
def inventory_check(run: Run) -> None:
    """One sheet a warehouse, month and scope; stock itself is never changed here."""
    params = run.params
    scope = Scope(params["scope"], params["warehouse_id"], run.biz_date, run.time_zone.key)
    sheets = run.db.execute(stock_checks.opened(
        scope, run.now, run.id, params["slow_days"], params["due_workdays"], detailed=params["detailed"]
    )).one()  # fmt: skip
    limits = params["line_percent"], params["line_value"], params["approve_value"]
    done = run.db.execute(stock_checks.settled(*limits)).one()
    run.count(
        checked=sheets.rows, ledger_kept=sheets.ledger,
        sheets=sheets.sheets, lines=sheets.lines, empty_sheets=sheets.empty,
        settled=done.settled, reviewed=done.reviewed, second_counts=done.second_counts,
    )  # fmt: skip
    run.items_failed(stock.unjudgeable(scope))
    run.data_defects(stock.contradictions(scope))

    for flag, rule in RULES.items():
        wrong = stock.alerts(flag, scope, run.now, params["slow_days"])
        raise_alerts(run, rule, wrong, scanned=stock.judged(flag, scope), present=stock.present())
    notify(run, "COUNT_SHEET", stock_checks.messages(run.biz_date))
