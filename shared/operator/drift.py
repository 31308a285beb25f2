"""Where do file, table and Cloud Scheduler differ, and who meant them to? Four views of each job side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from shared.cronfile.specs import CronFile
from shared.operator import declared, reload, reload_rows
from shared.scheduler_api import Ring, SchedulerApi

SHOWN = ("schedule", "time_zone", "enabled", "params")


def drift(connection: Connection, file: CronFile, scheduler: SchedulerApi | None) -> dict[str, Any]:
    """Every job as declared, stored and live, what a reload would change of it, and what an operator changed.

    `state` is `new`, `gone`, `invalid`, `declared` (file and table differ), `live` (Cloud Scheduler differs from what
    it should hold, as after somebody's click in its own console), `both`, or `in_step`. Reads only. Raises Unavailable.
    """
    plan = reload.plan(connection, file, scheduler)
    stored, live = reload_rows.stored(connection), scheduler.all() if scheduler else {}
    changes = {change.job_id: change for change in (*plan.added, *plan.updated)}
    added, invalid = {change.job_id for change in plan.added}, dict(plan.invalid)
    known = [*file.jobs, *(one for one, row in stored.items() if one not in file.jobs and not row["orphan"])]
    items = []
    for job_id in [*known, *(one for one in plan.removed if one not in known)]:
        change, row = changes.get(job_id, reload.Change(job_id)), stored.get(job_id)
        spec = file.jobs.get(job_id)
        items.append(
            {
                "id": job_id,
                "state": _state(change, new=job_id in added, gone=job_id in plan.removed, invalid=job_id in invalid),
                "declared": _pick(declared.row(spec, None)) if spec else None,
                "stored": _pick(row) if row else None,
                "live": _rung(live.get(job_id)),
                "differences": [*_differences(change, job_id in added)],
                "message": invalid.get(job_id),
                "override": _override(row),
                "pause": _pause(row),
            }
        )
    counts = Counter(str(item["state"]) for item in items)
    return {"items": items, "counts": dict(counts), "enabled": plan.as_dict().get("enabled"), "next": None}


def _state(change: reload.Change, *, new: bool, gone: bool, invalid: bool) -> str:
    if invalid or gone or new:
        return "invalid" if invalid else "gone" if gone else "new"
    if change.table and change.live:
        return "both"
    return "declared" if change.table else "live" if change.live else "in_step"


def _differences(change: reload.Change, new: bool) -> list[dict[str, Any]]:
    """Field by field: what is, what a reload makes of it, and where."""
    table = {} if new else change.table
    return [
        {"where": where, "field": name, "is": pair[0], "shall_be": pair[1]}
        for where, pairs in (("table", table), ("cloud_scheduler", change.live))
        for name, pair in pairs.items()
    ]


def _pick(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in SHOWN}


def _rung(ring: Ring | None) -> dict[str, Any] | None:
    if ring is None:
        return None
    next_at = ring.next_at.isoformat() if ring.next_at and not ring.paused else None
    return {"schedule": ring.schedule, "time_zone": ring.time_zone, "paused": ring.paused, "next_at": next_at}


def _override(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What somebody set instead of what the file says; it stays until it is reset."""
    if row is None:
        return None
    changed = {name: row[f"override_{name}"] for name in ("schedule", "enabled", "params")}
    changed = {name: value for name, value in changed.items() if value is not None}
    if not changed:
        return None
    return {**changed, "by": row["override_by"], "at": row["override_at"], "reason": row["override_reason"]}


def _pause(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`until` null: until somebody resumes it."""
    if row is None or not row["paused"]:
        return None
    return {"by": row["paused_by"], "until": row["paused_until"], "reason": row["paused_reason"]}
