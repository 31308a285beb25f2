"""Who was not told? Channels in trouble, as violations of NOTIFY_FAILED, and open alerts that nobody heard of."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Text, TextClause, column, select, text

from shared.alerting.statement import violation_columns


def failing_channels() -> Select[Any]:
    """Channels whose breaker is open, or over which somebody was not told of something within the last day.

    Untold is who got it on no channel at all, and from CRITICAL up whoever missed it on one (rulebook 5.3). An outage
    that opened the breaker twice in an hour, or that kept something CRITICAL from anybody, is CRITICAL.
    """
    found = text("""
        select cast(null as bigint) as target_id, c.channel as target_no, c.channel as target_name,
               cast(null as bigint) as project_id,
               case when c.opened_at is not null and c.last_opened_at - c.opened_before <= interval '1 hour'
                      or u.grave > 0 then 'CRITICAL' else 'WARNING' end as level,
               cast('{}' as text[]) as recipients,
               jsonb_build_object('channel', c.channel, 'down_since', c.opened_at, 'untold', u.untold,
                                  'error', case when c.opened_at is not null then c.last_error end) as facts,
               cast(u.untold as numeric) as trigger_value, cast(null as numeric) as threshold_value
        from belfry.channel_states c
        cross join lateral (
          select count(*)::int as untold, count(*) filter (where belfry.level_rank(n.severity) >= 3) as grave
          from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
          where d.channel = c.channel and d.state = 'dead' and d.next_attempt_at > belfry.clock() - interval '24 hours'
            and n.type <> 'NOTIFY_FAILED'
            and (belfry.level_rank(n.severity) >= 3
                 or not exists (select from belfry.notification_deliveries x
                                where x.notification_id = d.notification_id and x.user_id = d.user_id
                                  and x.state not in ('dead', 'suppressed', 'expired')))) u
        where c.opened_at is not null or u.untold > 0""")
    return select(found.columns(*violation_columns()).subquery("failing"))


def all_channels() -> Select[Any]:
    """Every channel: what the rule has judged."""
    known = text("select channel as target_no from belfry.channel_states").columns(column("target_no", Text))
    return select(known.subquery("known"))


def tell_forgotten() -> TextClause:
    """Write the notification of open alerts that have none, the oldest first (D-30).

    Parameters now, execution, limit; answers checked (open alerts), found (without notification) and told.
    """
    return text("""
        with open as (
          select a.*, r.rule_code from belfry.alert_records a join belfry.alert_rules r on r.id = a.rule_id
          where a.status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING') and r.is_enabled
            and (a.mute_until is null or a.mute_until <= cast(:now as timestamptz))),
        forgotten as (
          select * from open o where not exists (select from belfry.notifications n where n.alert_id = o.id)),
        told as (
          insert into belfry.notifications (dedupe_key, alert_id, type, reason, severity, recipients, facts, project_id,
                                            not_after, execution_id)
          select 'ALERT|' || id || '|NEW', id, rule_code, 'NEW', alert_level, recipients,
                 facts || jsonb_build_object('alert_no', alert_no, 'target_no', target_no, 'target_name', target_name,
                                             'level', alert_level),
                 project_id,
                 cast(:now as timestamptz) + case when belfry.level_rank(alert_level) >= 3 then interval '72 hours'
                                                  else interval '24 hours' end,
                 cast(:execution as uuid)
          from (select * from forgotten order by triggered_at, id limit :limit) f
          on conflict (dedupe_key) do nothing
          returning alert_id),
        events as (
          insert into belfry.alert_events (alert_id, event, execution_id, note, at)
          select alert_id, 'NOTIFIED', cast(:execution as uuid), 'had no notification', cast(:now as timestamptz)
          from told
          returning id)
        select (select count(*) from open)::int as checked, (select count(*) from forgotten)::int as found,
               (select count(*) from told)::int as told, (select count(*) from events)::int as events""")
