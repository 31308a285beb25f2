"""From notifications to rows that will be sent: who is told, on which channels, when (rulebook 5.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, TextClause, text

from shared.config import config
from shared.operator import restored
from shared.outbox import OutboxMessage


@dataclass(frozen=True)
class FanOut:
    """What one fan-out wrote: deliveries by state, notifications nobody was found for, and what is to be published."""

    deliveries: int
    queued: int
    deferred: int
    suppressed: int
    no_recipient: int
    outbox: Sequence[OutboxMessage]


def fan_out(db: Connection, execution_id: str, first: int) -> FanOut:
    """Turn the notifications that this transaction wrote for an execution, from the number `first` on, into deliveries
    and outbox messages: one statement (rulebook 5.1). They were written as `fanned_out`: to say so now would write each
    of them a second time."""
    return _told(db, _WRITTEN, execution=execution_id, first=first)


def fan_out_waiting(db: Connection) -> FanOut:
    """The same for every notification that still waits for it, whoever wrote it."""
    return _told(db, _WAITING)


def _told(db: Connection, statement: TextClause, **which: object) -> FanOut:
    row = db.execute(statement, {**which, "channels": config().channels}).one()
    outbox = [OutboxMessage(m["id"], m["topic"], m["attributes"], m["payload"]) for m in row.outbox]
    return FanOut(row.deliveries, row.queued, row.deferred, row.suppressed, row.no_recipient, outbox)


_COLUMNS = """id, alert_id, type, reason, severity, recipients, channels, project_id, not_before, not_after,
    execution_id"""
_FAN_OUT = """,
r as (
  select n.*, u.rule_type, coalesce(u.notify_channels, '{}') as rule_channels,
         coalesce(u.notify_roles, '{}') as rule_roles, coalesce(u.notify_user_ids, '{}') as rule_users
  from n
  left join belfry.alert_records a on a.id = n.alert_id
  left join belfry.alert_rules u on u.id = a.rule_id),
token as (
  select id, t as token from r cross join lateral unnest(recipients) t
  union select id, 'ROLE:' || t from r cross join lateral unnest(rule_roles) t where reason <> 'RESOLVED'
  union select id, 'USER:' || t from r cross join lateral unnest(rule_users) t where reason <> 'RESOLVED'),
named as (
  select t.id, u.id as user_id
  from token t join erp.users u on u.id = substr(t.token, 6)::bigint
  where t.token like 'USER:%' and u.is_active
  union
  select t.id, m.id
  from token t
  join erp.users u on u.id = substr(t.token, 5)::bigint
  left join erp.departments d on d.id = u.department_id
  join erp.users m on m.id = coalesce(u.manager_id, d.manager_user_id)
  where t.token like 'MGR:%' and m.is_active
  union
  select t.id, u.id
  from token t
  join erp.roles o on o.role_code = substr(t.token, 6) and o.is_active
  join erp.user_roles ur on ur.role_id = o.id
  join erp.users u on u.id = ur.user_id
  where t.token like 'ROLE:%' and u.is_active),
subscribed as (
  select r.id, s.user_id, s.channels
  from r
  join belfry.alert_subscriptions s
    on s.is_active and (s.rule_type is null or s.rule_type = r.rule_type)
   and (s.project_id is null or s.project_id = r.project_id)
   and belfry.level_rank(r.severity) >= belfry.level_rank(s.min_level)
  join erp.users u on u.id = s.user_id and u.is_active
  where r.alert_id is not null and r.reason <> 'RESOLVED'),
lonely as (
  select id from r
  where not exists (select from named x where x.id = r.id) and not exists (select from subscribed x where x.id = r.id)),
told as (
  select id, user_id, null::text[] as only_channels from named
  union all
  select s.id, s.user_id, s.channels from subscribed s
  where not exists (select from named x where x.id = s.id and x.user_id = s.user_id)
  union all
  select l.id, u.id, null
  from lonely l
  join erp.roles o on o.role_code = 'SYS_ADMIN'
  join erp.user_roles ur on ur.role_id = o.id
  join erp.users u on u.id = ur.user_id and u.is_active),
