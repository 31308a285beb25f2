-- The contract: what the company's own system owns and the jobs read. Here it is real tables (demo, tests). A company drops this
-- schema and creates views of the same names and columns over its own tables; nothing in belfry has a foreign key into it.
create schema erp;

-- ---------------------------------------------------------------- people
create table erp.departments (
  id bigint generated always as identity primary key,
  dept_code text unique not null,
  dept_name text not null,
  parent_id bigint references erp.departments,
  manager_user_id bigint,                    -- no foreign key: a manager is a member, and members point here
  is_active boolean not null default true);

create table erp.positions (
  id bigint generated always as identity primary key,
  position_code text unique not null,
  position_name text not null);

create table erp.users (
  id bigint generated always as identity primary key,
  username text unique not null,
  real_name text,
  email text,
  phone text,
  wechat_userid text,
  department_id bigint references erp.departments,
  position_id bigint references erp.positions,
  manager_id bigint references erp.users,
  language text not null default 'zh' check (language in ('zh', 'en')),
  time_zone text not null default 'Asia/Shanghai',
  is_active boolean not null default true,
  is_superuser boolean not null default false);
create index users_by_department on erp.users (department_id);

create table erp.roles (
  id bigint generated always as identity primary key,
  role_code text unique not null,
  role_name text not null,
  permissions text[] not null default '{}',
  is_active boolean not null default true);

create table erp.user_roles (
  user_id bigint references erp.users,
  role_id bigint references erp.roles,
  primary key (user_id, role_id));
create index user_roles_by_role on erp.user_roles (role_id);

-- ---------------------------------------------------------------- projects
create table erp.customers (
  id bigint generated always as identity primary key,
  customer_name text not null);

create table erp.projects (
  id bigint generated always as identity primary key,
  project_code text unique not null,
  project_name text not null,
  customer_id bigint references erp.customers,
  stage text not null default 'S1',
  status text not null default 'ST01',
  health text not null default 'H1' check (health in ('H1', 'H2', 'H3', 'H4')),
  progress_pct numeric(5,2) not null default 0,
  planned_start_date date,
  planned_end_date date,
  actual_start_date date,
  actual_end_date date,
  budget_amount numeric(14,2),
  actual_cost numeric(14,2),
  pm_id bigint references erp.users,
  dept_id bigint references erp.departments,
  is_active boolean not null default true,
  is_archived boolean not null default false);

create table erp.machines (
  id bigint generated always as identity primary key,
  project_id bigint not null references erp.projects,
  machine_code text not null,
  machine_name text,
  unique (project_id, machine_code));

create table erp.project_milestones (
  id bigint generated always as identity primary key,
  project_id bigint not null references erp.projects,
  milestone_code text not null,
  milestone_name text not null,
  planned_date date not null,
  actual_date date,
  status text not null default 'PENDING' check (status in ('PENDING', 'IN_PROGRESS', 'DELAYED', 'COMPLETED', 'CANCELLED')),
  is_key boolean not null default false,
  reminder_days int,
  owner_id bigint references erp.users);
create index milestones_of_a_project on erp.project_milestones (project_id);
create index open_milestones_by_date on erp.project_milestones (planned_date) where status not in ('COMPLETED', 'CANCELLED');

create table erp.project_tasks (
  id bigint generated always as identity primary key,
  project_id bigint not null references erp.projects,
  milestone_id bigint references erp.project_milestones,
  task_name text not null,
  status text not null default 'TODO' check (status in ('TODO', 'IN_PROGRESS', 'BLOCKED', 'DONE', 'CANCELLED')),
  owner_id bigint references erp.users,
  plan_start date,
  plan_end date,
  actual_start date,
  actual_end date,
  progress_percent int not null default 0,
  weight numeric(7,2) not null default 1,
  is_critical boolean not null default false,
  updated_at timestamptz not null default now());
create index tasks_of_a_project on erp.project_tasks (project_id);
create index blocked_tasks_of_a_project on erp.project_tasks (project_id) where status = 'BLOCKED';
create index open_tasks_of_an_owner on erp.project_tasks (owner_id, plan_end) where status not in ('DONE', 'CANCELLED');

create table erp.project_costs (
  id bigint generated always as identity primary key,
  project_id bigint not null references erp.projects,
  cost_type text not null,
  cost_category text,
  source_module text,
  source_type text,
  source_id bigint,
  source_no text,
  period date,
  amount numeric(14,2) not null,
  hours numeric(10,2),
  cost_date date not null,
  description text,
  run_id uuid);
create index costs_of_a_project on erp.project_costs (project_id) include (amount);
create unique index one_labor_cost on erp.project_costs (project_id, source_id, period)
  where source_module = 'TIMESHEET' and source_type = 'LABOR_COST';

