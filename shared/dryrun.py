"""Rehearses a tick: the body runs for real inside a transaction that is rolled back, and the answer says what it would
have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, text

from shared.entrance.trigger import Trigger
from shared.executions import Claim, JobRow
from shared.ledger.leases import Lease
from shared.run import Run

LISTED = 200  # rows of each list; the counts are always whole

_ALERTS = text("""select e.event, a.alert_no, r.rule_code, a.target_type, a.target_no, a.target_name, e.from_level,
  a.alert_level, a.status
  from belfry.alert_events e join belfry.alert_records a on a.id = e.alert_id join belfry.alert_rules r on r.id =
    a.rule_id
  where e.execution_id = cast(:id as uuid) order by e.id limit :limit""")
_TOLD = text("""select u.real_name as user_name, d.channel, d.state, d.reason, n.type, n.reason as why, n.severity
  from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id join erp.users u on
    u.id = d.user_id
  where d.execution_id = cast(:id as uuid) order by d.id limit :limit""")
_WRITTEN = text("""select schemaname || '.' || relname as name, n_tup_ins as inserted, n_tup_upd as updated, n_tup_del
  as deleted
  from pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0 order by 1""")
_ITEMS = text("""select item_type, item_key, status, error from belfry.execution_items where execution_id = cast(:id as
  uuid)
  order by item_type, item_key limit :limit""")


def rehearse(
    body: Callable[[Run], None], connection: Connection, row: JobRow, asked: Trigger, run_at: datetime
) -> dict[str, Any]:
    """Run the body without a claim; leaves no row. Steps are rolled back one by one, so a later step does not see an
    earlier one; what each would have done is listed."""
    claim = Claim(
        "run",
        uuid4(),
        0,
        1,
        "running",
        None,
        run_at,
        run_at.astimezone(ZoneInfo(row.time_zone)).date(),
        "manual",
        asked.params,
        {},
        None,
    )
    lease = Lease(claim.execution_id, 0, seconds=float("inf"), timeout=row.timeout_s)
    run = Run(row, claim, connection, lease, dry_run=True)
    run.rehearsal = seen = _Seen(connection, run.id)
    try:
        body(run)
        if run.in_transaction:
            run.write_down()
            seen.ends()
    finally:
        run.roll_back()
    return {
        "status": "dry_run",
        "job": row.job_id,
        "run_at": run_at.isoformat(),
        "counters": run.counters,
        "would": seen.would,
    }


class _Seen:
    """What each transaction of the run would have left, collected before it is rolled back."""

    def __init__(self, connection: Connection, execution: str) -> None:
        self._connection, self._listed = connection, {"id": execution, "limit": LISTED}
        self._before: dict[str, Counter[str]] = {}
        self.would: dict[str, Any] = {"alerts": [], "told": [], "items": [], "written": {}}

    def begins(self) -> None:
        # Postgres hands a session's counts on only now and then: what stands there already is not this transaction's.
        self._before = _written(self._connection)

    def ends(self) -> None:
        for name, query in (("alerts", _ALERTS), ("told", _TOLD), ("items", _ITEMS)):
            rows = self._connection.execute(query, self._listed).mappings()
            self.would[name] = (self.would[name] + [dict(r) for r in rows])[:LISTED]
        for name, counts in _difference(self._before, _written(self._connection)).items():
            known = self.would["written"].get(name, {})
            self.would["written"][name] = {kind: known.get(kind, 0) + number for kind, number in counts.items()}


def _written(connection: Connection) -> dict[str, Counter[str]]:
    rows = connection.execute(_WRITTEN)
    return {row.name: Counter(inserted=row.inserted, updated=row.updated, deleted=row.deleted) for row in rows}


def _difference(before: dict[str, Counter[str]], after: dict[str, Counter[str]]) -> dict[str, dict[str, int]]:
    changed = {name: counts - before.get(name, Counter()) for name, counts in after.items()}
    kinds = ("inserted", "updated", "deleted")
    return {name: {kind: counts[kind] for kind in kinds} for name, counts in changed.items() if counts}
