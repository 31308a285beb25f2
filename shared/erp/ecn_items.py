"""Which parts of an engineering change wait, can be judged, still concern somebody? (rulebook job 27)"""

from typing import Any

from sqlalchemy import ColumnElement, Select, Table, Text, and_, func, literal, literal_column, select, union_all

from shared.erp.live import in_live_project
from shared.erp.tables import ecn_approvals, ecn_evaluations, ecn_tasks, ecns, projects

ENDED = ("COMPLETED", "CLOSED", "CANCELLED", "REJECTED")
running = and_(ecns.c.status.not_in(ENDED), in_live_project())
_TIMED = {"ECN_EVALUATION": ecn_evaluations, "ECN_APPROVAL": ecn_approvals}
_PARTS = {**_TIMED, "ECN_TASK": ecn_tasks}


def waits(part: Table) -> ColumnElement[bool]:
    """Whether a row is still to be done; written as literals, so that the planner can prove the partial indexes."""
    words = ("PENDING", "IN_PROGRESS") if part is ecn_tasks else ("PENDING",)
    return part.c.status.in_([literal_column(f"'{word}'") for word in words])


def is_broken(part: Table) -> ColumnElement[bool]:
    """Due before it began: nobody can say when that is."""
    return func.coalesce(part.c.due_at < part.c.created_at, False)


def judged() -> Select[Any]:
    """Every evaluation, approval and task, whatever has become of it, but those whose times contradict each other."""
    parts = [_ids(kind, part).where(~is_broken(part)) for kind, part in _TIMED.items()]
    return _all(*parts, _ids("ECN_TASK", ecn_tasks))


def present() -> Select[Any]:
    """Those that still concern somebody: of changes without a project, or of one that somebody works on."""
    return _all(*(_of_changes(_ids(kind, part), part).where(in_live_project()) for kind, part in _PARTS.items()))


def unjudgeable() -> Select[Any]:
    """Evaluations and approvals that wait and were due before they began."""
    return _all(*(_broken(kind, part) for kind, part in _TIMED.items()))


def counted() -> Select[Any]:
    """How many evaluations, approvals and tasks wait (`waiting`), and tasks nobody planned an end for (`undated`)."""
    undated = {part: literal(False) for part in _TIMED.values()} | {ecn_tasks: ecn_tasks.c.planned_end.is_(None)}
    w = _all(*(
        _of_changes(select(condition.label("undated")), part).where(running, waits(part))
        for part, condition in undated.items()
    )).subquery("waiting").c  # fmt: skip
    numbers: tuple[Any, ...] = (func.count().label("waiting"), func.count().filter(w.undated).label("undated"))
    return select(*numbers)


def _broken(kind: str, part: Table) -> Select[Any]:
    columns: tuple[Any, ...] = (
        literal(kind, Text).label("item_type"), func.concat(ecns.c.ecn_no, "/", part.c.id).label("item_key"),
        func.concat("it is due at ", part.c.due_at, ", and began at ", part.c.created_at).label("error"),
    )  # fmt: skip
    return _of_changes(select(*columns), part).where(running, waits(part), is_broken(part))


def _ids(kind: str, part: Table) -> Select[Any]:
    columns: tuple[Any, ...] = (literal(kind, Text).label("target_type"), part.c.id.label("target_id"))
    return select(*columns)


def _of_changes(query: Select[Any], part: Table) -> Select[Any]:
    return query.join_from(part, ecns, ecns.c.id == part.c.ecn_id).outerjoin(
        projects, projects.c.id == ecns.c.project_id
    )


def _all(*parts: Select[Any]) -> Select[Any]:
    return select(*union_all(*parts).subquery("parts").c)
