-- What the jobs of production read and own (jobs 16, 17, 22, 23, 35 and M3).

-- ---------------------------------------------------------------- the contract: what is made, by whom, on which machine
create table erp.equipment (
  id bigint generated always as identity primary key,
  equipment_code text unique not null,
  equipment_name text not null,
  workshop_id bigint references erp.workshops,
  keeper_id bigint references erp.users,
  maintenance_cycle_days int,
  last_maintenance_date date,
  next_maintenance_date date,                -- null with a cycle: last date plus cycle
  status text not null default 'IDLE',       -- SCRAPPED: nobody maintains it any more
  is_key boolean not null default false,     -- its overdue maintenance is one level louder
  is_active boolean not null default true);
create index equipment_by_due_date on erp.equipment ((coalesce(next_maintenance_date, last_maintenance_date + maintenance_cycle_days)))
  where is_active and status <> 'SCRAPPED';

create table erp.work_reports (
  id bigint generated always as identity primary key,
  work_order_id bigint not null references erp.work_orders,
  worker_id bigint not null references erp.workers,
  report_type text not null check (report_type in ('START', 'PROGRESS', 'PAUSE', 'RESUME', 'COMPLETE')),
  report_time timestamptz not null,
  work_hours numeric(6,2),
  completed_qty numeric(14,4),
  qualified_qty numeric(14,4),
  defect_qty numeric(14,4),
  status text not null default 'PENDING' check (status in ('PENDING', 'APPROVED', 'REJECTED')));
create index last_report_of_an_order on erp.work_reports (work_order_id, report_time desc);
create index work_reports_by_time on erp.work_reports (report_time);

create table erp.production_exceptions (
  id bigint generated always as identity primary key,
  exception_no text unique not null,
  exception_type text not null,
  workshop_id bigint references erp.workshops,
  work_order_id bigint references erp.work_orders,
  report_time timestamptz not null,
  resolved_at timestamptz,
  status text not null);
create index production_exceptions_by_report on erp.production_exceptions (report_time);
create index production_exceptions_by_end on erp.production_exceptions (resolved_at) where resolved_at is not null;

create table erp.sales_order_lines (
  id bigint generated always as identity primary key,
  order_no text not null,
  line_no int not null,
  material_id bigint not null references erp.materials,
  open_qty numeric(14,4) not null,
  due_date date not null,
  priority int not null default 3,           -- 1 is served first on a day
  unique (order_no, line_no));
create index open_sales_lines_by_due_date on erp.sales_order_lines (due_date) where open_qty > 0;

create table erp.outsourcing_order_items (   -- lines of erp.outsourcing_orders, which 0011 makes
  id bigint generated always as identity primary key,
  order_id bigint not null,
  material_id bigint not null references erp.materials,
  quantity numeric(14,4) not null,
  received_qty numeric(14,4) not null default 0);
create index open_outsourcing_lines on erp.outsourcing_order_items (order_id) where received_qty < quantity;

-- A bill belongs to a project's machine, or says what one piece of a material is made of: so a bill has levels (M3).
alter table erp.bom_headers add material_id bigint references erp.materials;
create index released_boms_of_a_material on erp.bom_headers (material_id, id desc) where is_latest and status = 'RELEASED' and material_id is not null;
alter table erp.work_orders add equipment_id bigint references erp.equipment;       -- the machine it is made on
create index open_work_orders_of_equipment on erp.work_orders (equipment_id, plan_start_date)
  where equipment_id is not null and status in ('PENDING', 'ASSIGNED', 'STARTED', 'PAUSED');
create index work_orders_of_a_plan on erp.work_orders (production_plan_id) where production_plan_id is not null;
create index work_orders_by_end on erp.work_orders ((coalesce(plan_end_date, plan_start_date))) where status <> 'CANCELLED';
alter table erp.production_plans alter progress drop not null;                      -- null counts as 0 (rulebook job 16)
create index running_plans on erp.production_plans (plan_end_date) where status in ('PUBLISHED', 'EXECUTING');