asked as (
  select r.*, t.user_id, c.channel, u.email, u.wechat_userid, u.phone,
         coalesce(s.system_enabled, true) as system_enabled, coalesce(s.email_enabled, true) as email_enabled,
         coalesce(s.wechat_enabled, true) as wechat_enabled, coalesce(s.sms_enabled, false) as sms_enabled,
         coalesce(s.min_level, 'INFO') as min_level, coalesce(s.critical_bypass, false) as critical_bypass,
         belfry.quiet_until(greatest(belfry.clock(), r.not_before), coalesce(s.time_zone, 'Asia/Shanghai'),
                            s.quiet_start, s.quiet_end) as quiet_until
  from r
  join told t on t.id = r.id
  join erp.users u on u.id = t.user_id
  left join belfry.notification_settings s on s.user_id = t.user_id
  cross join lateral (
    select distinct channel
    from unnest(coalesce(t.only_channels, case when r.alert_id is null then r.channels end,
      r.rule_channels || case belfry.level_rank(r.severity) when 4 then '{system,wechat,email,sms}'::text[]
        when 3 then '{system,wechat,email}' else '{system}' end)) as channel
    where r.channels is null or channel = any(r.channels)) c),
held as materialized (<held>),
judged as (
  select a.*,
    case channel when 'system' then a.user_id::text when 'email' then a.email when 'wechat' then a.wechat_userid
                 else a.phone end as target,
    case when channel <> all(cast(:channels as text[])) then 'channel_disabled'
         when channel = 'email' and a.email is null or channel = 'wechat' and a.wechat_userid is null
           or channel = 'sms' and a.phone is null then 'no_address'
         when channel = 'system' and not system_enabled and belfry.level_rank(severity) < 3
           or channel = 'email' and not email_enabled or channel = 'wechat' and not wechat_enabled
           or channel = 'sms' and not sms_enabled then 'preference'
         when belfry.level_rank(severity) < belfry.level_rank(min_level)
           and not (channel = 'system' and belfry.level_rank(severity) >= 3) then 'min_level'
         when channel <> 'system' and a.execution_id in (select id from held) then '<reason>'
    end as suppressed,
    greatest(a.not_before, case when severity = 'URGENT' or (critical_bypass and severity = 'CRITICAL') then null
                                else quiet_until end) as later
  from asked a),
written as (
  insert into belfry.notification_deliveries (notification_id, user_id, channel, state, reason, target, priority,
    next_attempt_at, not_after, execution_id)
  select id, user_id, channel,
         case when suppressed is not null then 'suppressed' when later > belfry.clock() then 'deferred'
              else 'queued' end,
         coalesce(suppressed, case when later > belfry.clock() then
           case when later is not distinct from not_before then 'not_before' else 'quiet_hours' end end),
         target, 4 - belfry.level_rank(severity),
         case when later > belfry.clock() then later else belfry.clock() end,
         case when later > belfry.clock() then greatest(not_after, later + interval '1 hour') else not_after end,
         execution_id
  from judged
  on conflict (notification_id, user_id, channel, generation) do nothing
  returning id, channel, state, execution_id),
boxed as (
  insert into belfry.outbox (topic, attributes, payload, execution_id)
  select 'notifications',
         jsonb_build_object('channel', channel) || belfry.now_attribute(),
         jsonb_build_object('v', 1, 'channel', channel, 'delivery_ids', jsonb_agg(id order by id),
                            'execution_id', execution_id), execution_id
  from (select *, (row_number() over (partition by channel, execution_id order by id) - 1) / 100 as batch
        from written where state = 'queued') q
  group by channel, execution_id, batch
  returning id, topic, attributes, payload)
select (select count(*) from written)::int as deliveries,
       (select count(*) from written where state = 'queued')::int as queued,
       (select count(*) from written where state = 'deferred')::int as deferred,
       (select count(*) from written where state = 'suppressed')::int as suppressed,
       (select count(*) from lonely)::int as no_recipient,
       coalesce((select jsonb_agg(jsonb_build_object('id', id, 'topic', topic, 'attributes', attributes,
                                                     'payload', payload)) from boxed), '[]') as outbox
""".replace("<held>", restored.HELD).replace("<reason>", restored.REASON)
_WRITTEN = text(f"""
with n as (
  select {_COLUMNS} from belfry.notifications where id >= :first and execution_id = cast(:execution as uuid))
{_FAN_OUT}""")  # noqa: S608  constants of this file
_WAITING = text(f"""
with n as (update belfry.notifications set fanned_out = true where not fanned_out returning {_COLUMNS})
{_FAN_OUT}""")  # noqa: S608
