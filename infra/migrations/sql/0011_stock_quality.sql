-- What the jobs of materials, stock and purchasing read beside 0003, and what they own.

-- ---------------------------------------------------------------- read: outsourcing, specifications, shortage reports, the stock ledger
create table erp.outsourcing_orders (
  id bigint generated always as identity primary key,
  order_no text unique not null,
  order_title text,
  vendor_id bigint references erp.suppliers,
  project_id bigint references erp.projects,
  required_date date,
  estimated_date date,
  actual_date date,
  status text not null default 'DRAFT' check (status in ('DRAFT', 'CONFIRMED', 'IN_PROGRESS', 'DELIVERED', 'INSPECTED', 'COMPLETED', 'CANCELLED')),
  buyer_id bigint references erp.users);
create index running_outsourcing on erp.outsourcing_orders (required_date, id) where status in ('CONFIRMED', 'IN_PROGRESS');

create table erp.spec_requirements (
  id bigint generated always as identity primary key,
  project_id bigint not null references erp.projects,
  material_code text,                        -- null: found by the material's name
  material_name text not null,
  specification text not null,
  brand text,
  model text,
  key_parameters jsonb not null default '{}',
  requirement_level text not null default 'REQUIRED' check (requirement_level in ('REQUIRED', 'OPTIONAL', 'STRICT')),
  updated_at timestamptz not null default now());
create index spec_requirements_of_a_project on erp.spec_requirements (project_id, material_code);

create table erp.shortage_reports (
  id bigint generated always as identity primary key,
  report_no text unique not null,
  project_id bigint references erp.projects,
  work_order_id bigint references erp.work_orders,
  material_id bigint references erp.materials,
  report_time timestamptz not null,
  resolved_at timestamptz,
  status text not null);
create index shortage_reports_by_time on erp.shortage_reports (report_time);
create index shortage_reports_by_end on erp.shortage_reports (resolved_at) where resolved_at is not null;

create table erp.inventory_transactions (
  id bigint generated always as identity primary key,
  inventory_id bigint not null references erp.inventories,
  type text not null check (type in ('IN', 'OUT', 'TRANSFER', 'ADJUST')),
  quantity numeric(14,4) not null,
  source_type text,
  source_id bigint,
  occurred_at timestamptz not null);
create index movements_of_an_inventory on erp.inventory_transactions (inventory_id, occurred_at);

-- What the daily reports ask of tables that 0003 made.
create index goods_receipts_of_a_day on erp.goods_receipts (receipt_date);
create index lines_by_promised_day on erp.purchase_order_items (promised_date);
create index lines_by_required_day on erp.purchase_order_items (required_date) where promised_date is null;
create index orders_by_due_day on erp.purchase_orders ((coalesce(promised_date, required_date)));
create index orders_of_a_project on erp.purchase_orders (project_id) where status in ('APPROVED', 'ORDERED', 'PARTIAL_RECEIVED');
create index boms_of_a_project on erp.bom_headers (project_id) where is_latest and status in ('APPROVED', 'RELEASED');

-- ---------------------------------------------------------------- specification matches (job 3)
create table belfry.spec_match_records (     -- one row a line: its best requirement, and what speaks against it
  id bigint generated always as identity primary key,
  project_id bigint not null,
  requirement_id bigint not null,
  match_type text not null check (match_type in ('PURCHASE_ORDER', 'BOM')),
  match_target_id bigint not null,
  match_status text not null check (match_status in ('MATCHED', 'MISMATCHED', 'UNKNOWN')),
  match_score numeric(5,2),                  -- null: nothing to compare
  differences jsonb not null default '[]',   -- [{"part", "name", "required", "actual", "similarity"}]
  input_hash text not null,                  -- of the line and its requirement: an approved deviation holds for it
  candidates_hash text not null,             -- of the line, every requirement it could have, and the limits: same hash, same answer
  checked_at timestamptz not null,
  execution_id uuid,
  unique (match_type, match_target_id, requirement_id));
create index mismatches on belfry.spec_match_records (match_type, match_target_id) where match_status = 'MISMATCHED';

-- ---------------------------------------------------------------- the shortage report (job 24)
create table belfry.shortage_daily_reports (
  report_date date primary key,
  new_alerts int not null,
  resolved_alerts int not null,
  pending_alerts int not null,               -- as of the end of the day, like the next five
  overdue_alerts int not null,
  level1_count int not null,                 -- INFO
  level2_count int not null,
  level3_count int not null,
  level4_count int not null,                 -- URGENT
  new_reports int not null,
  resolved_reports int not null,
  total_work_orders int,                     -- null, like the next two: nobody checked kits that day
  kit_complete_count int,
  kit_rate numeric(5,2),
  expected_arrivals int not null,
  actual_arrivals int not null,
  delayed_arrivals int not null,
  on_time_rate numeric(5,2),                 -- null without arrivals
  avg_response_minutes int,
  avg_resolve_hours numeric(12,2),
  stoppage_count int not null,
  stoppage_hours numeric(20,2) not null,     -- wider than any sum of days and hours (D-47)
  execution_id uuid,
  calculated_at timestamptz not null);
