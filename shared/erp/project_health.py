"""Which colour has each project now, what changed, and whom does that concern? (rulebook 6.1, jobs 1 and 6)"""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Numeric,
    Select,
    Text,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, array, insert

from shared.erp import ladders, tokens
from shared.erp.issues import blocks, unsolved
from shared.erp.project_figures import figures
from shared.erp.projects import kept
from shared.erp.side_tables import project_health, project_status_logs
from shared.erp.tables import issues, projects, users
from shared.rules.health import GREEN, GREY, RED, STATUS_COLOURS, YELLOW, Limits, Reason, reasons


def judged(known: Select[Any], limits: Limits) -> Select[Any]:
    """Figures with `old_health`, `new_health`, why (`reasons`, red first) and how many reasons are red and yellow."""
    asked = _asked(known, limits).subquery("asked").c
    colours = [asked.asks_status, *(asked[f"asks_{reason.code}"] for reason in reasons(limits))]
    worst = func.greatest(literal(GREEN, Text), *colours, type_=Text)
    listed = func.jsonb_build_array(
        _reason("STATUS", asked.asks_status, "value", asked.status),
        *(_told(reason, asked) for reason in reasons(limits)),
    )
    return select(
        *(c for c in asked if c.key != "health" and not str(c.key).startswith("asks_")),
        asked.health.label("old_health"),
        case((asked.health == GREY, literal(GREY, Text)), else_=worst).label("new_health"),
        func.jsonb_path_query_array(listed, cast("$[*] ? (@ != null)", JSONPATH), type_=JSONB).label("reasons"),
        func.num_nonnulls(*(func.nullif(c == RED, False) for c in colours), type_=Integer).label("red_reasons"),
        func.num_nonnulls(*(func.nullif(c == YELLOW, False) for c in colours), type_=Integer).label("yellow_reasons"),
    )


def _asked(known: Select[Any], limits: Limits) -> Select[Any]:
    """Figures with the colour that the status and each reason ask for, null for none."""
    f = known.subquery("figures").c
    status = case(*((f.status == status, literal(colour, Text)) for status, colour in STATUS_COLOURS.items()))
    colours = {reason.code: ladders.answer(reason.ladder, f[reason.figure]) for reason in reasons(limits)}
    return select(*f, status.label("asks_status"), *(colour.label(f"asks_{code}") for code, colour in colours.items()))


def _told(reason: Reason, asked: Any) -> ColumnElement[Any]:
    colour, sample = asked[f"asks_{reason.code}"], asked.get(f"{reason.figure}_sample")
    if sample is None:
        shown = asked[reason.shows]
        return _reason(reason.code, colour, "value", func.round(shown, 2) if isinstance(shown.type, Numeric) else shown)
    return _reason(reason.code, colour, "count", asked[reason.shows], "sample", sample)


def _reason(code: str, colour: Any, *said: Any) -> ColumnElement[Any]:
    return case((colour.is_not(None), func.jsonb_build_object("code", code, "health", colour, *said)))


