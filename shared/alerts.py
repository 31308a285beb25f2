"""Raise, refresh, upgrade and resolve the alerts of one rule.

A job says which targets violate its rule now (`violations`) and which it could judge (`scanned`). Everything else
follows from the open alerts in the table: one open alert per rule and target (a unique index, rulebook 3.4), unchanged
alerts are not written, alerts of targets that are well again close themselves, targets that were not judged are left
alone. All of it is one statement (shared/alerting/statement.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Select, Text, func
from sqlalchemy.sql.elements import ColumnElement

from shared.alerting import statement as alert_statement

if TYPE_CHECKING:
    from shared.run import Run


def level_rank(level: ColumnElement[Any]) -> ColumnElement[int]:
    """INFO 1 < WARNING 2 < CRITICAL 3 < URGENT 4 (rulebook 3.3)."""
    return func.belfry.level_rank(level, type_=Integer)


def shift_level(level: ColumnElement[Any], steps: Any) -> ColumnElement[str]:
    """A level some steps up or down, clamped to INFO and URGENT."""
    return func.belfry.shift_level(level, steps, type_=Text)


def raise_alerts(
    run: Run, rule_code: str, violations: Select[Any], *, scanned: Select[Any], present: Select[Any] | None = None
) -> None:
    """Make the open alerts of a rule equal to what violates it now; counts go to the run.

    Parameters
    ----------
    violations
        One row per target: target_id, target_no, target_name, project_id, level, recipients text[], facts jsonb,
        trigger_value,
        threshold_value; optionally target_type (else the rule's) and discriminator.
    scanned
        Targets this run could judge (`target_id`, or `target_no` where targets have no number): open alerts of these
        that do not
        violate any more are resolved.
    present
        Targets that still exist; open alerts of others become EXPIRED.

    A rule of several target types says which one in `scanned` and `present` too (`target_type`): their numbers overlap.

    A rule that is switched off does nothing at all.
    """
    row = run.db.execute(
        alert_statement.scan(violations, scanned, present),
        {
            "rule": rule_code,
            "now": run.now,
            "day": f"{run.biz_date:%Y%m%d}",
            "execution": run.id,
        },
    ).one()
    run.count(
        violations=row.violations,
        created=row.raised,
        updated=row.refreshed,
        upgraded=row.upgraded,
        resolved=row.resolved,
        expired=row.expired,
    )
    if row.told:
        run.wants_fan_out(row.first_told)
