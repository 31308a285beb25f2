-- How a delivery moves: claimed, committed, sent, tried again, given up; and what the sweep takes back, releases, merges and announces.
-- Every move is conditional on (id, state, attempt): the attempt is the fence of a send, so a sender that was overtaken changes nothing.

insert into belfry.biz_config (key, value) values ('deliveries', '{"lease_s": 60, "chunk": 10, "ladder_s": [300, 900, 1800, 3600],
  "uncertain_wait_s": 900, "breaker_failures": 5, "breaker_open_s": 600, "announce_again_s": 120}');

create function belfry.delivery_policy(p_name text) returns jsonb language sql stable as
$$ select value -> p_name from belfry.biz_config where key = 'deliveries' $$;

create function belfry.delivery_seconds(p_name text) returns interval language sql stable as
$$ select make_interval(secs => (belfry.delivery_policy(p_name) #>> '{}')::numeric) $$;

alter table belfry.channel_states
  add column last_opened_at timestamptz,     -- stays when the breaker closes
  add column opened_before timestamptz;      -- the opening before that: twice in an hour is worse than once

create index deliveries_lately on belfry.notification_deliveries using brin (created_at);

-- ---------------------------------------------------------------- announcing
-- Writes "look now" for these queued deliveries: one message per channel and 100 of them. The next sweep publishes.
create function belfry.announce_deliveries(p_ids bigint[], p_execution uuid default null) returns int language sql as $$
  with q as (
    select id, channel, (row_number() over (partition by channel order by priority, id) - 1) / 100 as batch
    from belfry.notification_deliveries where id = any(p_ids) and state = 'queued'),
  boxed as (
    insert into belfry.outbox (topic, attributes, payload, execution_id, next_try_at)
    select 'notifications',
           jsonb_build_object('channel', channel) || case when current_setting('belfry.now', true) <> ''
             then jsonb_build_object('now', current_setting('belfry.now', true)) else '{}' end,
           jsonb_build_object('v', 1, 'channel', channel, 'delivery_ids', jsonb_agg(id order by id), 'execution_id', p_execution),
           p_execution, clock_timestamp()
    from q group by channel, batch
    returning id)
  select count(*)::int from boxed $$;

-- ---------------------------------------------------------------- may it be sent now?
-- What stands against sending each of these now: everything that may have changed since the fan-out is read again (D-33).
create function belfry.delivery_outlook(p_ids bigint[], p_channels text[])
returns table (id bigint, verdict text, reason text, until timestamptz, target text) language sql stable as $$
  select j.id,
         case when j.not_after <= belfry.clock() then 'expired' when j.suppressed is not null then 'suppressed'
              when j.later > belfry.clock() then 'deferred' else 'send' end,
         case when j.not_after <= belfry.clock() then 'not_after' when j.suppressed is not null then j.suppressed
              when j.later > belfry.clock() then case when j.later is not distinct from j.not_before then 'not_before' else 'quiet_hours' end end,
         j.later, j.target
  from (
    select d.id, d.not_after, n.not_before, t.target,
      case when d.channel <> all(p_channels) then 'channel_disabled'
           when n.reason <> 'RESOLVED' and a.status not in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING') then 'alert_closed'
           when u.id is null or not u.is_active then 'user_inactive'
           when t.target is null then 'no_address'
           when d.channel = 'system' and s.system_enabled is false and belfry.level_rank(n.severity) < 3
             or d.channel = 'email' and s.email_enabled is false or d.channel = 'wechat' and s.wechat_enabled is false
             or d.channel = 'sms' and s.sms_enabled is not true then 'preference'
           when belfry.level_rank(n.severity) < belfry.level_rank(s.min_level)
             and not (d.channel = 'system' and belfry.level_rank(n.severity) >= 3) then 'min_level'
      end as suppressed,
      greatest(n.not_before, case when n.severity = 'URGENT' or (s.critical_bypass and n.severity = 'CRITICAL') then null
                                  else belfry.quiet_until(belfry.clock(), coalesce(s.time_zone, 'Asia/Shanghai'), s.quiet_start, s.quiet_end) end) as later
    from belfry.notification_deliveries d
    join belfry.notifications n on n.id = d.notification_id
    left join belfry.alert_records a on a.id = n.alert_id
    left join erp.users u on u.id = d.user_id
    left join belfry.notification_settings s on s.user_id = d.user_id
    cross join lateral (select case d.channel when 'system' then u.id::text when 'email' then nullif(trim(u.email), '')
                                              when 'wechat' then u.wechat_userid else u.phone end as target) t
    where d.id = any(p_ids)) j $$;

-- Moves those of them that may not be sent now to where they belong; answers how many went where.
create function belfry.settle_deliveries(p_ids bigint[], p_channels text[])
returns table (suppressed int, deferred int, expired int) language sql as $$
  with held as (select id from belfry.notification_deliveries where id = any(p_ids) and state in ('queued', 'deferred', 'retry_wait')
                order by id for update skip locked),
  moved as (
    update belfry.notification_deliveries d set
      state = o.verdict, reason = o.reason, target = coalesce(o.target, d.target),
      next_attempt_at = case when o.verdict = 'deferred' then o.until else belfry.clock() end,
      not_after = case when o.verdict = 'deferred' then greatest(d.not_after, o.until + interval '1 hour') else d.not_after end
    from belfry.delivery_outlook(p_ids, p_channels) o
    where d.id = o.id and o.verdict <> 'send' and d.id in (select id from held)
    returning d.state)
  select (count(*) filter (where state = 'suppressed'))::int, (count(*) filter (where state = 'deferred'))::int,
         (count(*) filter (where state = 'expired'))::int from moved $$;

-- ---------------------------------------------------------------- the breaker of a channel
create function belfry.channel_succeeded(p_channel text, p_sent int) returns void language plpgsql as $$
declare was_open boolean;
begin
  select opened_at is not null into was_open from belfry.channel_states where channel = p_channel for update;
  update belfry.channel_states set consecutive_failures = 0, opened_at = null, open_until = null,
    success_count = success_count + p_sent, last_success_at = belfry.clock() where channel = p_channel;
  if was_open then                           -- the next sweep releases what waited
    update belfry.notification_deliveries set next_attempt_at = belfry.clock()
    where channel = p_channel and state = 'deferred' and reason = 'breaker' and next_attempt_at > belfry.clock();
  end if;
end $$;

-- One failure of the channel itself. It opens after some in a row, at once for what no retry can mend (p_hard), and again for a failed probe.
create function belfry.channel_failed(p_channel text, p_rows int, p_hard boolean, p_error text) returns void language sql as $$
  update belfry.channel_states set
    consecutive_failures = consecutive_failures + 1, failure_count = failure_count + p_rows,
    last_failure_at = belfry.clock(), last_error = p_error,
    opened_at = case when o.opens then coalesce(opened_at, belfry.clock()) else opened_at end,
    open_until = case when o.opens then belfry.clock() + belfry.delivery_seconds('breaker_open_s') else open_until end,
    opened_before = case when o.opens then last_opened_at else opened_before end,
    last_opened_at = case when o.opens then belfry.clock() else last_opened_at end
  from (select p_hard or opened_at is not null or consecutive_failures + 1 >= (belfry.delivery_policy('breaker_failures'))::int as opens
        from belfry.channel_states where channel = p_channel for update) o
  where channel = p_channel $$;

-- ---------------------------------------------------------------- claim, commit, mark
-- Takes back sends whose lease ran out (p_ids null: all): while connecting certainly nothing was sent, and no step of the ladder is
-- lost; after the point of no return nobody knows, so once more later, or dead when that was the second time (P7).
create function belfry.requeue_deliveries(p_ids bigint[] default null) returns table (id bigint, state text) language sql as $$
  update belfry.notification_deliveries d set
    state = case when d.phase = 'connecting' then 'queued' when d.uncertain_count = 0 then 'uncertain' else 'dead' end,
    reason = case when d.phase = 'connecting' then null else 'uncertain' end,
    error_code = 'lease_expired', last_error = 'the sender stopped before it knew the outcome', lease_until = null,
    next_attempt_at = belfry.clock() + case when d.phase = 'committing' and d.uncertain_count = 0
                                            then belfry.delivery_seconds('uncertain_wait_s') else interval '0' end,
    uncertain_count = d.uncertain_count + (d.phase <> 'connecting')::int,
    phase = case when d.phase = 'connecting' then 'none' else d.phase end
  where d.id in (select x.id from belfry.notification_deliveries x
                 where x.state = 'sending' and x.lease_until < clock_timestamp() and (p_ids is null or x.id = any(p_ids))
                 order by x.id for update skip locked)
  returning d.id, d.state $$;

-- Gives a sender the next few of these deliveries, with all that its message needs. An open breaker defers them; once its time is over
-- one of them goes through as the probe.
create function belfry.claim_deliveries(p_ids bigint[], p_channel text, p_channels text[])
returns table (id bigint, attempt int, generation int, target text, language text, time_zone text, type text, reason text, severity text,
               facts jsonb, alert_id bigint)
language plpgsql as $$
#variable_conflict use_column
declare
  v_limit int := (belfry.delivery_policy('chunk'))::int;
  v_until timestamptz;
begin
  perform belfry.requeue_deliveries(p_ids);
  perform belfry.settle_deliveries(array(select d.id from belfry.notification_deliveries d
    where d.id = any(p_ids) and d.channel = p_channel and (d.state = 'queued' or d.state = 'retry_wait' and d.next_attempt_at <= belfry.clock())), p_channels);

  select c.open_until into v_until from belfry.channel_states c where c.channel = p_channel and c.opened_at is not null;
  if v_until <= belfry.clock() and exists (select from belfry.notification_deliveries d where d.id = any(p_ids) and d.channel = p_channel
      and (d.state = 'queued' or d.state = 'retry_wait' and d.next_attempt_at <= belfry.clock())) then
    update belfry.channel_states c set open_until = belfry.clock() + belfry.delivery_seconds('breaker_open_s')
    where c.channel = p_channel and c.opened_at is not null and c.open_until <= belfry.clock();
    v_limit := case when found then 1 else 0 end;      -- two instances at once: one has the probe
    select c.open_until into v_until from belfry.channel_states c where c.channel = p_channel;
  elsif v_until is not null then
    v_limit := 0;
  end if;

  return query
    with mine as (
      select d.id from belfry.notification_deliveries d
      where d.id = any(p_ids) and d.channel = p_channel and (d.state = 'queued' or d.state = 'retry_wait' and d.next_attempt_at <= belfry.clock())
      order by d.priority, d.id limit v_limit for update skip locked),
    claimed as (
      update belfry.notification_deliveries d set state = 'sending', phase = 'connecting', attempt = d.attempt + 1, reason = null,
        lease_until = clock_timestamp() + belfry.delivery_seconds('lease_s'), target = o.target
      from mine m join belfry.delivery_outlook(p_ids, p_channels) o on o.id = m.id where d.id = m.id
      returning d.id, d.attempt, d.generation, d.target, d.user_id, d.notification_id, d.priority)
    select c.id, c.attempt, c.generation, c.target, coalesce(u.language, 'zh'), coalesce(u.time_zone, 'Asia/Shanghai'), n.type, n.reason,
           n.severity, case when r.id is null then '{}' else jsonb_build_object('rule_name', r.name ->> coalesce(u.language, 'zh')) end || n.facts,
           n.alert_id
    from claimed c join belfry.notifications n on n.id = c.notification_id left join erp.users u on u.id = c.user_id
    left join belfry.alert_rules r on r.rule_code = n.type
    order by c.priority, c.id;

  if v_until is not null then
    update belfry.notification_deliveries d set state = 'deferred', reason = 'breaker', next_attempt_at = v_until
    where d.id in (select x.id from belfry.notification_deliveries x
                   where x.id = any(p_ids) and x.channel = p_channel and (x.state = 'queued' or x.state = 'retry_wait' and x.next_attempt_at <= belfry.clock())
                   for update skip locked);
  end if;
end $$;

-- The last word before the point of no return; false: somebody else has this delivery, do not send.
create function belfry.delivery_committing(p_id bigint, p_attempt int) returns boolean language sql as $$
  with moved as (
    update belfry.notification_deliveries set phase = 'committing', lease_until = clock_timestamp() + belfry.delivery_seconds('lease_s')
    where id = p_id and attempt = p_attempt and state = 'sending' and phase = 'connecting' returning 1)
  select exists (select from moved) $$;

-- The provider took it. A sweep may have called it uncertain meanwhile: now it is known.
create function belfry.delivery_sent(p_id bigint, p_attempt int, p_message_id text) returns boolean language plpgsql as $$
declare v_channel text;
begin
  update belfry.notification_deliveries set state = 'sent', phase = 'accepted', lease_until = null, reason = null, sent_at = belfry.clock(),
    provider_message_id = p_message_id, error_code = null, last_error = null
  where id = p_id and attempt = p_attempt and state in ('sending', 'uncertain') returning channel into v_channel;
  if not found then return false; end if;
  perform belfry.channel_succeeded(v_channel, 1);
  return true;
end $$;

-- In-app: the message is the row, so it is sent in the transaction that looks at it (P6).
create function belfry.deliver_in_app(p_ids bigint[], p_channels text[]) returns int language plpgsql as $$
declare v_sent int;
begin
  perform belfry.settle_deliveries(array(select id from belfry.notification_deliveries
    where id = any(p_ids) and channel = 'system' and state in ('queued', 'retry_wait')), p_channels);
  update belfry.notification_deliveries set state = 'sent', phase = 'accepted', attempt = attempt + 1, reason = null, sent_at = belfry.clock()
  where id in (select id from belfry.notification_deliveries where id = any(p_ids) and channel = 'system' and state in ('queued', 'retry_wait')
               order by id for update skip locked);
  get diagnostics v_sent = row_count;
  if v_sent > 0 then perform belfry.channel_succeeded('system', v_sent); end if;
  return v_sent;
end $$;

-- A delivery is dead: who is told on no other channel gets the next one; from CRITICAL up every other one (rulebook 5.3).
create function belfry.offer_other_channels(p_ids bigint[], p_channels text[]) returns int language plpgsql as $$
declare v_ids bigint[];
begin
  with dead as (
    select d.*, n.severity, n.channels from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
    where d.id = any(p_ids) and d.state = 'dead'),
  open as (
    select d.*, c.channel as other, row_number() over (partition by d.id order by c.place) as place
    from dead d cross join unnest('{system,wechat,email,sms}'::text[]) with ordinality c (channel, place)
    left join belfry.notification_settings s on s.user_id = d.user_id join erp.users u on u.id = d.user_id and u.is_active
    where c.channel = any(p_channels) and (d.channels is null or c.channel = any(d.channels))
      and case c.channel when 'system' then coalesce(s.system_enabled, true) or belfry.level_rank(d.severity) >= 3
                         when 'wechat' then coalesce(s.wechat_enabled, true) and u.wechat_userid is not null
                         when 'email' then coalesce(s.email_enabled, true) and u.email is not null
                         else coalesce(s.sms_enabled, false) and u.phone is not null end
      and not exists (select from belfry.notification_deliveries x where x.notification_id = d.notification_id and x.user_id = d.user_id
                        and x.channel = c.channel and x.generation = d.generation)),
  written as (
    insert into belfry.notification_deliveries (notification_id, user_id, channel, generation, state, priority, not_after, execution_id)
    select o.notification_id, o.user_id, o.other, o.generation, 'queued', o.priority, o.not_after, o.execution_id from open o
    where belfry.level_rank(o.severity) >= 3
       or (o.place = 1 and not exists (select from belfry.notification_deliveries x where x.notification_id = o.notification_id
             and x.user_id = o.user_id and x.state in ('deferred', 'queued', 'sending', 'retry_wait', 'uncertain', 'sent', 'delivered')))
    on conflict (notification_id, user_id, channel, generation) do nothing
    returning id)
  select array_agg(id) into v_ids from written;
  if v_ids is null then return 0; end if;
  perform belfry.settle_deliveries(v_ids, p_channels);
  perform belfry.announce_deliveries(v_ids);
  return cardinality(v_ids);
end $$;

-- It was not taken. p_kind: transient (next step of the ladder, dead after the last), permanent (dead), config (the channel itself is
-- broken: its breaker opens and the delivery waits, no step lost), uncertain (once more later, dead the second time).
create function belfry.deliveries_failed(p_ids bigint[], p_attempts int[], p_kind text, p_code text, p_error text, p_channels text[])
returns int language plpgsql as $$
declare
  v_ladder jsonb := belfry.delivery_policy('ladder_s');
  v_channel text;
  v_dead bigint[];
  v_moved int;
begin
  with moved as (
    update belfry.notification_deliveries d set
      state = f.state, reason = case f.state when 'dead' then case when p_kind = 'transient' then 'ladder' else p_kind end when 'deferred' then 'breaker' end,
      lease_until = null, error_code = p_code, last_error = left(p_error, 2000),
      phase = case when p_kind = 'uncertain' then d.phase else 'none' end,
      failures = d.failures + (p_kind = 'transient')::int, uncertain_count = d.uncertain_count + (p_kind = 'uncertain')::int,
      next_attempt_at = belfry.clock() + case f.state
        when 'retry_wait' then make_interval(secs => (v_ladder ->> d.failures)::numeric)
        when 'uncertain' then belfry.delivery_seconds('uncertain_wait_s')
        when 'deferred' then belfry.delivery_seconds('breaker_open_s') else interval '0' end
    from (select x.id, case p_kind when 'permanent' then 'dead' when 'config' then 'deferred'
                                   when 'uncertain' then case when x.uncertain_count = 0 then 'uncertain' else 'dead' end
                                   else case when x.failures < jsonb_array_length(v_ladder) then 'retry_wait' else 'dead' end end as state
          from belfry.notification_deliveries x join unnest(p_ids, p_attempts) c (id, attempt) on c.id = x.id and c.attempt = x.attempt
          where x.state = 'sending' for update of x) f
    where d.id = f.id
    returning d.id, d.state, d.channel)
  select min(channel), coalesce(array_agg(id) filter (where state = 'dead'), '{}'), count(*) into v_channel, v_dead, v_moved from moved;
  if v_moved > 0 and p_kind <> 'permanent' then       -- a refused mailbox says nothing about the channel
    perform belfry.channel_failed(v_channel, v_moved, p_kind = 'config', left(p_error, 2000));
  elsif v_moved > 0 then
    update belfry.channel_states set failure_count = failure_count + v_moved, last_failure_at = belfry.clock(), last_error = left(p_error, 2000)
    where channel = v_channel;
  end if;
  perform belfry.offer_other_channels(v_dead, p_channels);
  return v_moved;
end $$;

-- ---------------------------------------------------------------- what the sweep does every minute
-- Whose time to be told is over.
create function belfry.expire_deliveries() returns int language sql as $$
  with gone as (
    update belfry.notification_deliveries set state = 'expired', reason = 'not_after'
    where id in (select id from belfry.notification_deliveries
                 where state in ('queued', 'deferred', 'retry_wait') and next_attempt_at <= belfry.clock() and not_after <= belfry.clock()
                 order by id for update skip locked)
    returning 1)
  select count(*)::int from gone $$;

-- Steps of the ladder that are due, uncertain ones whose wait is over (never an SMS: it costs money, a person decides), and queued ones
-- whose message was published long ago and taken by nobody: queued, and announced.
create function belfry.retry_deliveries(p_execution uuid) returns int language plpgsql as $$
declare v_ids bigint[];
begin
  with due as (
    update belfry.notification_deliveries set state = 'queued', next_attempt_at = belfry.clock()
    where id in (select d.id from belfry.notification_deliveries d
                 where d.state in ('retry_wait', 'uncertain') and d.next_attempt_at <= belfry.clock() and not (d.state = 'uncertain' and d.channel = 'sms')
                    or d.state = 'queued' and d.next_attempt_at <= belfry.clock() - belfry.delivery_seconds('announce_again_s')
                       and not exists (select from belfry.outbox o      -- while Pub/Sub is down, one message waiting is enough
                                       where o.published_at is null and o.created_at < clock_timestamp() - interval '30 seconds'
                                         and o.topic = 'notifications' and o.attributes ->> 'channel' = d.channel)
                 order by d.id for update of d skip locked)
    returning id)
  select array_agg(id) into v_ids from due;
  if v_ids is null then return 0; end if;
  perform belfry.announce_deliveries(v_ids, p_execution);
  return cardinality(v_ids);
end $$;

-- Deferred ones whose hour has come: judged again, merged into one digest where one person would get many small ones on one channel,
-- the rest queued and announced. Of a channel whose breaker is open one goes, as the probe, when the breaker's time is over.
create function belfry.release_deliveries(p_channels text[], p_digest_min int, p_execution uuid)
returns table (released int, digests int, digested int, suppressed int) language plpgsql as $$
#variable_conflict use_column
declare
  v_ids bigint[];
  v_left bigint[];
  v_digests bigint[];
begin
  select array_agg(id) into v_ids from (
    select d.id from belfry.notification_deliveries d join belfry.channel_states c using (channel)
    where d.state = 'deferred' and d.next_attempt_at <= belfry.clock() and not (d.reason = 'breaker' and c.opened_at is not null)
    order by d.id for update of d skip locked) due;
  v_ids := coalesce(v_ids, '{}') || array(
    select p.id from belfry.channel_states c cross join lateral (
      select d.id from belfry.notification_deliveries d
      where d.channel = c.channel and d.state = 'deferred' and d.reason = 'breaker' order by d.priority, d.id limit 1 for update skip locked) p
    where c.opened_at is not null and c.open_until <= belfry.clock());
  select x.suppressed into suppressed from belfry.settle_deliveries(v_ids, p_channels) x;
  v_left := array(select id from belfry.notification_deliveries where id = any(v_ids) and state = 'deferred'
                  and id not in (select o.id from belfry.delivery_outlook(v_ids, p_channels) o where o.verdict <> 'send'));

  with many as (
    select d.user_id, d.channel, array_agg(d.id order by belfry.level_rank(n.severity) desc, d.id) as ids,
           max(belfry.level_rank(n.severity)) as rank, min(d.id) as first, count(*)::int as n
    from belfry.notification_deliveries d join belfry.notifications n on n.id = d.notification_id
    where d.id = any(v_left) and belfry.level_rank(n.severity) <= 2 and n.reason <> 'DIGEST'
    group by d.user_id, d.channel having count(*) >= p_digest_min),
  digest as (
    insert into belfry.notifications (dedupe_key, type, reason, severity, recipients, channels, facts, not_after, execution_id, fanned_out)
    select 'DIGEST|' || m.user_id || '|' || m.channel || '|' || m.first, 'DIGEST', 'DIGEST',
           (array['INFO', 'WARNING'])[m.rank], array['USER:' || m.user_id], array[m.channel],
           jsonb_build_object('level', (array['INFO', 'WARNING'])[m.rank], 'count', m.n, 'items', (
             select jsonb_agg(jsonb_build_object('type', n.type, 'reason', n.reason, 'level', n.severity, 'alert_id', n.alert_id, 'facts', n.facts)
                              order by i.place)
             from unnest(m.ids[1:100]) with ordinality i (id, place) join belfry.notification_deliveries d on d.id = i.id
             join belfry.notifications n on n.id = d.notification_id)),
           belfry.clock() + interval '24 hours', p_execution, true
    from many m
    on conflict (dedupe_key) do nothing
    returning id, recipients, channels),
  sent as (
    insert into belfry.notification_deliveries (notification_id, user_id, channel, state, priority, not_after, execution_id)
    select g.id, substr(g.recipients[1], 6)::bigint, g.channels[1], 'queued', 3, belfry.clock() + interval '24 hours', p_execution from digest g
    returning id),
  merged as (
    update belfry.notification_deliveries d set state = 'suppressed', reason = 'digest' from many m where d.id = any(m.ids) returning d.id)
  select (select coalesce(array_agg(id), '{}') from sent), (select count(*)::int from merged) into v_digests, digested;

  with freed as (
    update belfry.notification_deliveries set state = 'queued', reason = null, next_attempt_at = belfry.clock()
    where id = any(v_left) and state = 'deferred' returning id)
  select coalesce(array_agg(id), '{}') into v_left from freed;
  perform belfry.announce_deliveries(v_left || v_digests, p_execution);
  released := cardinality(v_left);
  digests := cardinality(v_digests);
  suppressed := coalesce(suppressed, 0);
  return next;
end $$;

-- Hands out unpublished messages, oldest first; a publisher that dies loses them to the next sweep after half a minute (P4).
create function belfry.take_outbox(p_limit int) returns setof belfry.outbox language sql as $$
  update belfry.outbox set tries = tries + 1, next_try_at = clock_timestamp() + interval '30 seconds'
  where id in (select id from belfry.outbox where published_at is null and next_try_at <= clock_timestamp()
               order by next_try_at limit p_limit for update skip locked)
  returning * $$;

-- ---------------------------------------------------------------- working time
-- The latest instant since which p_hours of working time have gone by until p_at (rulebook 6.8). What counts: the hours of
-- biz_config.working_hours on days that biz_calendar calls workdays, in the job's zone.
create function belfry.working_time_ago(p_at timestamptz, p_hours numeric, p_zone text) returns timestamptz language sql stable as $$
  with hours as (select (value ->> 'start')::time as opens, (value ->> 'end')::time as closes from belfry.biz_config where key = 'working_hours'),
  windows as (
    select (d::date + h.opens) at time zone p_zone as opens, least((d::date + h.closes) at time zone p_zone, p_at) as closes
    from hours h
    cross join generate_series((p_at at time zone p_zone)::date,
                               (p_at at time zone p_zone)::date - 30 - 3 * ceil(p_hours * 3600 / extract(epoch from h.closes - h.opens))::int,
                               interval '-1 day') d
    where belfry.is_workday(d::date) and (d::date + h.opens) at time zone p_zone < p_at),
  counted as (select *, sum(closes - opens) over (order by opens desc) as total from windows)
  select opens + (total - make_interval(secs => p_hours * 3600)) from counted
  where total >= make_interval(secs => p_hours * 3600) order by opens desc limit 1 $$;

-- The first active person that a list of recipients means: who handles an alert that nobody took yet (rulebook 3.5).
create function belfry.first_person(p_tokens text[]) returns bigint language sql stable as $$
  select u.id
  from unnest(p_tokens) with ordinality t (token, place)
  left join erp.users x on x.id = case when t.token like 'USER:%' then substr(t.token, 6)::bigint when t.token like 'MGR:%' then substr(t.token, 5)::bigint end
  left join erp.departments d on d.id = x.department_id
  left join erp.roles r on t.token like 'ROLE:%' and r.role_code = substr(t.token, 6) and r.is_active
  left join erp.user_roles ur on ur.role_id = r.id
  join erp.users u on u.is_active and u.id = case when t.token like 'USER:%' then x.id when t.token like 'MGR:%' then coalesce(x.manager_id, d.manager_user_id)
                                                  else ur.user_id end
  order by t.place, u.id limit 1 $$;
