-- The task board: tasks, duties and logs of the company's own system, and what only Belfry knows of them.

-- ---------------------------------------------------------------- contract
create table erp.work_tasks (
  id bigint generated always as identity primary key,
  task_code text unique not null,
  title text not null,
  task_type text not null default 'MANUAL',
  category text not null default 'NORMAL' check (category in ('VERSION', 'URGENT', 'NORMAL', 'PERIODIC', 'JOB_DUTY', 'OTHER')),
  source_type text,                          -- JOB_DUTY_TEMPLATE: made from a duty; WORK_TASK: a part of another task
  source_id bigint,
  project_id bigint references erp.projects,
  creator_id bigint references erp.users,
  assignee_id bigint not null references erp.users,
  status text not null default 'NEW' check (status in ('NEW', 'PENDING', 'PROCESSING', 'SUSPENDED', 'COMPLETED', 'CLOSED', 'CANCELLED')),
  priority text not null default 'MEDIUM',
  progress int not null default 0 check (progress between 0 and 100),
  time_progress int not null default 0 check (time_progress between 0 and 100),
  expected_start timestamptz,
  expected_end timestamptz,
  actual_start timestamptz,
  actual_end timestamptz,
  deadline timestamptz,
  estimated_hours numeric(8,2),
  reminder_enabled boolean not null default true,
  reminder_before_hours int not null default 24,
  plan_date date,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now());
create unique index one_duty_task on erp.work_tasks (source_id, assignee_id, plan_date) where source_type = 'JOB_DUTY_TEMPLATE';
create index duty_tasks_by_day on erp.work_tasks (plan_date) where source_type = 'JOB_DUTY_TEMPLATE';
create index parts_of_a_task on erp.work_tasks (source_id) where source_type = 'WORK_TASK';
create index processing_tasks on erp.work_tasks (expected_end) where status = 'PROCESSING';
create index tasks_to_remind_of on erp.work_tasks (deadline) where status in ('NEW', 'PENDING', 'PROCESSING') and reminder_enabled;
create index periodic_tasks on erp.work_tasks (id) where category = 'PERIODIC' and status in ('NEW', 'PENDING', 'PROCESSING', 'COMPLETED', 'CLOSED');
create index ended_tasks on erp.work_tasks (updated_at) where status in ('CLOSED', 'CANCELLED');

create table erp.job_duty_templates (
  id bigint generated always as identity primary key,
  duty_name text not null,
  duty_description text,
  position_id bigint references erp.positions,
  department_id bigint references erp.departments,
  frequency text not null check (frequency in ('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY')),
  day_of_week int check (day_of_week between 1 and 7),          -- 1 = Monday
  day_of_month int check (day_of_month between 1 and 31),       -- 31 in a shorter month: its last day
  month_of_year int check (month_of_year between 1 and 12),
  generate_before_days int not null default 3,
  deadline_offset_days int not null default 0,
  skip_rest_days boolean not null default false,
  default_priority text not null default 'MEDIUM',
  estimated_hours numeric(8,2),
  auto_generate boolean not null default true,
  is_active boolean not null default true);

create index users_by_position on erp.users (position_id);

create table erp.system_logs (               -- a month a partition; what lies in none of them goes into the default one
  id bigint generated always as identity,
  at timestamptz not null,
  level text not null,
  module text,
  message text not null,
  context jsonb,
  primary key (id, at)) partition by range (at);
create table erp.system_logs_default partition of erp.system_logs default;
create index system_logs_by_time on erp.system_logs (at);

-- ---------------------------------------------------------------- what Belfry keeps about tasks
create table belfry.task_recurrence (        -- how a task comes back; one of category PERIODIC may do without a row
  task_id bigint primary key,
  frequency text check (frequency in ('DAILY', 'WEEKLY', 'MONTHLY', 'YEARLY')),   -- null: the job's default
  every int not null default 1 check (every between 1 and 366),
  day int check (day between 1 and 31),      -- of the week (1 = Monday) or of the month; null: the start's own
  month int check (month between 1 and 12),
  at_time time,                              -- null: the start's own
  end_date date,                             -- no occurrence after this day
  is_active boolean,                         -- null: nobody has said, the task's category decides
  missed_count int not null default 0,       -- occurrences that found the current cycle unfinished
  missed_at timestamptz,                     -- the latest of them
  updated_at timestamptz not null default belfry.clock(),
  execution_id uuid);
create index active_recurrences on belfry.task_recurrence (task_id) where is_active;

create table belfry.task_cycles (            -- the cycles that are over; the current one is the next number
  task_id bigint not null,
  cycle_no int not null,
  status text not null,
  progress int not null,
  missed_count int not null default 0,
  expected_start timestamptz,
  expected_end timestamptz,
  actual_start timestamptz,
  actual_end timestamptz,
  closed_at timestamptz not null,
  execution_id uuid,
  primary key (task_id, cycle_no));
create index cycles_of_an_execution on belfry.task_cycles (execution_id) where execution_id is not null;

create table belfry.work_tasks_archive (     -- ended tasks as they were, with their cycles, before they left the ERP
  id bigint primary key,
  payload jsonb not null,
  archived_at timestamptz not null,
  execution_id uuid);
create index archived_by_an_execution on belfry.work_tasks_archive (execution_id) where execution_id is not null;

create sequence belfry.duty_task_no_seq;

-- ---------------------------------------------------------------- rules
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('TASK_PROGRESS_WARNING', '{"zh": "任务进度预警", "en": "Task behind its time"}', 'SCHEDULE_DELAY', 'WORK_TASK', '{}', false);

-- ---------------------------------------------------------------- cleaning up
create index read_messages on belfry.notification_deliveries (created_at)
  where channel = 'system' and state in ('sent', 'delivered') and read_at is not null;

-- The monthly partitions of the log and when each ends; none where a company's log is no partitioned table.
create view belfry.v_log_partitions as
  select c.oid::regclass::text as partition, greatest(c.reltuples, 0)::bigint as estimated_rows,
         (regexp_match(pg_get_expr(c.relpartbound, c.oid), $$TO \('([^']+)'\)$$))[1]::timestamptz as ends
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = to_regclass('erp.system_logs');

-- Drop a partition of the log that ended by then; false when there is none of that name. The catalogue quotes the name.
create function belfry.drop_log_partition(p_partition text, p_before timestamptz) returns boolean
language plpgsql set lock_timeout = '3s' as $$
begin
  if not exists (select from belfry.v_log_partitions where partition = p_partition and ends <= p_before) then
    return false;
  end if;
  execute 'drop table ' || to_regclass(p_partition);
  return true;
end $$;