-- ---------------------------------------------------------------- issues
create table erp.issues (
  id bigint generated always as identity primary key,
  issue_no text unique not null,
  title text not null,
  category text not null default 'PROJECT',
  issue_type text not null check (issue_type in ('DEFECT', 'DEVIATION', 'RISK', 'BLOCKER', 'SUGGESTION', 'QUESTION', 'OTHER')),
  severity text not null check (severity in ('CRITICAL', 'MAJOR', 'MINOR')),
  priority text not null default 'MEDIUM' check (priority in ('LOW', 'MEDIUM', 'HIGH', 'URGENT')),
  status text not null default 'OPEN' check (status in ('OPEN', 'PROCESSING', 'RESOLVED', 'CLOSED', 'CANCELLED', 'DEFERRED', 'DELETED')),
  project_id bigint references erp.projects,
  task_id bigint references erp.project_tasks,
  is_blocking boolean not null default false,
  reporter_id bigint references erp.users,
  assignee_id bigint references erp.users,
  due_date date,
  created_at timestamptz not null,
  resolved_at timestamptz,
  closed_at timestamptz,
  last_follow_up_at timestamptz);
create index open_issues_by_due_date on erp.issues (due_date) where status in ('OPEN', 'PROCESSING');
create index open_issues_of_a_project on erp.issues (project_id, priority) where status in ('OPEN', 'PROCESSING');
create index contradictory_issues on erp.issues (id) where status in ('OPEN', 'PROCESSING') and closed_at is not null;
create index open_blocking_issues on erp.issues (created_at)
  where status in ('OPEN', 'PROCESSING') and (is_blocking or issue_type = 'BLOCKER');

create table erp.issue_follow_ups (
  id bigint generated always as identity primary key,
  issue_id bigint not null references erp.issues,
  follow_up_type text not null,
  content text not null,
  operator_id bigint,
  operator_name text not null default 'SYSTEM',
  old_value text,
  new_value text,
  run_id uuid,
  created_at timestamptz not null default now());
create index follow_ups_of_an_issue on erp.issue_follow_ups (issue_id, created_at);

-- ---------------------------------------------------------------- materials and bills of material
create table erp.suppliers (
  id bigint generated always as identity primary key,
  supplier_code text unique not null,
  supplier_name text not null);

create table erp.warehouses (
  id bigint generated always as identity primary key,
  warehouse_code text unique not null,
  warehouse_name text not null,
  keeper_id bigint references erp.users,
  is_active boolean not null default true);

create table erp.materials (
  id bigint generated always as identity primary key,
  material_code text unique not null,
  material_name text not null,
  specification text,
  brand text,
  model text,
  unit text,
  material_type text not null default 'PURCHASE' check (material_type in ('PURCHASE', 'MAKE', 'OUTSOURCE')),
  abc_class text,
  is_key_material boolean not null default false,
  safety_stock numeric(14,4) not null default 0,
  lead_time_days int not null default 0,
  min_order_qty numeric(14,4) not null default 1,
  standard_price numeric(14,4),
  default_supplier_id bigint references erp.suppliers,
  buyer_id bigint references erp.users,
  is_active boolean not null default true);

create table erp.inventories (               -- its unique index also finds the stock of a material
  id bigint generated always as identity primary key,
  material_id bigint not null references erp.materials,
  warehouse_id bigint not null references erp.warehouses,
  batch_no text not null default '',
  quantity numeric(14,4) not null default 0,
  reserved_qty numeric(14,4) not null default 0,
  frozen_qty numeric(14,4) not null default 0,
  last_counted_at timestamptz,
  updated_at timestamptz not null default now(),
  unique (material_id, warehouse_id, batch_no));

create table erp.bom_headers (
  id bigint generated always as identity primary key,
  bom_no text unique not null,
  project_id bigint references erp.projects,
  machine_id bigint references erp.machines,
  is_latest boolean not null default true,
  status text not null default 'DRAFT' check (status in ('DRAFT', 'APPROVED', 'RELEASED', 'OBSOLETE')));
create index released_boms_of_a_machine on erp.bom_headers (machine_id, id desc) where is_latest and status = 'RELEASED';

create table erp.bom_items (
  id bigint generated always as identity primary key,
  bom_id bigint not null references erp.bom_headers,
  material_id bigint references erp.materials,
  specification text,
  brand text,
  model text,
  quantity numeric(14,4) not null,
  unit_price numeric(14,4),
  required_date date,
  received_qty numeric(14,4) not null default 0,
  is_key_item boolean not null default false,
  updated_at timestamptz not null default now());
create index items_of_a_bom on erp.bom_items (bom_id);

-- ---------------------------------------------------------------- purchasing
create table erp.purchase_orders (
  id bigint generated always as identity primary key,
  order_no text unique not null,
  supplier_id bigint references erp.suppliers,
  project_id bigint references erp.projects,
  status text not null default 'DRAFT' check (status in ('DRAFT', 'PENDING_APPROVAL', 'APPROVED', 'REJECTED', 'ORDERED',
    'PARTIAL_RECEIVED', 'RECEIVED', 'COMPLETED', 'CANCELLED')),
  required_date date,
  promised_date date,
  buyer_id bigint references erp.users,
  order_title text);
create index open_orders on erp.purchase_orders (id) where status in ('APPROVED', 'ORDERED', 'PARTIAL_RECEIVED');

