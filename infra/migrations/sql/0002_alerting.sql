-- Alerts, and whom they told: rules, records, notifications, deliveries, outbox.

create function belfry.level_rank(l text) returns int language sql immutable as
$$ select case l when 'INFO' then 1 when 'WARNING' then 2 when 'CRITICAL' then 3 when 'URGENT' then 4 else 0 end $$;

-- A level moved by some steps, never below INFO nor above URGENT (rulebook 3.3).
create function belfry.shift_level(l text, steps int) returns text language sql immutable as
$$ select (array['INFO', 'WARNING', 'CRITICAL', 'URGENT'])[least(4, greatest(1, belfry.level_rank(l) + steps))] $$;

-- ---------------------------------------------------------------- alerts
create table belfry.alert_rules (
  id bigint generated always as identity primary key,
  rule_code text unique not null,
  name jsonb not null,
  rule_type text not null check (rule_type in ('SCHEDULE_DELAY', 'COST_OVERRUN', 'MILESTONE_DUE', 'DELIVERY_DUE', 'MATERIAL_SHORTAGE', 'QUALITY_ISSUE',
    'PAYMENT_DUE', 'SPECIFICATION_MISMATCH', 'RESOURCE', 'FINANCIAL', 'CHANGE', 'EQUIPMENT', 'PLATFORM', 'CUSTOM')),
  target_type text not null,
  notify_channels text[] not null default '{}',       -- added to what the level asks for
  notify_roles text[] not null default '{}',
  notify_user_ids bigint[] not null default '{}',
  is_enabled boolean not null default true,
  is_system boolean not null default true,
  escalates boolean not null default true,
  last_scanned_at timestamptz,
  last_execution_id uuid);