create index alerts_of_a_rule on belfry.alert_records (rule_id, triggered_at);
create index shortages_by_time on belfry.material_shortages (created_at) where impact_type = 'STOP';

-- ---------------------------------------------------------------- stock-takes (job M1)
create table belfry.inventory_checks (
  id bigint generated always as identity primary key,
  check_no text unique not null,
  period_key text not null check (period_key ~ '^\d{4}-\d{2}$'),
  warehouse_id bigint not null,
  scope text not null check (scope in ('all', 'A', 'B', 'C', 'zero', 'negative')),
  status text not null default 'DRAFT' check (status in ('DRAFT', 'COUNTING', 'REVIEW', 'POSTED', 'CANCELLED')),
  snapshot_at timestamptz not null,
  owner_id bigint,
  due_date date not null,
  lines int not null,
  diff_lines int,                            -- null until counted, like the next two
  diff_value numeric(20,2),
  needs_approval boolean,
  approved_by bigint,
  posted_at timestamptz,
  execution_id uuid,
  unique (period_key, warehouse_id, scope));
create index sheets_being_counted on belfry.inventory_checks (due_date) where status in ('DRAFT', 'COUNTING');

create table belfry.inventory_check_lines (
  check_id bigint references belfry.inventory_checks on delete cascade,
  inventory_id bigint not null,
  book_qty numeric(14,4) not null,
  recomputed_qty numeric(20,4),              -- the ledger's sum; null where nobody keeps a ledger
  flags text[] not null default '{}',
  counted_qty numeric(14,4),
  counted_at timestamptz,                    -- movements up to then belong to the book
  recounted boolean not null default false,  -- the second count is what counted_qty says
  diff_qty numeric(20,4),
  diff_value numeric(20,2),
  next_step text check (next_step in ('SECOND_COUNT', 'APPROVAL')),
  primary key (check_id, inventory_id));

-- A sheet goes one way and is posted once; what still waits for a second count or an approval is not posted at all.
create function belfry.refuse_illegal_sheet_move() returns trigger language plpgsql as $$
begin
  if old.status in ('POSTED', 'CANCELLED') then
    raise exception 'sheet % is % and may not change', old.check_no, old.status using errcode = 'check_violation';
  end if;
  if new.status <> old.status and (old.status, new.status) not in
     (('DRAFT', 'COUNTING'), ('COUNTING', 'REVIEW'), ('REVIEW', 'COUNTING'), ('REVIEW', 'POSTED'),
      ('DRAFT', 'CANCELLED'), ('COUNTING', 'CANCELLED'), ('REVIEW', 'CANCELLED')) then
    raise exception 'sheet % is % and may not become %', old.check_no, old.status, new.status using errcode = 'check_violation';
  end if;
  if new.status = 'POSTED' and coalesce(new.needs_approval, true) and new.approved_by is null then
    raise exception 'sheet % waits for an approval', old.check_no using errcode = 'check_violation';
  end if;
  if new.status = 'POSTED' and exists (
      select from belfry.inventory_check_lines l
      where l.check_id = new.id and (l.counted_qty is null or l.next_step = 'SECOND_COUNT' and not l.recounted)) then
    raise exception 'sheet % has lines to count', old.check_no using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger legal_sheet_moves before update on belfry.inventory_checks
  for each row execute function belfry.refuse_illegal_sheet_move();

-- ---------------------------------------------------------------- the rules
insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('OUTSOURCING_DELIVERY', '{"zh": "外协交期", "en": "Outsourcing delivery"}', 'DELIVERY_DUE', 'OUTSOURCING_ORDER', '{}', true),
  ('SPEC_MISMATCH', '{"zh": "规格不匹配", "en": "Specification mismatch"}', 'SPECIFICATION_MISMATCH', 'PURCHASE_ORDER_ITEM', '{QA}', true),
  ('STOCK_NEGATIVE', '{"zh": "库存为负", "en": "Negative stock"}', 'MATERIAL_SHORTAGE', 'INVENTORY', '{WH,FIN}', true),
  ('STOCK_LEDGER_DIFF', '{"zh": "库存账实流水不符", "en": "Stock differs from its ledger"}', 'MATERIAL_SHORTAGE', 'INVENTORY', '{WH,FIN}', true),
  ('STOCK_BELOW_SAFETY', '{"zh": "低于安全库存", "en": "Stock below safety level"}', 'MATERIAL_SHORTAGE', 'INVENTORY', '{WH,FIN}', false);
