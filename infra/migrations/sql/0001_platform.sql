-- The ledger: what should run (jobs), what ran (job_executions), and the functions that are the only way to move a row.
create schema belfry;

-- ---------------------------------------------------------------- the clock
-- SQL asks this clock, so that a virtual day sees one time everywhere. Leases alone use clock_timestamp().
create function belfry.clock() returns timestamptz language sql volatile as
$$ select coalesce(nullif(current_setting('belfry.now', true), '')::timestamptz, clock_timestamp()) $$;

-- On a virtual day messages carry its time, so that whoever they wake lives on the same day.
create function belfry.now_attribute() returns jsonb language sql volatile as
$$ select case when current_setting('belfry.now', true) <> '' then jsonb_build_object('now', current_setting('belfry.now', true)) else '{}' end $$;

-- Whether connections run short: who is done then gives his back, or idle instances would keep the others out.
create function belfry.crowded() returns boolean language plpgsql stable as $$
begin
  return (select pg_stat_get_db_numbackends(oid)
                 > 0.8 * (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int)
          from pg_database where datname = current_database());
end $$;

-- ---------------------------------------------------------------- what several jobs share
create table belfry.biz_config (
  key text primary key,
  value jsonb not null,
  updated_at timestamptz not null default clock_timestamp());

create table belfry.biz_calendar (           -- legal holidays and make-up workdays; a day that is missing rests at weekends
  day date primary key,
  is_workday boolean not null,
  note text);

create function belfry.is_workday(p_day date) returns boolean language sql stable as
$$ select coalesce((select is_workday from belfry.biz_calendar where day = p_day), extract(isodow from p_day) < 6) $$;

insert into belfry.biz_config (key, value) values
  ('scheduler.enabled', 'true'),
  ('scheduler.run_slots', '40'),
  ('working_hours', '{"start": "08:00", "end": "20:00"}');

