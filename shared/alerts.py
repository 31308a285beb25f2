"""Raise, refresh, upgrade and resolve the alerts of one rule, in one statement whose cost does not depend on rows
found before.

A job says which targets violate its rule now (`violations`) and which it could judge (`scanned`). Everything else
follows from the
open alerts in the table: one open alert per rule and target (a unique index, rulebook 3.4), unchanged alerts are not
written, alerts
of targets that are well again close themselves, targets that were not judged are left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Integer, Select, Text, column, func, text
from sqlalchemy.sql.elements import ColumnElement

if TYPE_CHECKING:
    from shared.run import Run

OPEN = ("PENDING", "ACKNOWLEDGED", "PROCESSING")
_OPEN = "('PENDING', 'ACKNOWLEDGED', 'PROCESSING')"
_REQUIRED = {
    "target_id",
    "target_no",
    "target_name",
    "project_id",
    "level",
    "recipients",
    "facts",
    "trigger_value",
    "threshold_value",
}
_OPTIONAL = {"target_type", "discriminator"}


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
    statement = _statement(violations, scanned, present)
    row = run.db.execute(
        statement,
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
        run.wants_fan_out()


def _statement(violations: Select[Any], scanned: Select[Any], present: Select[Any] | None) -> Any:
    names = {c.key for c in violations.selected_columns}
    if not names >= _REQUIRED or names - _REQUIRED - _OPTIONAL:
        raise TypeError(
            f"violations must select {sorted(_REQUIRED)} and may {sorted(_OPTIONAL)}: {sorted(map(str, names))}"
        )
    same = _same_target(scanned, "s")
    target_type = "coalesce(v.target_type, r.target_type)" if "target_type" in names else "r.target_type"
    suffix = "coalesce('|' || v.discriminator, '')" if "discriminator" in names else "''"
    found = f"""
        select r.id as rule_id, {target_type} as target_type, v.target_id, v.target_no, v.target_name, v.project_id,
               v.level, coalesce(array_remove(v.recipients, null), '{{}}') as recipients, v.facts,
               v.trigger_value, v.threshold_value, r.rule_code || '|' || {target_type} || '|'
                 || coalesce(v.target_id::text, v.target_no) || {suffix} as dedupe_key
        from violation v cross join rule r"""  # noqa: S608  names from a fixed table, no values
    gone = "false" if present is None else f"not exists (select from present p where {_same_target(present, 'p')})"
    steps = {
        "rule": "select * from belfry.alert_rules where is_enabled and rule_code = cast(:rule as text)",
        "tick": _TICK,
        "found": found,
        "raised": _RAISED,
        "refreshed": _REFRESHED,
        "closed": _CLOSED.format(same=same, gone=gone),
        "events": _EVENTS,
        "told": _TOLD,
        "mark": _MARK,
    }
    given = {"violation": violations, "scanned": scanned} | ({} if present is None else {"present": present})
    # Looked up by key per open alert: materialized, `present` would be read as a whole for each of them.
    ctes = [query.cte(name).prefix_with(*_INLINED.get(name, ())) for name, query in given.items()]
    ctes += [text(sql).columns().cte(name) for name, sql in steps.items()]
    return text(_TOTAL).columns(*(column(name, Integer) for name in _COUNTS)).add_cte(*ctes)


def _same_target(targets: Select[Any], alias: str) -> str:
    names = {c.key for c in targets.selected_columns}
    key = "target_no" if "target_no" in names else "target_id"
    same_type = f" and {alias}.target_type = a.target_type" if "target_type" in names else ""
    return f"{alias}.{key} = a.{key}{same_type}"


_INLINED = {"scanned": ("NOT MATERIALIZED",), "present": ("NOT MATERIALIZED",)}
_COUNTS = ("violations", "raised", "refreshed", "upgraded", "resolved", "expired", "told")

_TICK = "select cast(:now as timestamptz) as now, cast(:execution as uuid) as execution, cast(:day as text) as day"

_MARK = """update belfry.alert_rules x set last_scanned_at = t.now, last_execution_id = t.execution
           from rule r cross join tick t where x.id = r.id"""

_RAISED = f"""
    insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, target_no, target_name,
      project_id, base_level, alert_level, facts, recipients, trigger_value, threshold_value, triggered_at, judged_at,
      level_changed_at, previous_alert_id, execution_id)
    select 'AL-' || t.day || '-' || lpad(nextval('belfry.alert_no_seq')::text, 6, '0'), f.rule_id, f.dedupe_key,
      f.target_type, f.target_id, f.target_no, f.target_name, f.project_id, f.level, f.level, f.facts, f.recipients,
      f.trigger_value, f.threshold_value, t.now, t.now, t.now,
      (select a.id from belfry.alert_records a
       where a.dedupe_key = f.dedupe_key and a.status = 'RESOLVED' and a.resolved_by is null
         and a.resolved_at > t.now - interval '24 hours' order by a.id desc limit 1),
      t.execution
    from found f cross join tick t
    where not exists (select from belfry.alert_records a where a.dedupe_key = f.dedupe_key and a.status in {_OPEN})
      and not exists (select from belfry.alert_records a
                      where a.dedupe_key = f.dedupe_key and a.status = 'IGNORED' and a.mute_until > t.now
                        and belfry.level_rank(f.level) <= belfry.level_rank(a.base_level))
    on conflict (dedupe_key) where status in {_OPEN} do nothing
    returning id, alert_no, target_no, target_name, project_id, alert_level, recipients, facts, previous_alert_id"""  # noqa: S608

# An alert that a later tick has judged is left alone by an earlier one that comes late.
_REFRESHED = f"""
    update belfry.alert_records a set base_level = c.level, facts = c.facts, recipients = c.recipients,
      target_name = c.target_name, project_id = c.project_id, trigger_value = c.trigger_value,
      threshold_value = c.threshold_value, alert_level = case when c.rises then c.level else a.alert_level end,
      level_changed_at = case when c.rises then c.now else a.level_changed_at end, judged_at = c.now,
      execution_id = c.execution, version = a.version + 1
    from (select f.*, t.now, t.execution, o.id, o.alert_level as old_level,
                 belfry.level_rank(f.level) > belfry.level_rank(o.alert_level) as rises
          from found f cross join tick t
          join belfry.alert_records o on o.dedupe_key = f.dedupe_key and o.status in {_OPEN}
          where coalesce(o.judged_at, o.triggered_at) <= t.now
            and (o.base_level, o.facts, o.recipients, o.target_name, o.project_id, o.trigger_value, o.threshold_value)
                is distinct from
                (f.level, f.facts, f.recipients, f.target_name, f.project_id, f.trigger_value, f.threshold_value)) c
    where a.id = c.id
    returning a.id, a.alert_no, a.target_no, a.target_name, a.project_id, c.old_level, a.alert_level, a.recipients,
      a.facts, c.rises"""  # noqa: S608

_CLOSED = f"""
    update belfry.alert_records a set
      status = case when {{gone}} then 'EXPIRED' else 'RESOLVED' end, resolved_at = t.now, judged_at = t.now,
      handle_result = case when {{gone}} then 'the target does not exist any more' else 'AUTO' end,
      execution_id = t.execution, version = a.version + 1
    from rule r cross join tick t
    where a.rule_id = r.id and a.status in {_OPEN} and coalesce(a.judged_at, a.triggered_at) <= t.now
      and not exists (select from found f where f.dedupe_key = a.dedupe_key)
      and ({{gone}} or exists (select from scanned s where {{same}}))
    returning a.id, a.alert_no, a.target_no, a.target_name, a.project_id, a.alert_level, a.facts, a.status,
      a.acknowledged_by"""  # noqa: S608

_EVENTS = """
    insert into belfry.alert_events (alert_id, event, from_level, to_level, from_status, to_status, execution_id, at)
    select e.id, e.event, e.from_level, e.to_level, e.from_status, e.to_status, t.execution, t.now
    from tick t cross join (
      select id, 'CREATED' as event, null as from_level, alert_level as to_level, null as from_status,
             'PENDING' as to_status from raised
      union all
      select id, 'UPGRADED', old_level, alert_level, null, null from refreshed where rises
      union all
      select id, case status when 'EXPIRED' then 'EXPIRED' else 'AUTO_RESOLVED' end, null, alert_level, null, status
      from closed) e
    returning id"""

# An alert that comes back within a day of its end only reaches the inbox (flapping); its end is told to who took it.
_TOLD = """
    insert into belfry.notifications (dedupe_key, alert_id, type, reason, severity, recipients, channels, facts,
      project_id, not_after, execution_id)
    select 'ALERT|' || n.id || n.suffix, n.id, r.rule_code, n.reason, n.level, n.recipients, n.channels,
           n.facts || jsonb_build_object('alert_no', n.alert_no, 'target_no', n.target_no,
                                         'target_name', n.target_name, 'level', n.level),
           n.project_id,
           greatest(t.now, belfry.clock())
             + make_interval(hours => case when belfry.level_rank(n.level) >= 3 then 72 else 24 end),
           t.execution
    from rule r cross join tick t cross join (
      select id, '|NEW' as suffix, 'NEW' as reason, alert_level as level, recipients,
             case when previous_alert_id is not null then '{system}'::text[] end as channels,
             facts, alert_no, target_no, target_name, project_id
      from raised
      union all
      select id, '|UPGRADED|' || alert_level, 'UPGRADED', alert_level, recipients, null,
             facts, alert_no, target_no, target_name, project_id
      from refreshed where rises
      union all
      select id, '|RESOLVED', 'RESOLVED', 'INFO', array['USER:' || acknowledged_by], '{system}',
             facts, alert_no, target_no, target_name, project_id
      from closed where status = 'RESOLVED' and acknowledged_by is not null) n
    on conflict (dedupe_key) do nothing
    returning id"""

_TOTAL = """
    select (select count(*) from found)::int as violations, (select count(*) from raised)::int as raised,
           (select count(*) from refreshed)::int as refreshed,
           (select count(*) from refreshed where rises)::int as upgraded,
           (select count(*) from closed where status = 'RESOLVED')::int as resolved,
           (select count(*) from closed where status = 'EXPIRED')::int as expired,
           (select count(*) from told)::int as told"""