def saved(scope: Select[Any], day: date, limits: Limits, now: datetime, execution_id: str) -> Select[Any]:
    """Judge the projects of `scope` and write what changed, in one statement: reasons, the colour in the ERP, its log.

    Answers one row: checked, updated (colour or reasons), coloured (colour). The log follows the ERP's row, so that two
    jobs which judge one project at once log its change once.
    """
    h, p = project_health, projects
    j = judged(figures(scope, day, with_kit_rate=limits.kit_rate_enabled), limits).cte("judged")
    mark = {"updated_at": literal(now, h.c.updated_at.type), "execution_id": cast(execution_id, h.c.execution_id.type)}
    differs = or_(h.c.project_id.is_(None), h.c.health != j.c.new_health, h.c.reasons != j.c.reasons)
    changed = (
        select(j.c.project_id, j.c.new_health, j.c.reasons, *mark.values())
        .outerjoin_from(j, h, h.c.project_id == j.c.project_id)
        .where(differs)
        .order_by(j.c.project_id)
    )
    stored = insert(h).from_select(["project_id", "health", "reasons", *mark], changed)
    written = (
        stored.on_conflict_do_update(
            index_elements=[h.c.project_id], set_={name: stored.excluded[name] for name in ("health", "reasons", *mark)}
        )
        .returning(h.c.project_id)
        .cte("written")
    )
    coloured = (
        update(p)
        .values(health=j.c.new_health)
        .where(p.c.id == j.c.project_id, p.c.health != j.c.new_health)
        .returning(p.c.id, p.c.status)
        .cte("coloured")
    )
    logged = (
        insert(project_status_logs)
        .from_select(
            [
                "project_id",
                "change_type",
                "old_health",
                "new_health",
                "old_status",
                "new_status",
                "reasons",
                "changed_at",
                "execution_id",
            ],
            select(
                j.c.project_id,
                literal("HEALTH_AUTO_CALCULATED"),
                j.c.old_health,
                j.c.new_health,
                coloured.c.status,
                coloured.c.status,
                j.c.reasons,
                *mark.values(),
            ).join_from(j, coloured, coloured.c.id == j.c.project_id),
        )
        .returning(project_status_logs.c.id)
        .cte("logged")
    )
    return select(
        *(
            select(func.count()).select_from(part).scalar_subquery().label(label)
            for part, label in ((j, "checked"), (written, "updated"), (coloured, "coloured"), (logged, "logged"))
        )
    )


def blocked() -> Select[Any]:
    """Violations of PROJECT_BLOCKED: projects that are red."""
    h, p = project_health.c, projects.c
    return (
        select(
            p.id.label("target_id"),
            p.project_code.label("target_no"),
            p.project_name.label("target_name"),
            p.id.label("project_id"),
            literal("CRITICAL", Text).label("level"),
            func.array_remove(array([tokens.user(p.pm_id)], type_=Text), None).label("recipients"),
            func.jsonb_build_object("manager", users.c.real_name, "reasons", h.reasons).label("facts"),
            cast(null(), Numeric).label("trigger_value"),
            cast(null(), Numeric).label("threshold_value"),
        )
        .join_from(projects, project_health, h.project_id == p.id)
        .outerjoin(users, users.c.id == p.pm_id)
        .where(kept, h.health == RED)
    )


def turned_yellow(now: datetime, zone: str) -> Select[Any]:
    """Messages to managers whose projects turned from green to yellow within a day and still are; one each a day."""
    h, p, log = project_health.c, projects.c, project_status_logs.c
    day = func.to_char(func.timezone(zone, log.changed_at), "YYYY-MM-DD")
    return (
        select(
            (
                literal("PROJECT_HEALTH_CHANGED|PROJECT|", Text) + func.concat_ws("|", p.id, day, tokens.user(p.pm_id))
            ).label("dedupe_key"),
            array([tokens.user(p.pm_id)], type_=Text).label("recipients"),
            literal("WARNING", Text).label("severity"),
            p.id.label("project_id"),
            func.jsonb_build_object(
                "target_no",
                p.project_code,
                "target_name",
                p.project_name,
                "old_health",
                GREEN,
                "new_health",
                YELLOW,
                "reasons",
                h.reasons,
            ).label("facts"),
        )
        .join_from(project_health, project_status_logs, log.project_id == h.project_id)
        .join(projects, p.id == h.project_id)
        .where(
            kept,
            h.health == YELLOW,
            h.updated_at > now - timedelta(days=1),
            p.pm_id.is_not(None),
            and_(
                log.old_health == GREEN,
                log.new_health == YELLOW,
                log.changed_at > now - timedelta(days=1),
                log.changed_at <= now,
            ),
        )
        .distinct()
    )


def concerned_by_blocking_issues() -> Select[Any]:
    """Kept projects that a blocking issue holds up now, or did when they were judged last."""
    now = select(issues.c.project_id).where(unsolved, blocks)
    before = select(project_health.c.project_id).where(project_health.c.reasons.contains([{"code": "ISSUE_BLOCKING"}]))
    ids = union(now, before).subquery()
    return select(projects.c.id.label("target_id")).where(kept, projects.c.id.in_(select(ids.c.project_id)))
