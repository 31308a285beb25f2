-- Issues that nobody moves, the statistics of all of them, and engineering changes that wait (jobs 7, 34, 8, 27).

-- ---------------------------------------------------------------- issues: what finds the forgotten and the old ones
create index open_issues_by_last_touch on erp.issues ((coalesce(last_follow_up_at, created_at))) where status in ('OPEN', 'PROCESSING');
create index open_issues_by_age on erp.issues (priority, created_at) where status in ('OPEN', 'PROCESSING');
create index issues_by_resolution on erp.issues (resolved_at) where resolved_at is not null;

create table belfry.issue_escalations (       -- what only Belfry needs to know of an issue
  issue_id bigint primary key,
  priority text not null check (priority in ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),   -- as last seen: another one was set by a person
  priority_changed_at timestamptz,            -- null: not since the issue was raised
  last_auto_escalated_at timestamptz,         -- the last raise or hand-over, whichever of the two jobs it was
  escalation_tier int not null default 0 check (escalation_tier between 0 and 3),
  execution_id uuid);                         -- of that raise or hand-over
create index issues_by_escalation on belfry.issue_escalations (last_auto_escalated_at, execution_id) where last_auto_escalated_at is not null;

create table belfry.issue_statistics_snapshots (
  snapshot_date date primary key,
  total int not null,
  by_status jsonb not null,                   -- counts, and under "extras" the averages of the last 30 days
  by_severity jsonb not null,
  by_priority jsonb not null,
  by_type jsonb not null,
  by_category jsonb not null,
  by_project jsonb not null,                  -- project id -> count; "none": without a project
  blocking int not null,
  overdue int not null,
  new_count int not null,
  resolved_count int not null,
  closed_count int not null,
  avg_response_h numeric(12,2),               -- null: nothing was resolved that day
  avg_resolve_h numeric(12,2),
  execution_id uuid);

-- ---------------------------------------------------------------- engineering changes
create table erp.ecns (
  id bigint generated always as identity primary key,
  ecn_no text unique not null,
  ecn_title text not null,
  project_id bigint references erp.projects,
  status text not null default 'DRAFT',
  applicant_id bigint references erp.users);

create table erp.ecn_evaluations (
  id bigint generated always as identity primary key,
  ecn_id bigint not null references erp.ecns,
  eval_dept text not null,
  evaluator_id bigint references erp.users,
  status text not null default 'PENDING',
  created_at timestamptz not null,
  due_at timestamptz);
create index pending_ecn_evaluations on erp.ecn_evaluations (ecn_id) where status = 'PENDING';

create table erp.ecn_approvals (
  id bigint generated always as identity primary key,
  ecn_id bigint not null references erp.ecns,
  approval_level int not null,
  approval_role text not null,
  approver_id bigint references erp.users,
  status text not null default 'PENDING',
  created_at timestamptz not null default now(),
  due_at timestamptz);
create index pending_ecn_approvals on erp.ecn_approvals (ecn_id) where status = 'PENDING';

create table erp.ecn_tasks (
  id bigint generated always as identity primary key,
  ecn_id bigint not null references erp.ecns,
  task_name text not null,
  assignee_id bigint references erp.users,
  planned_end date,
  status text not null default 'PENDING');
create index unfinished_ecn_tasks on erp.ecn_tasks (planned_end) where status in ('PENDING', 'IN_PROGRESS');

-- ---------------------------------------------------------------- rules
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('ISSUE_ESCALATED', '{"zh": "问题已升级", "en": "Issue escalated"}', 'QUALITY_ISSUE', 'ISSUE', '{}', false),
  ('ECN_OVERDUE', '{"zh": "工程变更超时", "en": "Engineering change overdue"}', 'CHANGE', 'ECN_TASK', '{}', true);
