"""Raise the alerts that nobody handled in time by one level and tell the next people up: one statement for all."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, text


def escalate(db: Connection, **asked: Any) -> Row[Any]:
    """Escalate what is due; answers checked, escalated, repeated, told (notifications) and the lowest number of
    those, first_told.

    `asked`: now, day (the business day), zone, execution and the params of check_alert_escalation. The ladder itself is
    the rule of shared/rules/escalation.py; the limits in working hours are turned into instants once, not per alert.
    """
    return db.execute(_ESCALATE, asked).one()


_ESCALATE = text("""
with limits as materialized (
  select l.step, f.status,
         case when l.working then belfry.working_time_ago(cast(:now as timestamptz), l.hours * f.factor, :zone)
              else cast(:now as timestamptz) - make_interval(hours => l.hours * f.factor) end as since
  from (values ('INFO', cast(:info_hours as int), true), ('WARNING', cast(:warning_hours as int), true),
               ('CRITICAL', cast(:critical_hours as int), false), ('URGENT', cast(:urgent_hours as int), false),
               ('AGAIN', cast(:urgent_repeat_hours as int), false)) l (step, hours, working)
  cross join (values ('PENDING', 1), ('ACKNOWLEDGED', cast(:acknowledged_factor as int)),
                     ('PROCESSING', cast(:processing_factor as int))) f (status, factor)),
due as materialized (
  select a.*, r.rule_code, a.alert_level as from_level, belfry.shift_level(a.alert_level, 1) as to_level, c.again,
         a.recipients || array(select 'USER:' || u from unnest(r.notify_user_ids) u)
                      || array(select 'ROLE:' || o from unnest(r.notify_roles) o) as everybody
  from belfry.alert_records a
  join belfry.alert_rules r on r.id = a.rule_id and r.is_enabled and r.escalates
  cross join lateral (
    select greatest(a.level_changed_at, case a.status when 'ACKNOWLEDGED' then a.acknowledged_at
                                                      when 'PROCESSING' then a.handle_start_at end,
                    case when a.alert_level = 'URGENT' then a.escalated_at end) as clock,
           a.alert_level = 'URGENT' and coalesce(a.escalated_at > a.level_changed_at, false) as again) c
  join limits l on l.status = a.status and l.step = case when c.again then 'AGAIN' else a.alert_level end
  where a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING')
    and (a.mute_until is null or a.mute_until <= cast(:now as timestamptz)) and c.clock <= l.since
    and (a.alert_level <> 'URGENT' or cast(:urgent_repeats_per_day as int) > (
      select count(*) from belfry.alert_events e
      where e.alert_id = a.id and e.event = 'ESCALATED' and e.from_level = 'URGENT'
        and (e.at at time zone :zone)::date = cast(:day as date)))
  for update of a),
told as (
  select d.*, array_remove(
      case when h.id is null then d.everybody else array['USER:' || h.id] end
      || case when belfry.level_rank(d.to_level) >= 3
              then array[coalesce('USER:' || m.id, 'ROLE:GM'), 'USER:' || p.pm_id] else '{}' end
      || case when d.to_level = 'URGENT' then array['ROLE:PMO', 'USER:' || b.id] else '{}' end
      || case when d.from_level = 'URGENT' then array['ROLE:GM'] else '{}' end, null) as tokens,
    case belfry.level_rank(d.to_level) when 2 then h.id when 3 then coalesce(m.id, h.id)
                                       else coalesce(b.id, m.id, h.id) end as escalated_to_now
  from due d
  left join erp.users h on h.id = coalesce((select id from erp.users where id = d.handler_id and is_active),
                                           belfry.first_person(d.everybody))
  left join erp.departments t on t.id = h.department_id
  left join erp.users m on m.id = coalesce(h.manager_id, t.manager_user_id) and m.is_active
  left join erp.users b on b.id = t.manager_user_id and b.is_active
  left join erp.projects p on p.id = d.project_id),
moved as (
  update belfry.alert_records a set alert_level = t.to_level, escalation_count = a.escalation_count + 1,
    level_changed_at = case when t.from_level = t.to_level then a.level_changed_at else cast(:now as timestamptz) end,
    escalated_at = cast(:now as timestamptz), escalated_to = t.escalated_to_now,
    execution_id = cast(:execution as uuid), version = a.version + 1
  from told t where a.id = t.id
  returning a.id, t.rule_code, a.alert_no, a.target_no, a.target_name, a.project_id, a.facts, a.escalation_count,
    a.level_changed_at, t.from_level, t.to_level, t.tokens),
events as (
  insert into belfry.alert_events (alert_id, event, from_level, to_level, execution_id, at)
  select id, 'ESCALATED', from_level, to_level, cast(:execution as uuid), cast(:now as timestamptz) from moved
  returning id),
written as (
  insert into belfry.notifications (dedupe_key, alert_id, type, reason, severity, recipients, facts, project_id,
                                    not_after, execution_id, fanned_out)
  select 'ALERT|' || id || '|ESCALATED|' || escalation_count, id, rule_code, 'ESCALATED', to_level, tokens,
         facts || jsonb_build_object(
           'alert_no', alert_no, 'target_no', target_no, 'target_name', target_name, 'level', to_level,
           'escalation', jsonb_build_object('from', from_level, 'to', to_level, 'count', escalation_count,
                                            'since', level_changed_at)),
         project_id,
         cast(:now as timestamptz) + case when belfry.level_rank(to_level) >= 3 then interval '72 hours'
                                          else interval '24 hours' end,
         cast(:execution as uuid), true
  from moved
  on conflict (dedupe_key) do nothing
  returning id)
select (select count(*) from belfry.alert_records
        where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING'))::int as checked,
       (select count(*) from moved where from_level <> to_level)::int as escalated,
       (select count(*) from moved where from_level = to_level)::int as repeated,
       (select count(*) from written)::int as told, (select min(id) from written) as first_told,
       (select count(*) from events)::int as events""")