-- ---------------------------------------------------------------- jobs
create table belfry.jobs (
  job_id text primary key check (job_id ~ '^[a-z_][a-z0-9_]{0,62}$'),
  origin text not null default 'builtin' check (origin in ('builtin', 'custom')),
  func text not null,                        -- the deployed function that runs it; a custom job has another job's
  name jsonb not null,                       -- {"zh": ..., "en": ...}
  description jsonb not null default '{}',
  category text not null,
  owner text,
  risk text not null default 'MEDIUM' check (risk in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
  runbook text,
  -- declared in cron.yaml
  schedule text,                             -- null: fired by its upstream alone
  time_zone text not null default 'Asia/Shanghai',
  calendar text not null default 'every_day' check (calendar in ('every_day', 'cn_workdays')),
  enabled boolean not null default true,
  params jsonb not null default '{}',
  params_schema jsonb not null default '{}',
  timeout_s int not null default 300 check (timeout_s between 1 and 1740),
  overlap text not null default 'skip' check (overlap in ('skip', 'buffer_one', 'allow')),
  catchup text not null default 'last' check (catchup in ('none', 'last', 'all')),
  catchup_window_s int not null default 3600 check (catchup_window_s >= 0),
  grace_s int not null default 300 check (grace_s >= 0),
  max_attempts int not null default 3 check (max_attempts between 1 and 10),
  backoff_s int[] not null default '{30,120,300}',
  breaker_threshold int not null default 5 check (breaker_threshold >= 1),
  breaker_open_s int not null default 600,
  sla_max_duration_s int,
  sla_finish_by time,
  depends_on text[] not null default '{}',
  depends_wait_s int not null default 3600,
  on_wait_over text not null default 'run' check (on_wait_over in ('run', 'skip')),
  priority text not null default 'normal' check (priority in ('low', 'normal', 'high')),
  window_s int not null default 0,
  offset_s int not null default 0 check (offset_s % 60 = 0),
  reads text[] not null default '{}',
  writes text[] not null default '{}',
  -- an operator's override wins over what is declared, also when it says "disabled"
  override_schedule text,
  override_enabled boolean,
  override_params jsonb,
  override_reason text,
  override_by text,
  override_at timestamptz,
  paused boolean not null default false,
  paused_until timestamptz,
  paused_reason text,
  paused_by text,
  orphan boolean not null default false,     -- in the table, no longer in cron.yaml
  effective_schedule text generated always as (coalesce(override_schedule, schedule)) stored,
  effective_params jsonb generated always as (params || coalesce(override_params, '{}')) stored,
  status text generated always as (case when orphan then 'orphan' when not coalesce(override_enabled, enabled) then 'disabled'
                                        when paused then 'paused' else 'active' end) stored,
  -- the engine's own
  fence bigint not null default 0,           -- grows with every claim that runs (P2)
  revision int not null default 1,
  swept_through timestamptz not null default clock_timestamp(),   -- every tick due before has a row (P9)
  pruned_through timestamptz not null default '-infinity',        -- rows of ticks up to here may be gone; their ticks never run again
  gate_every_days int check (gate_every_days > 1),                -- of a compiled interval: rings every n-th day from the anchor
  gate_anchor date,
  gate_year int,                                                  -- of a compiled date: rings in this year alone
  target_uri text,
  version int not null default 1,
  created_at timestamptz not null default belfry.clock(),
  created_by text not null default 'cron.yaml',
  updated_at timestamptz not null default clock_timestamp(),
  updated_by text not null default 'cron.yaml');
create index jobs_by_func on belfry.jobs (func);

create table belfry.job_revisions (          -- which grid was in force when: an edit is not retroactive
  job_id text not null references belfry.jobs on delete cascade,
  revision int not null,
  schedule text,
  time_zone text not null,
  calendar text not null,
  offset_s int not null default 0,
  gate_every_days int,
  gate_anchor date,
  gate_year int,
  enabled boolean not null,
  catchup text not null,
  catchup_window_s int not null,
  grace_s int not null,
  effective_at timestamptz not null,
  created_by text not null,
  reason text,
  primary key (job_id, revision));

create table belfry.job_dependencies (
  job_id text not null references belfry.jobs on delete cascade,
  depends_on text not null references belfry.jobs on delete cascade,
  primary key (job_id, depends_on),
  check (job_id <> depends_on));

-- ---------------------------------------------------------------- executions
create table belfry.job_executions (
  id uuid primary key default gen_random_uuid(),
  job_id text not null references belfry.jobs,
  run_at timestamptz not null,               -- the tick, cut to the minute; never the wall clock
  biz_date date not null,                    -- the tick's day in the job's zone
  kind text not null check (kind in ('scheduled', 'catchup', 'manual', 'dependency', 'backfill')),
  state text not null check (state in ('waiting', 'pending', 'running', 'retry_wait', 'succeeded', 'partial', 'failed', 'lost',
                                       'missed', 'skipped', 'cancelled')),
  reason text check (reason in ('overlap', 'paused', 'disabled', 'calendar', 'breaker', 'dependency', 'misfire', 'error', 'timeout',
                                'operator', 'run_slots', 'lease')),
  overlap text not null,
  priority text not null default 'normal',
  attempt int not null default 0,
  max_attempts int not null default 1,
  attempts jsonb not null default '[]',      -- number, start, end, outcome and error of each
  fence bigint,
  lease_until timestamptz,
  owner text,                                -- which instance runs it, for which request
  received_at timestamptz,
  started_at timestamptz,
  finished_at timestamptz,
  duration_ms int,
  retry_at timestamptz,                      -- not before; null in a pending row: at once
  kicked_at timestamptz,
  counters jsonb not null default '{}',
  error_class text,
  error text check (length(error) <= 8000),
  params jsonb not null default '{}',        -- as asked for by the caller, over the job's own
  parent_id uuid,                            -- the run that this one repeats; no key, so that pruning it changes nothing here
  requested_by text,
  request_reason text,
  cancel_requested_at timestamptz,
  created_at timestamptz not null default belfry.clock(),       -- a waiting tick's patience counts from here
  check ((state = 'running') = (lease_until is not null)));
create unique index one_effect_per_tick on belfry.job_executions (job_id, run_at) where kind <> 'manual' and parent_id is null;
create unique index one_running on belfry.job_executions (job_id) where state = 'running' and overlap <> 'allow';
create unique index one_buffered on belfry.job_executions (job_id) where state = 'pending' and reason = 'overlap' and overlap = 'buffer_one';
create index executions_by_lease on belfry.job_executions (lease_until) where state = 'running';
create index executions_to_kick on belfry.job_executions (retry_at) where state in ('pending', 'retry_wait', 'waiting');
create index executions_of_a_job on belfry.job_executions (job_id, run_at desc, id desc);
create index executions_by_time on belfry.job_executions (run_at desc, id desc);
create index executions_by_day on belfry.job_executions (job_id, biz_date);

-- No code path can move a row where it may not go.
create function belfry.refuse_illegal_move() returns trigger language plpgsql as $$
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
      ('waiting', 'pending'), ('waiting', 'running'), ('waiting', 'skipped'), ('waiting', 'cancelled'),
      ('pending', 'running'), ('pending', 'skipped'), ('pending', 'cancelled'), ('pending', 'missed'),
      ('running', 'succeeded'), ('running', 'partial'), ('running', 'failed'), ('running', 'retry_wait'), ('running', 'lost'), ('running', 'cancelled'),
      ('retry_wait', 'running'), ('retry_wait', 'cancelled')) then
    raise exception 'execution % may not go from % to %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal_moves before update on belfry.job_executions for each row execute function belfry.refuse_illegal_move();

