-- Projects and their costs: progress for the boards, labor cost by month, and the rules of six alerts.

-- ---------------------------------------------------------------- the contract: hourly rates, and paths that the jobs take
create table erp.hourly_rates (
  id bigint generated always as identity primary key,
  scope text not null check (scope in ('USER', 'ROLE', 'DEPT', 'DEFAULT')),
  user_id bigint references erp.users,
  role_id bigint references erp.roles,
  dept_id bigint references erp.departments,
  hourly_rate numeric(10,2) not null,
  effective_date date,                       -- null: since ever
  expiry_date date,                          -- the last day it is valid; null: for ever
  is_active boolean not null default true);
create index rates_of_a_user on erp.hourly_rates (user_id) where scope = 'USER';
create index rates_of_a_role on erp.hourly_rates (role_id) where scope = 'ROLE';
create index rates_of_a_department on erp.hourly_rates (dept_id) where scope = 'DEPT';

create index tasks_of_a_milestone on erp.project_tasks (milestone_id) where milestone_id is not null;
create index unfinished_tasks_by_end on erp.project_tasks (plan_end) where status not in ('DONE', 'CANCELLED');
create index open_issues_of_a_task on erp.issues (task_id) where status in ('OPEN', 'PROCESSING');
create index unfinished_work_orders_by_end on erp.work_orders (plan_end_date) where status not in ('COMPLETED', 'APPROVED', 'CANCELLED');
create index open_orders_of_a_project on erp.purchase_orders (project_id) where status in ('APPROVED', 'ORDERED', 'PARTIAL_RECEIVED');
create index allocations_by_end on erp.resource_allocations (end_date);
create index timesheets_by_day on erp.timesheets (work_date);
create index labor_costs_of_a_period on erp.project_costs (period) where source_module = 'TIMESHEET';

-- ---------------------------------------------------------------- working time (job 12)
-- Workdays from a day to another, both counted: Mondays to Fridays, corrected by what the calendar says otherwise (rulebook 6.8).
create function belfry.workdays(p_first date, p_last date) returns int language sql stable as $$
  select case when p_last < p_first then 0 else (
    (select sum(s * (5 * floor(n / 7.0) + least(n - 7 * floor(n / 7.0) + 1, 5)))
     from (values (1, p_last - date '1970-01-05'), (-1, p_first - 1 - date '1970-01-05')) as edge (s, n))
    + coalesce((select sum(case when is_workday then 1 else -1 end) from belfry.biz_calendar
                where day between p_first and p_last and is_workday <> (extract(isodow from day) < 6)), 0))::int end $$;

-- ---------------------------------------------------------------- progress (job 13)
create table belfry.project_progress_summary (   -- what boards show of a project; the percentage is also written back to erp.projects
  project_id bigint primary key,
  progress_pct numeric(5,2) not null,
  tasks_total int not null,
  tasks_done int not null,
  tasks_blocked int not null,
  tasks_overdue int not null,
  milestones_total int not null,
  milestones_done int not null,
  milestones_overdue int not null,
  planned_pct numeric(5,2),                  -- where the plan would be today; null without a plan that can be measured
  variance_pct numeric(6,2),                 -- planned minus actual
  calculated_at timestamptz not null,
  execution_id uuid);

-- ---------------------------------------------------------------- labor cost (job 37)
create table belfry.labor_cost_periods (
  period date primary key,                   -- the first day of the month
  status text not null default 'OPEN' check (status in ('OPEN', 'CALCULATED', 'LOCKED')),
  projects int not null default 0,
  users int not null default 0,
  hours numeric(14,2) not null default 0,
  amount numeric(16,2) not null default 0,
  overhead_hours numeric(14,2) not null default 0,   -- time without a project
  overhead_amount numeric(16,2) not null default 0,
  execution_id uuid,
  calculated_at timestamptz);

-- ---------------------------------------------------------------- rules
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('MILESTONE_RISK', '{"zh": "里程碑风险", "en": "Milestone at risk"}', 'MILESTONE_DUE', 'MILESTONE', '{}', true),
  ('COST_OVERRUN', '{"zh": "成本超支", "en": "Cost overrun"}', 'COST_OVERRUN', 'PROJECT', '{FIN}', true),
  ('WORKLOAD_OVERLOAD', '{"zh": "负荷超限", "en": "Workload overload"}', 'RESOURCE', 'USER', '{}', true),
  ('TASK_DELAY', '{"zh": "任务延期", "en": "Task delay"}', 'SCHEDULE_DELAY', 'PROJECT_TASK', '{}', true),
  ('WORK_ORDER_DELAY', '{"zh": "工单延期", "en": "Work order delay"}', 'SCHEDULE_DELAY', 'WORK_ORDER', '{}', true);
