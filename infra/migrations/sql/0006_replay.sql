-- Replay: what an operator may ask of deliveries once more. What was sent stays sent; a copy of it is a new generation.

-- Which deliveries an operator can send on their way again. One that somebody looked at (p_one) goes even if it may have arrived.
create function belfry.redrivable(p_state text, p_reason text, p_one boolean) returns boolean language sql immutable as $$
  select p_state in ('queued', 'retry_wait')
      or p_state = 'dead' and (p_one or p_reason is distinct from 'uncertain')
      or p_state = 'uncertain' and p_one $$;

-- Queues those of them and announces them; the next sweep publishes. A dead one climbs the ladder from its beginning, and one that
-- somebody looked at gets a day's time. How many.
create function belfry.redrive_deliveries(p_ids bigint[], p_one boolean) returns int language plpgsql as $$
declare v_ids bigint[];
begin
  select coalesce(array_agg(id), '{}') into v_ids from (
    select d.id from belfry.notification_deliveries d
    where d.id = any(p_ids) and belfry.redrivable(d.state, d.reason, p_one) order by d.id for update) held;
  update belfry.notification_deliveries d set
    state = 'queued', reason = null, phase = 'none', next_attempt_at = belfry.clock(),
    failures = case when d.state = 'retry_wait' then d.failures else 0 end,
    not_after = case when p_one then greatest(d.not_after, belfry.clock() + interval '24 hours') else d.not_after end
  where d.id = any(v_ids) and d.state <> 'queued';
  perform belfry.announce_deliveries(v_ids);
  return cardinality(v_ids);
end $$;

-- One more copy of each of these that was sent, once: who is asked twice finds the newer generation and leaves it at that. The copy
-- belongs to no execution: an operator's word brought it about, and the audit log has it. How many.
create function belfry.resend_deliveries(p_ids bigint[]) returns int language plpgsql as $$
declare v_ids bigint[];
begin
  with copied as (
    insert into belfry.notification_deliveries (notification_id, user_id, channel, generation, state, target, priority, not_after)
    select d.notification_id, d.user_id, d.channel, d.generation + 1, 'queued', d.target, d.priority,
           greatest(d.not_after, belfry.clock() + interval '24 hours')
    from belfry.notification_deliveries d
    where d.id = any(p_ids) and d.state in ('sent', 'delivered') order by d.id
    on conflict (notification_id, user_id, channel, generation) do nothing
    returning id)
  select coalesce(array_agg(id), '{}') into v_ids from copied;
  perform belfry.announce_deliveries(v_ids);
  return cardinality(v_ids);
end $$;