create table belfry.execution_items (        -- rows that could not be judged, data defects, and the steps of a job that commits on the way
  execution_id uuid not null references belfry.job_executions on delete cascade deferrable initially deferred,
  item_type text not null,
  item_key text not null,
  status text not null check (status in ('succeeded', 'failed', 'skipped', 'defect')),
  error text,
  metrics jsonb not null default '{}',
  attempt int not null default 1,
  at timestamptz not null default belfry.clock(),
  primary key (execution_id, item_type, item_key));

create table belfry.job_summaries (          -- one row a job, written with the execution: the jobs page and the metrics never read history
  job_id text primary key references belfry.jobs on delete cascade,
  success_count bigint not null default 0,
  failure_count bigint not null default 0,
  partial_count bigint not null default 0,
  missed_count bigint not null default 0,
  skipped_count bigint not null default 0,
  timeout_count bigint not null default 0,
  total_duration_ms bigint not null default 0,
  consecutive_failures int not null default 0,
  breaker_opened_at timestamptz,
  trouble text,                              -- why the job is in trouble (failed, lost, missed ...), null when it is well
  trouble_since timestamptz,
  last_execution_id uuid,
  last_state text,
  last_run_at timestamptz,
  last_finished_at timestamptz,
  last_duration_ms int,
  last_success_at timestamptz,
  last_error text,
  strip jsonb not null default '[]');        -- the last 60 outcomes, newest first: [{"id","state","run_at","ms"}]

create table belfry.audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default belfry.clock(),
  actor text not null,
  action text not null,
  job_id text,
  target text,
  before jsonb,
  after jsonb,
  reason text,
  request_id text);
create index audit_by_job on belfry.audit_log (job_id, id desc);

create table belfry.idempotency_keys (
  actor text not null,
  key text not null,
  request_hash bytea not null,
  locked_at timestamptz,
  status int,
  body jsonb,
  created_at timestamptz not null default clock_timestamp(),
  primary key (actor, key));

-- ---------------------------------------------------------------- the moves
-- Writes the summary of one finished (or missed, or skipped) execution; called inside the move's own transaction.
create function belfry.summarise(e belfry.job_executions) returns void language plpgsql as $$
declare
  failed boolean := e.state in ('failed', 'lost');
  good boolean := e.state in ('succeeded', 'partial');
