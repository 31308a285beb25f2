-- A kick that its function refuses is a failed attempt: what waited may end without having begun.
create or replace function belfry.refuse_illegal_move() returns trigger language plpgsql as $$
begin
  if old.state = new.state then
    if new.fence < old.fence then
      raise exception 'execution % may not go back from fence % to %', old.id, old.fence, new.fence using errcode = 'check_violation';
    end if;
    if old.state in ('succeeded', 'partial', 'failed', 'lost', 'missed', 'skipped', 'cancelled') and new is distinct from old then
      raise exception 'execution % is % and may not change', old.id, old.state using errcode = 'check_violation';
    end if;
    return new;
  end if;
  if not (old.state, new.state) in (
      ('waiting', 'pending'), ('waiting', 'running'), ('waiting', 'skipped'), ('waiting', 'cancelled'), ('waiting', 'failed'),
      ('pending', 'running'), ('pending', 'skipped'), ('pending', 'cancelled'), ('pending', 'missed'), ('pending', 'failed'),
      ('running', 'succeeded'), ('running', 'partial'), ('running', 'failed'), ('running', 'retry_wait'), ('running', 'lost'), ('running', 'cancelled'),
      ('retry_wait', 'running'), ('retry_wait', 'cancelled'), ('retry_wait', 'failed')) then
    raise exception 'execution % may not go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  return new;
end $$;

-- Counts a refused kick as an attempt of an execution that waits: it goes on waiting as the job's backoff says, or has failed for good.
-- The state it is in now; null when it waits no more: somebody else has begun or ended it.
create function belfry.kick_refused(p_execution uuid, p_error text) returns text language plpgsql as $$
declare e belfry.job_executions;
begin
  update belfry.job_executions x set
    state = case when x.attempt + 1 < x.max_attempts then x.state else 'failed' end,
    reason = case when x.attempt + 1 < x.max_attempts then x.reason else 'error' end,
    attempt = x.attempt + 1, error_class = 'KickRefused', error = left(p_error, 8000),
    retry_at = case when x.attempt + 1 < x.max_attempts then
      belfry.clock() + make_interval(secs => coalesce(j.backoff_s[least(x.attempt + 1, cardinality(j.backoff_s))], 30)) end,
    finished_at = case when x.attempt + 1 < x.max_attempts then null else belfry.clock() end,
    attempts = x.attempts || jsonb_build_object('number', x.attempt + 1, 'started_at', coalesce(x.kicked_at, belfry.clock()),
                                                'finished_at', belfry.clock(), 'outcome', 'failed', 'error', left(p_error, 2000))
  from belfry.jobs j
  where j.job_id = x.job_id and x.id = p_execution and x.state in ('pending', 'retry_wait', 'waiting')
  returning x.* into e;
  if e.state = 'failed' then perform belfry.summarise(e); end if;
  return e.state;
end $$;