create table erp.purchase_order_items (
  id bigint generated always as identity primary key,
  order_id bigint not null references erp.purchase_orders,
  material_id bigint references erp.materials,
  bom_item_id bigint references erp.bom_items,
  specification text,
  brand text,
  model text,
  quantity numeric(14,4) not null,
  received_qty numeric(14,4) not null default 0,
  required_date date,
  promised_date date,
  unit_price numeric(14,4),
  updated_at timestamptz not null default now());
create index lines_of_an_order on erp.purchase_order_items (order_id);
create index open_lines_of_an_order on erp.purchase_order_items (order_id, required_date) where received_qty < quantity;
create index open_lines_of_a_material on erp.purchase_order_items (material_id) where received_qty < quantity;

create table erp.goods_receipts (
  id bigint generated always as identity primary key,
  receipt_no text unique not null,
  order_id bigint not null references erp.purchase_orders,
  receipt_date date not null,
  status text not null);
create index receipts_of_an_order on erp.goods_receipts (order_id);

create table erp.goods_receipt_items (
  id bigint generated always as identity primary key,
  receipt_id bigint not null references erp.goods_receipts,
  order_item_id bigint not null references erp.purchase_order_items,
  received_qty numeric(14,4) not null,
  qualified_qty numeric(14,4),
  expected_date date);
create index items_of_a_receipt on erp.goods_receipt_items (receipt_id);
create index receipts_of_a_line on erp.goods_receipt_items (order_item_id);

-- ---------------------------------------------------------------- production
create table erp.workshops (
  id bigint generated always as identity primary key,
  workshop_code text unique not null,
  workshop_name text not null,
  manager_id bigint references erp.users,
  daily_hours numeric(5,2) not null default 8,
  is_active boolean not null default true);

create table erp.workers (
  id bigint generated always as identity primary key,
  worker_no text unique not null,
  worker_name text not null,
  user_id bigint references erp.users,
  workshop_id bigint references erp.workshops,
  status text not null default 'ACTIVE' check (status in ('ACTIVE', 'LEAVE', 'RESIGNED')),
  entry_date date,
  leave_date date);

create table erp.worker_leaves (
  worker_id bigint references erp.workers,
  day date,
  hours numeric(4,2) not null default 8,
  primary key (worker_id, day));

create table erp.production_plans (
  id bigint generated always as identity primary key,
  plan_no text unique not null,
  plan_name text not null,
  plan_type text not null default 'MASTER',
  project_id bigint references erp.projects,
  workshop_id bigint references erp.workshops,
  plan_start_date date not null,
  plan_end_date date not null,
  status text not null default 'DRAFT' check (status in ('DRAFT', 'SUBMITTED', 'APPROVED', 'PUBLISHED', 'EXECUTING', 'COMPLETED', 'CANCELLED')),
  progress numeric(5,2) not null default 0,
  owner_id bigint references erp.users);

create table erp.work_orders (
  id bigint generated always as identity primary key,
  work_order_no text unique not null,
  task_name text not null,
  project_id bigint references erp.projects,
  machine_id bigint references erp.machines,
  bom_id bigint references erp.bom_headers,
  production_plan_id bigint references erp.production_plans,
  workshop_id bigint references erp.workshops,
  plan_qty numeric(14,4) default 1,          -- null counts as 1 (rulebook job 18)
  completed_qty numeric(14,4) not null default 0,
  standard_hours numeric(10,2),
  plan_start_date date,
  plan_end_date date,
  actual_start_time timestamptz,
  assigned_worker_id bigint references erp.workers,
  status text not null default 'PENDING' check (status in ('PENDING', 'ASSIGNED', 'STARTED', 'PAUSED', 'COMPLETED', 'APPROVED', 'CANCELLED')),
  priority text not null default 'NORMAL');
create index unfinished_work_orders on erp.work_orders (plan_start_date, id) where status in ('PENDING', 'ASSIGNED', 'STARTED');
create index work_orders_of_a_project on erp.work_orders (project_id);

-- ---------------------------------------------------------------- people's time
create table erp.resource_allocations (
  id bigint generated always as identity primary key,
  user_id bigint not null references erp.users,
  project_id bigint references erp.projects,
  task_id bigint references erp.project_tasks,
  start_date date not null,
  end_date date not null,
  allocation_percent numeric(7,2) not null default 100,
  planned_hours numeric(10,2),
  status text not null default 'PLANNED');
create index allocations_of_a_user on erp.resource_allocations (user_id, end_date);
create index allocations_of_a_project on erp.resource_allocations (project_id);

create table erp.timesheets (
  id bigint generated always as identity primary key,
  user_id bigint not null references erp.users,
  project_id bigint references erp.projects,
  work_date date not null,
  hours numeric(5,2) not null,
  overtime_type text not null default 'NORMAL' check (overtime_type in ('NORMAL', 'OVERTIME', 'WEEKEND', 'HOLIDAY')),
  status text not null default 'DRAFT' check (status in ('DRAFT', 'SUBMITTED', 'APPROVED', 'REJECTED')),
  approved_at timestamptz);
create index timesheets_of_a_user on erp.timesheets (user_id, work_date);