begin
  insert into belfry.job_summaries as s (job_id) values (e.job_id) on conflict (job_id) do nothing;
  update belfry.job_summaries s set
    success_count = success_count + (e.state = 'succeeded')::int,
    failure_count = failure_count + failed::int,
    partial_count = partial_count + (e.state = 'partial')::int,
    missed_count = missed_count + (e.state = 'missed')::int,
    skipped_count = skipped_count + (e.state = 'skipped')::int,
    timeout_count = timeout_count + (e.reason is not distinct from 'timeout')::int,
    total_duration_ms = total_duration_ms + case when failed or good then coalesce(e.duration_ms, 0) else 0 end,
    consecutive_failures = case when good then 0 when failed then consecutive_failures + 1 else consecutive_failures end,
    breaker_opened_at = case when good then null
                             when failed and consecutive_failures + 1 >= j.breaker_threshold then belfry.clock()
                             else breaker_opened_at end,
    trouble = case when good then null when failed or e.state = 'missed' then e.state else trouble end,
    trouble_since = case when good then null when (failed or e.state = 'missed') and trouble is null then belfry.clock() else trouble_since end,
    last_execution_id = e.id, last_state = e.state, last_run_at = e.run_at, last_finished_at = e.finished_at,
    last_duration_ms = coalesce(e.duration_ms, last_duration_ms),
    last_success_at = case when good then e.finished_at else last_success_at end,
    last_error = case when failed then e.error when good then null else last_error end,
    strip = (jsonb_build_array(jsonb_build_object('id', e.id, 'state', e.state, 'run_at', e.run_at, 'ms', e.duration_ms)) || strip) - 60
  from belfry.jobs j where s.job_id = e.job_id and j.job_id = e.job_id;
end $$;

-- Closes what a dead holder left behind: attempts left -> retry_wait, none -> lost (P8). SKIP LOCKED, so that a run in its last fenced
-- transaction cannot be declared lost under its feet. p_job null: all jobs.
create function belfry.reap(p_job text default null) returns setof belfry.job_executions language plpgsql as $$
declare e belfry.job_executions;
begin
  for e in
    update belfry.job_executions x set
      state = case when x.attempt < x.max_attempts and x.cancel_requested_at is null then 'retry_wait' else 'lost' end,
      reason = 'lease', lease_until = null, retry_at = belfry.clock(),
      error_class = 'LeaseExpired', error = 'the holder stopped renewing its lease',
      finished_at = case when x.attempt < x.max_attempts and x.cancel_requested_at is null then null else belfry.clock() end,
      attempts = x.attempts || jsonb_build_object('number', x.attempt, 'started_at', x.started_at, 'finished_at', belfry.clock(),
                                                  'outcome', 'lost', 'error', 'the holder stopped renewing its lease')
    where x.id in (select id from belfry.job_executions
                   where state = 'running' and lease_until < clock_timestamp() and (p_job is null or job_id = p_job)
                   for update skip locked)
    returning x.*
  loop
    if e.state = 'lost' then perform belfry.summarise(e); end if;
    return next e;
  end loop;
end $$;

-- Upstreams of a job that have not succeeded for the business day yet.
-- In PL/pgSQL, whose plans are kept: a function in SQL is planned at every claim.
create function belfry.unmet_dependencies(p_job text, p_day date) returns text[] language plpgsql stable as $$
begin
  return (select coalesce(array_agg(d.depends_on order by d.depends_on), '{}')
          from belfry.job_dependencies d
          where d.job_id = p_job
            and not exists (select from belfry.job_executions e
                            where e.job_id = d.depends_on and e.biz_date = p_day and e.state in ('succeeded', 'partial')));
end $$;

-- Decides one trigger under the lock of its job's row. Writes a row only for run, waiting, pending and skipped; raises the fence only for run.
--   decision: run | duplicate | in_progress | waiting | pending | skipped | unknown_job
create function belfry.claim(p_job text, p_run_at timestamptz, p_kind text, p_execution uuid, p_owner text, p_lease_s numeric,
                             p_params jsonb default '{}', p_requested_by text default null, p_request_reason text default null)
returns table (decision text, execution_id uuid, fence bigint, attempt int, state text, reason text, run_at timestamptz, biz_date date,
               kind text, params jsonb, counters jsonb, error text)
language plpgsql as $$
#variable_conflict use_column
declare
  j belfry.jobs;
  e belfry.job_executions;
  v_day date;
  v_state text := 'running';
  v_reason text;
  v_busy boolean;
