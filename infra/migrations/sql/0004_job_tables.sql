-- What the first ten jobs own: health, snapshots, kit checks, shortages. Keys are erp ids, without foreign keys: erp may be views.

-- ---------------------------------------------------------------- project health (jobs 1, 2, 6)
create table belfry.project_health (         -- why a project has its colour; the colour itself is also written back to erp.projects
  project_id bigint primary key,
  health text not null check (health in ('H1', 'H2', 'H3', 'H4')),
  reasons jsonb not null default '[]',       -- [{"code", "count", "sample"}]
  updated_at timestamptz not null default belfry.clock(),
  execution_id uuid);

create table belfry.project_status_logs (
  id bigint generated always as identity primary key,
  project_id bigint not null,
  change_type text not null,
  old_health text,
  new_health text,
  old_status text,
  new_status text,
  reasons jsonb not null default '[]',
  changed_by bigint,                         -- null: calculated
  changed_at timestamptz not null default belfry.clock(),
  remark text,
  execution_id uuid);
create index status_logs_of_a_project on belfry.project_status_logs (project_id, changed_at desc);

create table belfry.project_health_snapshots (
  project_id bigint not null,
  snapshot_date date not null,
  overall_health text not null check (overall_health in ('H1', 'H2', 'H3', 'H4')),
  schedule_health text check (schedule_health in ('H1', 'H2', 'H3', 'H4')),
  cost_health text check (cost_health in ('H1', 'H2', 'H3', 'H4')),
  quality_health text check (quality_health in ('H1', 'H2', 'H3', 'H4')),
  resource_health text check (resource_health in ('H1', 'H2', 'H3', 'H4')),
  health_score int,                          -- null for H4
  open_alerts int not null,
  blocking_issues int not null,
  milestone_delayed int not null,
  milestone_on_track int,
  schedule_variance numeric(9,2),            -- points: planned minus actual progress
  cost_variance numeric(20,2),               -- money: actual cost minus budget
  budget_used_pct numeric(20,2),             -- a cost of any size over a budget of 0.01 still fits (D-47)
  kit_rate numeric(5,2),
  top_risks jsonb not null default '[]',
  execution_id uuid,
  created_at timestamptz not null default belfry.clock(),
  primary key (project_id, snapshot_date));
create index snapshots_of_a_day on belfry.project_health_snapshots (snapshot_date);

-- ---------------------------------------------------------------- kit checks (job 18)
create table belfry.kit_checks (
  id bigint generated always as identity primary key,
  work_order_id bigint not null,
  bom_id bigint,                             -- the bill that was checked; null with NO_BOM
  check_date date not null,
  check_time timestamptz not null,
  method text not null default 'AUTO' check (method in ('AUTO', 'MANUAL')),
  total_items int not null,
  fulfilled_items int not null,
  in_transit_items int not null,
  shortage_items int not null,
  kit_rate numeric(5,2),                     -- null with NO_BOM
  start_kit_rate numeric(5,2),
  kit_status text not null check (kit_status in ('COMPLETE', 'PARTIAL', 'SHORTAGE', 'NO_BOM')),
  can_start boolean not null default false,
  execution_id uuid);
create unique index one_auto_kit_check on belfry.kit_checks (work_order_id, check_date) where method = 'AUTO';
create index kit_checks_of_a_day on belfry.kit_checks (check_date);
create index kit_checks_of_an_order on belfry.kit_checks (work_order_id, check_date desc, check_time desc);

create table belfry.kit_check_items (
  kit_check_id bigint references belfry.kit_checks on delete cascade,
  material_id bigint not null,
  required_qty numeric(20,4) not null,       -- BOM quantity times plan quantity: wider than either
  on_hand_alloc numeric(20,4) not null,
  in_transit_alloc numeric(20,4) not null,
  shortage_qty numeric(20,4) not null,
  eta_date date,
  item_status text not null check (item_status in ('FULFILLED', 'IN_TRANSIT', 'SHORTAGE')),
  primary key (kit_check_id, material_id));

-- ---------------------------------------------------------------- shortages (job 14)
create table belfry.material_shortages (
  id bigint generated always as identity primary key,
  project_id bigint,
  work_order_id bigint,
  bom_item_id bigint,
  material_id bigint not null,
  required_qty numeric(20,4) not null,
  available_qty numeric(20,4) not null,
  in_transit_qty numeric(20,4) not null default 0,
  shortage_qty numeric(20,4) not null,
  required_date date,
  eta_date date,
  impact_type text not null default 'NONE' check (impact_type in ('NONE', 'DELAY', 'STOP', 'DELIVERY')),
  est_delay_days int,
  status text not null default 'OPEN' check (status in ('OPEN', 'HANDLING', 'RESOLVED', 'CANCELLED')),
  handler_id bigint,
  handle_start_at timestamptz,
  resolved_at timestamptz,
  created_at timestamptz not null default belfry.clock(),
  updated_at timestamptz not null default belfry.clock(),
  execution_id uuid);
create unique index one_open_shortage on belfry.material_shortages (coalesce(work_order_id, 0), coalesce(bom_item_id, 0), material_id)
  where status in ('OPEN', 'HANDLING');
create index open_shortages_of_a_material on belfry.material_shortages (material_id) where status in ('OPEN', 'HANDLING');
create index open_shortages_of_a_project on belfry.material_shortages (project_id) where status in ('OPEN', 'HANDLING');