-- ---------------------------------------------------------------- daily reports (jobs 22 and 23)
create table belfry.production_daily_reports (
  report_date date not null,
  workshop_id bigint,                        -- null: the plant
  plan_qty numeric(20,2) not null,
  completed_qty numeric(20,2) not null,
  completion_rate numeric(7,2) not null,     -- at most 999.99
  plan_hours numeric(20,2) not null,
  actual_hours numeric(20,2) not null,
  earned_hours numeric(30,2) not null,       -- as wide as any report over any plan (D-47)
  overtime_hours numeric(20,2) not null,
  efficiency numeric(30,2),                  -- earned / actual; null when nobody worked
  should_attend int not null,
  actual_attend int not null,
  leave_count int not null,
  total_qty numeric(20,2) not null,
  qualified_qty numeric(20,2) not null,
  defect_qty numeric(20,2) not null,
  pass_rate numeric(20,2),                   -- null when something was made and nobody said how well
  new_exception_count int not null,
  resolved_exception_count int not null,
  summary jsonb not null,                    -- one sentence: {"zh", "en"}
  status text not null default 'AUTO' check (status in ('AUTO', 'CONFIRMED')),     -- CONFIRMED by a supervisor: nobody writes it again
  execution_id uuid,
  calculated_at timestamptz not null,
  unique nulls not distinct (report_date, workshop_id));

-- ---------------------------------------------------------------- the production plan (M3)
create table belfry.planned_orders (
  id bigint generated always as identity primary key,
  plan_version text not null,                -- the business day of the run, 2026-03-02
  material_id bigint not null,
  order_type text not null check (order_type in ('MAKE', 'BUY', 'OUTSOURCE')),
  qty numeric(20,4) not null,
  release_date date not null,
  due_date date not null,
  pegging jsonb not null default '[]',       -- [{"for", "no", "qty", "due"}]: what the pieces are for
  status text not null default 'PROPOSED' check (status in ('PROPOSED', 'FIRMED', 'RELEASED', 'SUPERSEDED')),
  exception_code text check (exception_code in ('RELEASE_LATE', 'NO_BOM', 'NO_LEAD_TIME')),
  execution_id uuid,
  unique (plan_version, material_id, due_date, order_type));
create index proposed_orders on belfry.planned_orders (plan_version) where status = 'PROPOSED';
create index binding_planned_orders on belfry.planned_orders (material_id) where status in ('FIRMED', 'RELEASED');

create table belfry.plan_exceptions (        -- what a planner should look at, by plan
  plan_version text not null,
  code text not null check (code in ('RELEASE_LATE', 'EXPEDITE', 'DEFER', 'CANCEL', 'CAPACITY', 'NO_BOM', 'NO_LEAD_TIME')),
  subject text not null,                     -- the planned order, the purchase line, the workshop's day: unique with version and code
  material_id bigint,
  workshop_id bigint,
  qty numeric(20,4),
  day date,                                  -- when it comes, is to be released, or is full
  wanted date,                               -- when it is needed; null: not at all
  facts jsonb not null default '{}',
  execution_id uuid,
  primary key (plan_version, code, subject));

-- ---------------------------------------------------------------- rules (rulebook 5.5)
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('PRODUCTION_PLAN', '{"zh": "生产计划偏差", "en": "Production plan deviation"}', 'SCHEDULE_DELAY', 'PRODUCTION_PLAN', '{}', true),
  ('WORK_REPORT_TIMEOUT', '{"zh": "报工超时", "en": "Work report overdue"}', 'SCHEDULE_DELAY', 'WORK_ORDER', '{}', true),
  ('EQUIPMENT_MAINTENANCE', '{"zh": "设备保养逾期", "en": "Equipment maintenance overdue"}', 'EQUIPMENT', 'EQUIPMENT', '{EQUIP}', true),
  ('PLAN_EXCEPTION', '{"zh": "生产计划异常", "en": "Production plan exception"}', 'SCHEDULE_DELAY', 'MATERIAL', '{PROD}', true);
