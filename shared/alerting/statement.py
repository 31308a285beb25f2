"""What does one scan of a rule write? One statement: raise, refresh, upgrade, resolve, expire, and what is told of it.

What violates the rule now is matched once with the rule's open alerts and with those that ended lately. The match is a
FULL JOIN on purpose: it can only be hashed or merged. A table that was empty when its statistics were taken and is
filled by this very statement would otherwise be read again for every row (50,000 alerts: seconds or hours).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnClause, Integer, Numeric, Select, Text, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

_OPEN = "('PENDING', 'ACKNOWLEDGED', 'PROCESSING')"
_VIOLATION: dict[str, TypeEngine[Any]] = {
    "target_id": BigInteger(),
    "target_no": Text(),
    "target_name": Text(),
    "project_id": BigInteger(),
    "level": Text(),
    "recipients": ARRAY(Text()),
    "facts": JSONB(),
    "trigger_value": Numeric(),
    "threshold_value": Numeric(),
}
_OPTIONAL = {"target_type", "discriminator"}


def violation_columns() -> list[ColumnClause[Any]]:
    """What a violation that is written as text must select, in this order."""
    return [column(name, kind) for name, kind in _VIOLATION.items()]


def scan(violations: Select[Any], scanned: Select[Any], present: Select[Any] | None) -> Any:
    """The statement; its parameters are rule, now, day and execution, its one row has the columns of COUNTS
    and `first_told`, the lowest number of the notifications written (None: none)."""
    names = {c.key for c in violations.selected_columns}
    if not names >= set(_VIOLATION) or names - set(_VIOLATION) - _OPTIONAL:
        raise TypeError(
            f"violations must select {sorted(_VIOLATION)} and may {sorted(_OPTIONAL)}: {sorted(map(str, names))}"
        )
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
        "held": _HELD,
        "lately": _LATELY,
        "matched": _MATCHED,
        "raised": _RAISED,
        "refreshed": _REFRESHED,
        "closed": _CLOSED.format(same=_same_target(scanned, "s"), gone=gone),
        "events": _EVENTS,
        "told": _TOLD,
        "mark": _MARK,
    }
    given = {"violation": violations, "scanned": scanned} | ({} if present is None else {"present": present})
    # Looked up by key per open alert: materialized, `present` would be read as a whole for each of them.
    ctes = [query.cte(name).prefix_with(*_INLINED.get(name, ())) for name, query in given.items()]
    ctes += [text(sql).columns().cte(name) for name, sql in steps.items()]
    counted = [column(name, Integer) for name in COUNTS]
    return text(_TOTAL).columns(*counted, column("first_told", BigInteger)).add_cte(*ctes)


def _same_target(targets: Select[Any], alias: str) -> str:
    names = {c.key for c in targets.selected_columns}
    key = "target_no" if "target_no" in names else "target_id"
    same_type = f" and {alias}.target_type = a.target_type" if "target_type" in names else ""
    return f"{alias}.{key} = a.{key}{same_type}"


_INLINED = {"scanned": ("NOT MATERIALIZED",), "present": ("NOT MATERIALIZED",)}
COUNTS = ("violations", "raised", "refreshed", "upgraded", "resolved", "expired", "told")

# What is said of every row is computed once.
_TICK = """select cast(:now as timestamptz) as now, cast(:execution as uuid) as execution, cast(:day as text) as day,
                  greatest(cast(:now as timestamptz), belfry.clock()) as told_at"""

_MARK = """update belfry.alert_rules x set last_scanned_at = t.now, last_execution_id = t.execution
           from rule r cross join tick t where x.id = r.id"""

# The rule's open alerts. An alert that a later tick has judged is left alone by an earlier one that comes late.
_HELD = f"""
    select a.dedupe_key, a.id as held_id, a.alert_level as held_level,
      coalesce(a.judged_at, a.triggered_at) <= t.now as ours,
      a.base_level as was_level, a.facts as was_facts, a.recipients as was_recipients, a.target_name as was_name,
      a.project_id as was_project_id, a.trigger_value as was_value, a.threshold_value as was_threshold
    from belfry.alert_records a join rule r on a.rule_id = r.id cross join tick t
    where a.status in {_OPEN}"""  # noqa: S608

# Alerts that closed themselves within a day, and muted ones.
_LATELY = """
    select x.dedupe_key, max(x.ended) as previous_id, max(x.muted) as muted_rank
    from (select a.dedupe_key, a.id as ended, null::int as muted
          from belfry.alert_records a join rule r on a.rule_id = r.id cross join tick t
          where a.status = 'RESOLVED' and a.resolved_by is null and a.resolved_at > t.now - interval '24 hours'
          union all
          select a.dedupe_key, null, belfry.level_rank(a.base_level)
          from belfry.alert_records a join rule r on a.rule_id = r.id cross join tick t
          where a.status = 'IGNORED' and a.mute_until > t.now) x
    group by x.dedupe_key"""

_MATCHED = """
    select * from found full join held using (dedupe_key) full join lately using (dedupe_key)
    where found.rule_id is not null or held.held_id is not null"""

_RAISED = f"""
    insert into belfry.alert_records (alert_no, rule_id, dedupe_key, target_type, target_id, target_no, target_name,
      project_id, base_level, alert_level, facts, recipients, trigger_value, threshold_value, triggered_at, judged_at,
      level_changed_at, previous_alert_id, execution_id)
    select 'AL-' || t.day || '-' || to_char(nextval('belfry.alert_no_seq'), 'FM999999999000000'), m.rule_id,
      m.dedupe_key, m.target_type, m.target_id, m.target_no, m.target_name, m.project_id, m.level, m.level, m.facts,
      m.recipients, m.trigger_value, m.threshold_value, t.now, t.now, t.now, m.previous_id, t.execution
    from matched m cross join tick t
    where m.held_id is null and (m.muted_rank is null or belfry.level_rank(m.level) > m.muted_rank)
    on conflict (dedupe_key) where status in {_OPEN} do nothing
    returning id, alert_no, target_no, target_name, project_id, alert_level, recipients, facts, previous_alert_id"""  # noqa: S608

_REFRESHED = """
    update belfry.alert_records a set base_level = c.level, facts = c.facts, recipients = c.recipients,
      target_name = c.target_name, project_id = c.project_id, trigger_value = c.trigger_value,
      threshold_value = c.threshold_value, alert_level = case when c.rises then c.level else a.alert_level end,
      level_changed_at = case when c.rises then c.now else a.level_changed_at end, judged_at = c.now,
      execution_id = c.execution, version = a.version + 1
    from (select m.*, t.now, t.execution, belfry.level_rank(m.level) > belfry.level_rank(m.held_level) as rises
          from matched m cross join tick t
          where m.rule_id is not null and m.ours
            and (m.was_level, m.was_facts, m.was_recipients, m.was_name, m.was_project_id, m.was_value, m.was_threshold)
                is distinct from
                (m.level, m.facts, m.recipients, m.target_name, m.project_id, m.trigger_value, m.threshold_value)) c
    where a.id = c.held_id
    returning a.id, a.alert_no, a.target_no, a.target_name, a.project_id, c.held_level as old_level, a.alert_level,
      a.recipients, a.facts, c.rises"""

_CLOSED = """
    update belfry.alert_records a set
      status = case when {gone} then 'EXPIRED' else 'RESOLVED' end, resolved_at = t.now, judged_at = t.now,
      handle_result = case when {gone} then 'the target does not exist any more' else 'AUTO' end,
      execution_id = t.execution, version = a.version + 1
    from matched m cross join tick t
    where a.id = m.held_id and m.rule_id is null and m.ours
      and ({gone} or exists (select from scanned s where {same}))
    returning a.id, a.alert_no, a.target_no, a.target_name, a.project_id, a.alert_level, a.facts, a.status,
      a.acknowledged_by"""

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
      project_id, not_after, execution_id, fanned_out)
    select 'ALERT|' || n.id || n.suffix, n.id, r.rule_code, n.reason, n.level, n.recipients, n.channels,
           n.facts || jsonb_build_object('alert_no', n.alert_no, 'target_no', n.target_no,
                                         'target_name', n.target_name, 'level', n.level),
           n.project_id,
           t.told_at + case when belfry.level_rank(n.level) >= 3 then interval '72 hours' else interval '24 hours' end,
           t.execution, true
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
    select (select count(*) from matched where rule_id is not null)::int as violations,
           (select count(*) from raised)::int as raised,
           (select count(*) from refreshed)::int as refreshed,
           (select count(*) from refreshed where rises)::int as upgraded,
           (select count(*) from closed where status = 'RESOLVED')::int as resolved,
           (select count(*) from closed where status = 'EXPIRED')::int as expired,
           (select count(*) from told)::int as told, (select min(id) from told) as first_told"""