begin
  select * into j from belfry.jobs where job_id = p_job for update;
  if not found then
    return query select 'unknown_job', null::uuid, null::bigint, null::int, null::text, null::text, p_run_at, null::date, p_kind, null::jsonb, null::jsonb, null::text;
    return;
  end if;
  if exists (select from belfry.job_executions x where x.job_id = p_job and x.state = 'running' and x.lease_until < clock_timestamp()) then
    perform belfry.reap(p_job);      -- or the tick after a crash would be skipped for a dead holder
  end if;
  v_day := (p_run_at at time zone j.time_zone)::date;

  if p_execution is not null then
    select * into e from belfry.job_executions x where x.id = p_execution and x.job_id = p_job;
  elsif p_kind <> 'manual' then
    select * into e from belfry.job_executions x
      where x.job_id = p_job and x.run_at = p_run_at and x.kind <> 'manual' and x.parent_id is null;
  else
    select * into e from belfry.job_executions x where x.job_id = p_job and x.state = 'running' and x.owner = p_owner;
  end if;

  if e.state = 'running' and e.owner = p_owner then        -- the same claim again: its answer was lost on the way (P13)
    return query select 'run', e.id, e.fence, e.attempt, e.state, e.reason, e.run_at, e.biz_date, e.kind, e.params, e.counters, e.error;
    return;
  end if;
  -- A kick of a row that is gone, and a tick whose row may be gone, are over.
  if e.id is null and (p_execution is not null or p_kind in ('scheduled', 'catchup', 'dependency') and p_run_at <= j.pruned_through) then
    return query select 'duplicate', null::uuid, null::bigint, 0, 'pruned', null::text, p_run_at, v_day, p_kind, '{}'::jsonb, '{}'::jsonb, null::text;
    return;
  end if;
  if e.id is not null and e.state not in ('pending', 'retry_wait', 'waiting') then
    return query select case when e.state = 'running' then 'in_progress' else 'duplicate' end,
      e.id, e.fence, e.attempt, e.state, e.reason, e.run_at, e.biz_date, e.kind, e.params, e.counters, e.error;
    return;
  end if;
  if e.id is not null and e.retry_at > belfry.clock() and e.state = 'retry_wait' then
    return query select 'pending', e.id, e.fence, e.attempt, e.state, e.reason, e.run_at, e.biz_date, e.kind, e.params, e.counters, e.error;
    return;
  end if;

  -- Gates, in the order in which an operator would explain them. A manual run passes all but overlap.
  v_busy := j.overlap <> 'allow' and exists (select from belfry.job_executions x where x.job_id = p_job and x.state = 'running');
  if p_kind = 'manual' or (e.id is not null and e.kind = 'manual') then
    if v_busy then v_state := case when e.id is null then 'skipped' else 'pending' end; v_reason := 'overlap'; end if;
  elsif (select value from belfry.biz_config where key = 'scheduler.enabled') = 'false' or j.status in ('disabled', 'orphan') then
    v_state := 'skipped'; v_reason := 'disabled';
  elsif j.paused and (j.paused_until is null or j.paused_until > belfry.clock()) and p_kind <> 'backfill' then
    v_state := 'skipped'; v_reason := 'paused';
  elsif j.calendar = 'cn_workdays' and not belfry.is_workday(v_day) then
    v_state := 'skipped'; v_reason := 'calendar';
  elsif e.id is null and exists (select from belfry.job_summaries s where s.job_id = p_job and s.breaker_opened_at > belfry.clock() - make_interval(secs => j.breaker_open_s)) then
    v_state := 'skipped'; v_reason := 'breaker';
  elsif cardinality(belfry.unmet_dependencies(p_job, v_day)) > 0
        and belfry.clock() < greatest(p_run_at, coalesce(e.created_at, belfry.clock())) + make_interval(secs => j.depends_wait_s) then
    v_state := 'waiting'; v_reason := 'dependency';
  elsif cardinality(belfry.unmet_dependencies(p_job, v_day)) > 0 and j.on_wait_over = 'skip' then
    v_state := 'skipped'; v_reason := 'dependency';
  elsif v_busy then
    v_reason := 'overlap';
    v_state := case when e.id is not null then 'pending'
                    when j.overlap = 'skip' then 'skipped'
                    when exists (select from belfry.job_executions x where x.job_id = p_job and x.state = 'pending' and x.reason = 'overlap') then 'skipped'
                    else 'pending' end;
  elsif j.priority <> 'high'
        and (select count(*) from belfry.job_executions x where x.state = 'running')
            >= (select (value #>> '{}')::int from belfry.biz_config where key = 'scheduler.run_slots') then
    v_state := 'pending'; v_reason := 'run_slots';
  end if;

  if v_state = 'running' then
    update belfry.jobs set fence = jobs.fence + 1 where job_id = p_job returning * into j;
  end if;
  if e.id is null then
    insert into belfry.job_executions as x (job_id, run_at, biz_date, kind, state, reason, overlap, priority, attempt, max_attempts, fence, lease_until, owner,
                                            received_at, started_at, finished_at, params, requested_by, request_reason)
    values (p_job, p_run_at, v_day, p_kind, v_state, v_reason, j.overlap, j.priority, (v_state = 'running')::int, j.max_attempts,
            case when v_state = 'running' then j.fence end,
            case when v_state = 'running' then clock_timestamp() + make_interval(secs => p_lease_s) end, p_owner,
            belfry.clock(), case when v_state = 'running' then belfry.clock() end, case when v_state = 'skipped' then belfry.clock() end,
            coalesce(p_params, '{}'), p_requested_by, p_request_reason)
    returning * into e;
  elsif v_state = 'running' then
    update belfry.job_executions x set state = 'running', reason = null, attempt = x.attempt + 1, fence = j.fence, owner = p_owner,
      overlap = j.overlap,           -- the policy may have changed while it waited
      lease_until = clock_timestamp() + make_interval(secs => p_lease_s), retry_at = null,
      received_at = coalesce(x.received_at, belfry.clock()), started_at = belfry.clock(),
      kind = case when x.kind = 'catchup' and p_kind = 'scheduled' then 'scheduled' else x.kind end
    where x.id = e.id returning * into e;
  elsif v_state = e.state or v_state = 'pending' or (v_state = 'waiting' and e.state <> 'waiting') then
    null;                            -- the row stays as it is and is kicked again
  elsif e.state = 'retry_wait' then
    update belfry.job_executions x set state = 'cancelled', reason = v_reason, retry_at = null, finished_at = belfry.clock() where x.id = e.id returning * into e;
  else
    update belfry.job_executions x set state = 'skipped', reason = v_reason, retry_at = null, finished_at = belfry.clock() where x.id = e.id returning * into e;
  end if;
  if e.state = 'skipped' then perform belfry.summarise(e); end if;

  return query select case e.state when 'running' then 'run' when 'retry_wait' then 'pending' when 'cancelled' then 'skipped' else e.state end,
    e.id, e.fence, e.attempt, e.state, e.reason, e.run_at, e.biz_date, e.kind, e.params, e.counters, e.error;
end $$;

-- Renews a lease; says nothing is held when another holder has it, and whether an operator asked to stop.
create function belfry.heartbeat(p_execution uuid, p_fence bigint, p_lease_s numeric) returns table (held boolean, cancelled boolean) language plpgsql as $$
begin
  return query
    update belfry.job_executions x set lease_until = clock_timestamp() + make_interval(secs => p_lease_s)
    where x.id = p_execution and x.fence = p_fence and x.state = 'running' and x.lease_until > clock_timestamp()
    returning true, x.cancel_requested_at is not null;
  if not found then return query select false, false; end if;
end $$;

-- The fence: the last statement of an effect. Null: the lease was lost, and the caller rolls everything back (P2); else the outbox
-- messages that the end of this execution wrote: dependents wait for them.
create function belfry.finish(p_execution uuid, p_fence bigint, p_state text, p_reason text, p_counters jsonb,
                              p_error_class text default null, p_error text default null, p_retry_in_s int default null,
                              p_duration_ms bigint default null)
returns jsonb language plpgsql as $$
declare
  e belfry.job_executions;
  v_messages jsonb := '[]';
begin
  update belfry.job_executions x set
    state = p_state, reason = p_reason, lease_until = null, counters = p_counters, error_class = p_error_class, error = left(p_error, 8000),
    retry_at = case when p_state = 'retry_wait' then belfry.clock() + make_interval(secs => coalesce(p_retry_in_s, 0)) end,
    finished_at = case when p_state <> 'retry_wait' then belfry.clock() end,
    duration_ms = least(2147483647, greatest(0, coalesce(p_duration_ms, extract(epoch from belfry.clock() - x.started_at) * 1000)))::int,
    attempts = x.attempts || jsonb_build_object('number', x.attempt, 'started_at', x.started_at, 'finished_at', belfry.clock(),
                                                'outcome', p_state, 'error', left(p_error, 2000))
  where x.id = p_execution and x.fence = p_fence and x.state = 'running'
  returning * into e;
  if not found then return null; end if;
  if e.kind in ('scheduled', 'catchup') and e.state <> 'retry_wait' then      -- a date has rung once, on time or late, and is over
    update belfry.jobs j set override_enabled = false, override_reason = 'its one date is over', override_at = belfry.clock()
    where j.job_id = e.job_id and j.gate_year is not null and j.override_schedule is null;
  end if;
  if e.state <> 'retry_wait' then perform belfry.summarise(e); end if;        -- jobs before summaries, as the claim locks them
  if e.state in ('succeeded', 'partial') and exists (select from belfry.job_dependencies d where d.depends_on = e.job_id) then
    with written as (
      insert into belfry.outbox (topic, attributes, payload, execution_id)
      values ('job-events', belfry.now_attribute() || jsonb_build_object('event', 'job.finished', 'job', e.job_id),
              jsonb_build_object('v', 1, 'event', 'job.finished', 'job', e.job_id, 'run_at', e.run_at, 'biz_date', e.biz_date,
                                 'state', e.state, 'execution_id', e.id), e.id)
      returning id, topic, attributes, payload)
    select jsonb_agg(to_jsonb(written)) into v_messages from written;
  end if;
  return v_messages;
end $$;

-- The unlocked look that opens an effect: null when the lease is lost, else whether an operator asked to stop.
create function belfry.still_mine(p_execution uuid, p_fence bigint) returns boolean language plpgsql stable as $$
begin
  return (select x.cancel_requested_at is not null from belfry.job_executions x
          where x.id = p_execution and x.fence = p_fence and x.state = 'running');
end $$;

-- The fence for an effect that says COMMIT in the same message: a lost lease is an error, which makes that COMMIT a rollback.
create function belfry.finish_or_refuse(p_execution uuid, p_fence bigint, p_state text, p_counters jsonb, p_duration_ms bigint)
returns jsonb language plpgsql as $$
declare
  v_messages jsonb := belfry.finish(p_execution, p_fence, p_state, null, p_counters, p_duration_ms => p_duration_ms);
begin
  if v_messages is null then raise exception 'the lease was lost' using errcode = 'BF001'; end if;
  return v_messages;
end $$;

-- ---------------------------------------------------------------- what must never be
create view belfry.v_invariant_one_effect as
  select job_id, run_at, count(*) as effects from belfry.job_executions
  where kind <> 'manual' and parent_id is null and state in ('succeeded', 'partial') group by 1, 2 having count(*) > 1;
create view belfry.v_invariant_one_running as
  select job_id, count(*) as running from belfry.job_executions where state = 'running' and overlap <> 'allow' group by 1 having count(*) > 1;
create view belfry.v_invariant_stale_lease as
  select id, job_id, lease_until from belfry.job_executions where state = 'running' and lease_until < clock_timestamp() - interval '4 minutes';
create view belfry.v_invariant_fence_ahead as
  select e.id, e.job_id, e.fence, j.fence as job_fence from belfry.job_executions e join belfry.jobs j using (job_id) where e.fence > j.fence;
