"""Which projects does somebody look after, and which dates of theirs contradict each other?"""

from typing import Any

from sqlalchemy import Select, case, func, literal, or_, select

from shared.erp.tables import projects

kept = projects.c.is_active & ~projects.c.is_archived


def kept_ids() -> Select[Any]:
    """Projects that are active and not archived, closed ones included."""
    return select(projects.c.id.label("target_id")).where(kept)


def contradictions() -> Select[Any]:
    """Projects whose plan cannot be measured, as data defects: they are judged without their progress variance."""
    p = projects.c
    error = func.concat_ws(
        "; ",
        _said(
            p.planned_end_date < p.planned_start_date,
            "planned end ",
            p.planned_end_date,
            " is before planned start ",
            p.planned_start_date,
        ),
        _said(or_(p.progress_pct < 0, p.progress_pct > 100), "progress is ", p.progress_pct, " percent"),
    )
    return select(literal("PROJECT").label("item_type"), p.project_code.label("item_key"), error.label("error")).where(
        kept, error != ""
    )


def _said(wrong: Any, *words: Any) -> Any:
    return case((wrong, func.concat(*words)))