create sequence belfry.alert_no_seq;
create table belfry.alert_records (
  id bigint generated always as identity primary key,
  alert_no text unique not null,
  rule_id bigint not null references belfry.alert_rules,
  dedupe_key text not null,
  target_type text not null,
  target_id bigint,
  target_no text,
  target_name text,
  project_id bigint,
  base_level text not null check (base_level in ('INFO', 'WARNING', 'CRITICAL', 'URGENT')),     -- what the business data says
  alert_level text not null check (alert_level in ('INFO', 'WARNING', 'CRITICAL', 'URGENT')),   -- the same, or raised by escalation
  facts jsonb not null default '{}',                  -- the text is rendered from these when somebody reads it
  recipients text[] not null default '{}',            -- USER:<id>, MGR:<user id>, ROLE:<code>
  trigger_value numeric,
  threshold_value numeric,
  status text not null default 'PENDING' check (status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING', 'RESOLVED', 'IGNORED', 'EXPIRED', 'CLOSED')),
  triggered_at timestamptz not null,
  judged_at timestamptz,                              -- the tick that last wrote it: an older tick that comes late leaves it alone
  level_changed_at timestamptz not null,
  acknowledged_by bigint,
  acknowledged_at timestamptz,
  handler_id bigint,
  handle_start_at timestamptz,
  resolved_at timestamptz,
  resolved_by bigint,
  handle_result text,
  escalation_count int not null default 0,
  escalated_at timestamptz,
  escalated_to bigint,
  mute_until timestamptz,
  previous_alert_id bigint,
  execution_id uuid,
  version int not null default 1);
create unique index one_open_alert on belfry.alert_records (dedupe_key) where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING');
create index open_alerts_of_a_rule on belfry.alert_records (rule_id, target_id) where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING');
create index open_alerts_of_a_project on belfry.alert_records (project_id) where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING');
create index self_closed_alerts_of_a_rule on belfry.alert_records (rule_id, resolved_at) where status = 'RESOLVED' and resolved_by is null;
create index muted_alerts_of_a_rule on belfry.alert_records (rule_id, mute_until) where status = 'IGNORED';
create index alerts_by_time on belfry.alert_records (triggered_at desc, id desc);

create table belfry.alert_events (
  id bigint generated always as identity,
  alert_id bigint not null references belfry.alert_records,
  event text not null check (event in ('CREATED', 'UPGRADED', 'ESCALATED', 'ACKNOWLEDGED', 'STARTED', 'RESOLVED', 'AUTO_RESOLVED', 'IGNORED', 'CLOSED', 'EXPIRED', 'NOTIFIED')),
  from_level text,
  to_level text,
  from_status text,
  to_status text,
  actor_id bigint,
  execution_id uuid,
  note text,
  at timestamptz not null default belfry.clock(),
  primary key (alert_id, id));
create index events_of_an_execution on belfry.alert_events (execution_id) where execution_id is not null;

-- ---------------------------------------------------------------- notifications
create table belfry.notifications (                   -- one row per thing to tell
  id bigint generated always as identity primary key,
  dedupe_key text unique not null,
  alert_id bigint references belfry.alert_records,
  type text not null,                                 -- the rule's code or the reminder's type: names the template
  reason text not null default 'REMINDER' check (reason in ('NEW', 'UPGRADED', 'ESCALATED', 'REMINDER', 'RESOLVED', 'DIGEST')),
  severity text not null check (severity in ('INFO', 'WARNING', 'CRITICAL', 'URGENT')),
  recipients text[] not null default '{}',
  channels text[],                                    -- null: as level, rule and preferences say; else no other than these
  facts jsonb not null default '{}',
  project_id bigint,
  not_before timestamptz,
  not_after timestamptz not null,
  execution_id uuid,
  fanned_out boolean not null default false,
  created_at timestamptz not null default belfry.clock());
create index notifications_of_an_alert on belfry.notifications (alert_id) where alert_id is not null;
create index notifications_to_fan_out on belfry.notifications (execution_id, id) where not fanned_out;

create table belfry.notification_deliveries (
  id bigint generated always as identity primary key,
  notification_id bigint not null references belfry.notifications,
  user_id bigint not null,
  channel text not null check (channel in ('system', 'email', 'wechat', 'sms')),
  generation int not null default 0,
  state text not null check (state in ('deferred', 'queued', 'sending', 'retry_wait', 'uncertain', 'sent', 'delivered', 'suppressed', 'dead', 'expired', 'cancelled')),
  reason text,                                        -- why suppressed, dead or deferred
  target text,                                        -- the address it goes to
  priority smallint not null default 3,               -- 0 = first
  attempt int not null default 0,                     -- the fence of a send
  failures int not null default 0,                    -- steps of the ladder already climbed
  phase text not null default 'none' check (phase in ('none', 'connecting', 'committing', 'accepted')),
  lease_until timestamptz,
  next_attempt_at timestamptz not null default belfry.clock(),
  not_after timestamptz not null,
  uncertain_count int not null default 0,
  provider_message_id text,
  error_code text,
  last_error text check (length(last_error) <= 2000),
  execution_id uuid,
  created_at timestamptz not null default belfry.clock(),
  sent_at timestamptz,
  read_at timestamptz,
  unique (notification_id, user_id, channel, generation),
  check ((state = 'sending') = (lease_until is not null)));
create index deliveries_due on belfry.notification_deliveries (next_attempt_at) where state in ('queued', 'deferred', 'retry_wait', 'uncertain');
create index deliveries_by_lease on belfry.notification_deliveries (lease_until) where state = 'sending';
create index inbox on belfry.notification_deliveries (user_id, id desc) where channel = 'system' and state in ('sent', 'delivered');
create index deliveries_of_an_execution on belfry.notification_deliveries (execution_id) where execution_id is not null;
create index dead_deliveries on belfry.notification_deliveries (channel, id desc) where state = 'dead';

create function belfry.refuse_illegal_delivery_move() returns trigger language plpgsql as $$
begin
  if old.state in ('sent', 'delivered') and new.state not in ('sent', 'delivered') then
    raise exception 'delivery % is % and may not become %', old.id, old.state, new.state using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal_delivery_moves before update of state on belfry.notification_deliveries
  for each row execute function belfry.refuse_illegal_delivery_move();

create table belfry.outbox (
  id uuid primary key default gen_random_uuid(),
  topic text not null,
  attributes jsonb not null default '{}',
  payload jsonb not null check (octet_length(payload::text) <= 262144),
  execution_id uuid,
  created_at timestamptz not null default clock_timestamp(),
  published_at timestamptz,
  tries int not null default 0,
  next_try_at timestamptz not null default clock_timestamp() + interval '30 seconds');   -- first the run itself publishes, then the sweeper
create index outbox_due on belfry.outbox (next_try_at) where published_at is null;

create table belfry.dead_letters (
  id bigint generated always as identity primary key,
  source text not null,
  reason text not null,
  body bytea not null,
  body_sha256 bytea not null,
  truncated boolean not null default false,
  seen int not null default 1,
  first_seen_at timestamptz not null default belfry.clock(),
  last_seen_at timestamptz not null default belfry.clock(),
  unique (source, body_sha256));

create table belfry.notification_settings (
  user_id bigint primary key,
  system_enabled boolean not null default true,
  email_enabled boolean not null default true,
  wechat_enabled boolean not null default true,
  sms_enabled boolean not null default false,
  quiet_start time,
  quiet_end time,
  time_zone text not null default 'Asia/Shanghai',
  min_level text not null default 'INFO' check (min_level in ('INFO', 'WARNING', 'CRITICAL', 'URGENT')),
  critical_bypass boolean not null default false,     -- CRITICAL passes quiet hours too; URGENT always does
  version int not null default 1);

create table belfry.alert_subscriptions (
  id bigint generated always as identity primary key,
  user_id bigint not null,
  rule_type text,                                     -- null: all
  project_id bigint,                                  -- null: all
  min_level text not null default 'WARNING' check (min_level in ('INFO', 'WARNING', 'CRITICAL', 'URGENT')),
  channels text[] not null default '{system}',
  is_active boolean not null default true,
  unique nulls not distinct (user_id, rule_type, project_id));

create table belfry.channel_states (                  -- breaker of each channel
  channel text primary key check (channel in ('system', 'email', 'wechat', 'sms')),
  consecutive_failures int not null default 0,
  opened_at timestamptz,
  open_until timestamptz,
  success_count bigint not null default 0,
  failure_count bigint not null default 0,
  last_success_at timestamptz,
  last_failure_at timestamptz,
  last_error text);
insert into belfry.channel_states (channel) values ('system'), ('email'), ('wechat'), ('sms');

-- The end of the quiet hours that an instant falls into, null when it is not quiet: [start, end) of the user's own day, over midnight
-- when start > end, off when start = end (rulebook 5.1).
create function belfry.quiet_until(p_at timestamptz, p_zone text, p_start time, p_end time) returns timestamptz language sql stable as $$
  select case
    when p_start is null or p_end is null or p_start = p_end then null
    when p_start < p_end and l.t >= p_start and l.t < p_end then (l.d + p_end) at time zone p_zone
    when p_start > p_end and l.t >= p_start then (l.d + 1 + p_end) at time zone p_zone
    when p_start > p_end and l.t < p_end then (l.d + p_end) at time zone p_zone
  end
  from (select (p_at at time zone p_zone)::time as t, (p_at at time zone p_zone)::date as d) l $$;

create view belfry.v_invariant_sent_twice as
  select notification_id, user_id, channel, generation, count(*) from belfry.notification_deliveries
  where state in ('sent', 'delivered') group by 1, 2, 3, 4 having count(*) > 1;
create view belfry.v_invariant_open_alerts as
  select dedupe_key, count(*) from belfry.alert_records where status in ('PENDING', 'ACKNOWLEDGED', 'PROCESSING') group by 1 having count(*) > 1;
create view belfry.v_invariant_stuck_sending as
  select id, channel, lease_until from belfry.notification_deliveries where state = 'sending' and lease_until < clock_timestamp() - interval '4 minutes';
create view belfry.v_invariant_untold as
  select id, dedupe_key from belfry.notifications where not fanned_out;

-- ---------------------------------------------------------------- the rules of the ten jobs and of the platform (rulebook 5.5)
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('PROJECT_BLOCKED', '{"zh": "项目受阻", "en": "Project blocked"}', 'SCHEDULE_DELAY', 'PROJECT', '{PMO}', true),
  ('ISSUE_OVERDUE', '{"zh": "问题逾期", "en": "Issue overdue"}', 'QUALITY_ISSUE', 'ISSUE', '{}', true),
  ('BLOCKING_ISSUE', '{"zh": "阻塞问题", "en": "Blocking issue"}', 'QUALITY_ISSUE', 'ISSUE', '{}', true),
  ('MILESTONE_DUE', '{"zh": "里程碑到期", "en": "Milestone due"}', 'MILESTONE_DUE', 'MILESTONE', '{}', true),
  ('MATERIAL_SHORTAGE', '{"zh": "缺料", "en": "Material shortage"}', 'MATERIAL_SHORTAGE', 'MATERIAL_SHORTAGE', '{}', true),
  ('KIT_RATE_LOW', '{"zh": "齐套率不足", "en": "Low kit rate"}', 'MATERIAL_SHORTAGE', 'WORK_ORDER', '{PROC}', true),
  ('KIT_NO_BOM', '{"zh": "工单缺少物料清单", "en": "Work order without a BOM"}', 'MATERIAL_SHORTAGE', 'WORK_ORDER', '{PROC}', true),
  ('DELIVERY_DELAY', '{"zh": "到货延迟", "en": "Delivery delay"}', 'DELIVERY_DUE', 'PURCHASE_ORDER', '{}', true),
  ('JOB_FAILED', '{"zh": "任务异常", "en": "Job in trouble"}', 'PLATFORM', 'JOB', '{SYS_ADMIN}', true),
  ('NOTIFY_FAILED', '{"zh": "通知失败", "en": "Notification failed"}', 'PLATFORM', 'CHANNEL', '{SYS_ADMIN}', true);
