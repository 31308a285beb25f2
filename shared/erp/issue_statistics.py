"""How many issues are there, of which kinds, and how fast are they solved? One row a day (rulebook job 8)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    DateTime,
    Executable,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    cast,
    extract,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.erp.issues import blocks, unsolved
from shared.erp.side_tables import issue_statistics_snapshots as snapshots
from shared.erp.tables import issue_follow_ups, issues

_i, _f = issues.c, issue_follow_ups.c
# column of the snapshot: of the issues, and the words that are counted even when no issue has them
KINDS: dict[str, tuple[ColumnElement[Any], tuple[str, ...]]] = {
    "by_status": (_i.status, ("OPEN", "PROCESSING", "RESOLVED", "CLOSED", "CANCELLED", "DEFERRED")),
    "by_severity": (_i.severity, ("CRITICAL", "MAJOR", "MINOR")),
    "by_priority": (_i.priority, ("URGENT", "HIGH", "MEDIUM", "LOW")),
    "by_type": (_i.issue_type, ("DEFECT", "DEVIATION", "RISK", "BLOCKER", "SUGGESTION", "QUESTION", "OTHER")),
    "by_category": (_i.category, ("PROJECT", "TASK", "ACCEPTANCE")),
    "by_project": (func.coalesce(cast(_i.project_id, Text), "none"), ()),
}
_NUMBERS = ("blocking", "overdue", "new_count", "resolved_count", "closed_count")
_NOT_DELETED = _i.status != literal_column("'DELETED'")


@dataclass(frozen=True)
class Period:
    """A day in its job's zone, as the instants `[begins, ends)`, and since when the rolling averages count."""

    day: date
    begins: datetime
    ends: datetime
    rolling_from: datetime

    def holds(self, instant: Any) -> ColumnElement[bool]:
        """Whether an instant falls into the day."""
        return and_(instant >= _at(self.begins), instant < _at(self.ends))


def snapshot(period: Period, execution_id: str) -> Select[Any]:
    """The day's row: issues that existed when it ended, as they stand now, and what happened in it."""
    totals, speed = _totals(period).subquery("totals").c, _speed(period).subquery("speed").c
    extras = func.jsonb_build_object(
        "extras", func.jsonb_build_object(
            "resolved_30d", speed.rolling, "avg_response_h_30d", func.round(speed.rolling_response, 2),
            "avg_resolve_h_30d", func.round(speed.rolling_resolve, 2),
        ), type_=JSONB,
    )  # fmt: skip
    columns: dict[str, ColumnElement[Any]] = {
        "snapshot_date": literal(period.day, Date),
        **{name: totals[name] for name in ("total", *_NUMBERS, *KINDS)},
        "by_status": totals.by_status.concat(extras),
        "avg_response_h": func.round(speed.response, 2),
        "avg_resolve_h": func.round(speed.resolve, 2),
        "execution_id": cast(execution_id, snapshots.c.execution_id.type),
    }
    return select(*(column.label(name) for name, column in columns.items())).join_from(
        totals.total.table, speed.response.table, true()
    )


def written(row: Select[Any]) -> Executable:
    """Keep a `snapshot` row in place of another of its day; answers the day, nothing where the same row stands."""
    names = [str(column.key) for column in row.selected_columns]
    statement = insert(snapshots).from_select(names, row)
    computed = [name for name in names if name not in ("snapshot_date", "execution_id")]
    return statement.on_conflict_do_update(
        index_elements=["snapshot_date"],
        set_={name: statement.excluded[name] for name in (*computed, "execution_id")},
        where=or_(*(snapshots.c[name].is_distinct_from(statement.excluded[name]) for name in computed)),
    ).returning(snapshots.c.snapshot_date, snapshots.c.total)


def unjudgeable(period: Period) -> Select[Any]:
    """Issues solved on the day, but before they were raised: nobody can say how long that took."""
    error = func.concat("it was resolved at ", _i.resolved_at, ", and raised at ", _i.created_at)
    return select(literal("ISSUE").label("item_type"), _i.issue_no.label("item_key"), error.label("error")).where(
        period.holds(_i.resolved_at), _i.resolved_at < _i.created_at, _NOT_DELETED
    )


def _totals(period: Period) -> Select[Any]:
    """One row, from one pass over the issues: a group for all of them and one for each word of each kind."""
    holds = {
        "blocking": and_(unsolved, blocks),
        "overdue": and_(unsolved, _i.due_date < period.day),
        "new_count": period.holds(_i.created_at),
        "resolved_count": period.holds(_i.resolved_at),
        "closed_count": period.holds(_i.closed_at),
    }
    words = {name: column.label(name) for name, (column, _) in KINDS.items()}
    flags = (condition.label(name) for name, condition in holds.items())
    issue = select(*words.values(), *flags).where(_NOT_DELETED, _i.created_at < _at(period.ends)).subquery("issue").c
    kinds = [issue[name] for name in KINDS]
    group = select(
        func.grouping(*kinds).label("mask"), func.coalesce(*kinds).label("word"), func.count().label("total"),
        *(func.count().filter(issue[name]).label(name) for name in _NUMBERS),
    ).group_by(func.grouping_sets(tuple_(), *kinds)).subquery("counted").c  # fmt: skip
    everything = 2 ** len(KINDS) - 1  # grouping() sets a bit for each kind that a row does not tell apart
    of_all, whole = [], group.mask == everything
    for name in ("total", *_NUMBERS):
        of_all.append(func.max(group[name]).filter(whole).cast(Integer).label(name))
    of_kinds = []
    for number, (name, (_, known)) in enumerate(KINDS.items(), 1):
        found = func.jsonb_object_agg(group.word, group.total, type_=JSONB)
        counted = found.filter(group.mask == everything - 2 ** (len(KINDS) - number))
        none = literal(dict.fromkeys(known, 0), JSONB)
        of_kinds.append(none.concat(func.coalesce(counted, literal({}, JSONB))).label(name))
    columns: list[Any] = [*of_all, *of_kinds]
    return select(*columns)


def _speed(period: Period) -> Select[Any]:
    """One row: hours until somebody answered, and until it was solved, of the day and of the days before as well.

    What Belfry itself wrote down is no answer (D-52).
    """
    answered = (
        select(func.min(_f.created_at))
        .where(_f.issue_id == _i.id, _f.run_id.is_(None), _f.created_at >= _i.created_at)
        .scalar_subquery()
    )
    solved = select(
        period.holds(_i.resolved_at).label("today"), _hours(answered).label("response"),
        _hours(_i.resolved_at).label("resolve"),
    ).where(
        _NOT_DELETED, _i.resolved_at >= _at(period.rolling_from), _i.resolved_at < _at(period.ends),
        _i.resolved_at >= _i.created_at,
    ).subquery("solved").c  # fmt: skip
    return select(
        func.avg(solved.response).filter(solved.today).label("response"),
        func.avg(solved.resolve).filter(solved.today).label("resolve"),
        func.count(solved.today).label("rolling"), func.avg(solved.response).label("rolling_response"),
        func.avg(solved.resolve).label("rolling_resolve"),
    )  # fmt: skip


def _hours(until: Any) -> ColumnElement[Any]:
    return extract("epoch", until - _i.created_at) / literal(3600, Numeric)


def _at(instant: datetime) -> ColumnElement[Any]:
    return literal(instant, DateTime(timezone=True))
