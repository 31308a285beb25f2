"""Which sources are there, what becomes of one after a run, and which of them is somebody's worry?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Interval, Numeric, Select, Text, case, cast, func, literal, select, text
from sqlalchemy.dialects.postgresql import array

from shared.erp.facts import facts
from shared.erp.side_tables import sync_errors, sync_sources
from shared.erp.tokens import user
from shared.rules.sync import POLICIES
from shared.sync.entities import ENTITIES
from shared.sync.pages import SourceError

_source, _error = sync_sources.c, sync_errors.c
_LISTED = text("""
  select id, source_code, direction, entity, endpoint, credential_ref, batch_size, conflict_policy, time_zone,
    watermark, last_full_at, stopped_at, next_try_at
  from belfry.sync_sources where enabled order by position, id""")
_READ = text("update belfry.sync_sources set watermark = :watermark where id = :id")
_DONE = text("""
  update belfry.sync_sources set watermark_at = greatest(watermark_at, cast(:now as timestamptz)),
    last_full_at = case when :full then cast(:now as timestamptz) else last_full_at end,
    failed_runs = 0, last_error = null, next_try_at = null, stopped_at = null, stop_reason = null
  where id = :id""")
_FAILED = text("""
  update belfry.sync_sources set failed_runs = failed_runs + 1, last_error = left(:error, 500) where id = :id""")
_STOPPED = text("""
  update belfry.sync_sources set stopped_at = :now, stop_reason = left(:error, 500), failed_runs = failed_runs + 1
  where id = :id""")
_PATIENT = text("""
  update belfry.sync_sources set next_try_at = cast(:now as timestamptz) + make_interval(secs => :seconds),
    last_error = left(:error, 500)
  where id = :id""")


@dataclass(frozen=True)
class Source:
    """One entry of sync_sources."""

    id: int
    source_code: str
    direction: str
    entity: str
    endpoint: str
    credential_ref: str | None
    batch_size: int
    conflict_policy: str
    time_zone: str
    watermark: str | None
    last_full_at: datetime | None
    stopped_at: datetime | None
    next_try_at: datetime | None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def seen(self) -> datetime | None:
        return datetime.fromisoformat(self.watermark) if self.watermark else None


def listed(db: Connection) -> list[Source]:
    """The enabled sources in the order of their entities."""
    return [Source(**row) for row in db.execute(_LISTED).mappings()]


def check(source: Source, pushes: frozenset[str]) -> None:
    """Raises SourceError when the entry asks for what is not there."""
    known = frozenset(ENTITIES) if source.direction == "PULL" else pushes
    if source.entity not in known:
        raise SourceError(f"entity {source.entity}: {', '.join(sorted(known))} are known")
    if source.conflict_policy not in POLICIES:
        raise SourceError(f"conflict_policy: {', '.join(POLICIES)} are known")
    if source.direction == "PULL" and source.conflict_policy == "NEWEST" and not ENTITIES[source.entity].changed_at:
        raise SourceError(f"conflict_policy NEWEST: {source.entity} do not say when somebody changed them here")
    try:
        _ = source.zone
    except (KeyError, ValueError, OSError) as error:
        raise SourceError(f"time_zone {source.time_zone}: an IANA name is expected") from error


def read_up_to(db: Connection, source: Source, watermark: datetime) -> None:
    """Move the watermark, in the transaction of what it stands for."""
    db.execute(_READ, {"id": source.id, "watermark": watermark.isoformat()})


def done(db: Connection, source: Source, now: datetime, *, full: bool = False) -> None:
    """Nothing is left to bring; `full` when all keys were compared."""
    db.execute(_DONE, {"id": source.id, "now": now, "full": full})


def failed(db: Connection, source: Source, error: str) -> None:
    """One more run that did not get through."""
    db.execute(_FAILED, {"id": source.id, "error": error})


def stopped(db: Connection, source: Source, now: datetime, reason: str) -> None:
    """A guard says no: nothing moves until a person accepts it."""
    db.execute(_STOPPED, {"id": source.id, "now": now, "error": reason})


def patient(db: Connection, source: Source, now: datetime, seconds: float, error: str) -> None:
    """Leave it alone for a while; that is no failure."""
    db.execute(_PATIENT, {"id": source.id, "now": now, "seconds": seconds, "error": error})


def level(now: Any, failed_runs: int, lag_hours: int) -> Any:
    """shared.rules.sync.trouble as an expression."""
    lag = literal(now) - func.coalesce(_source.watermark_at, _source.created_at)
    return case(
        (lag > cast(literal(timedelta(hours=lag_hours)), Interval), literal("CRITICAL", Text)),
        (_source.stopped_at.is_not(None) | (_source.failed_runs >= failed_runs), literal("WARNING", Text)),
    )


def in_trouble(now: datetime, failed_runs: int, lag_hours: int) -> Select[Any]:
    """Sources that fail, stand still or are behind."""
    open_errors = select(func.count()).where(_error.source_id == _source.id, _error.resolved_at.is_(None))
    about = {
        "source_name": _source.source_name, "direction": _source.direction, "entity": _source.entity,
        "failed_runs": _source.failed_runs, "error": _source.last_error, "stop_reason": _source.stop_reason,
        "stopped_at": _source.stopped_at, "up_to": func.coalesce(_source.watermark_at, _source.created_at),
        "waiting": open_errors.scalar_subquery(),
        "by_hand": open_errors.where(_error.next_retry_at.is_(None)).scalar_subquery(),
    }  # fmt: skip
    how_bad = level(now, failed_runs, lag_hours)
    return select(
        _source.id.label("target_id"), _source.source_code.label("target_no"), _source.source_name.label("target_name"),
        cast(None, _source.id.type).label("project_id"), how_bad.label("level"),
        array([user(_source.owner_id)]).label("recipients"),
        facts(about).label("facts"), cast(_source.failed_runs, Numeric).label("trigger_value"),
        literal(failed_runs, Numeric).label("threshold_value"),
    ).where(_source.enabled, how_bad.is_not(None))  # fmt: skip


def every() -> Select[Any]:
    """All sources: one that is switched off worries nobody any more."""
    return select(_source.id.label("target_id"))
