-- What the jobs that watch databases own: which instances there are, their accounts, their sizes by day and period, and the monthly
-- partitions that these tables (and the system's log) consist of.

create table belfry.db_instances (
  id bigint generated always as identity primary key,
  name text unique not null,
  db_type text not null check (db_type in ('POSTGRESQL', 'MYSQL', 'SQLSERVER', 'ORACLE')),   -- MYSQL is MariaDB too
  host text not null,
  port int not null check (port between 0 and 65535),   -- 0: as the credential says
  credential_ref text not null,                         -- the secret CREDENTIAL_<REF> holds the SQLAlchemy URL; never the URL itself
  is_active boolean not null default true,
  main_version text);

-- How the last look at an instance ended, one row a kind of look: who is due first, and for how many days in a row one has failed.
create table belfry.db_instance_checks (
  instance_id bigint not null references belfry.db_instances on delete cascade,
  kind text not null check (kind in ('ACCOUNTS', 'SIZES')),
  attempted_at timestamptz not null,
  succeeded_at timestamptz,
  failed_on date,                                       -- the last business day it failed on
  failed_days int not null default 0,                   -- in a row; 0 after a success
  error text,
  primary key (instance_id, kind));

create table belfry.db_instance_accounts (
  id bigint generated always as identity primary key,
  instance_id bigint not null references belfry.db_instances,
  username text not null,
  is_superuser boolean not null default false,
  is_locked boolean,                                    -- null: the engine does not say
  privileges jsonb not null default '{}',               -- scope -> sorted list of privileges
  privileges_hash text,
  is_active boolean not null default true,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  deleted_at timestamptz,
  last_change_type text,
  unique (instance_id, username));

create table belfry.db_account_changes (
  id bigint generated always as identity primary key,
  instance_id bigint not null references belfry.db_instances,
  username text not null,
  change_type text not null check (change_type in ('ADD', 'MODIFY_PRIVILEGE', 'MODIFY_OTHER', 'DEACTIVATE', 'REACTIVATE')),
  diff jsonb not null,
  run_id uuid,
  changed_at timestamptz not null);
create index account_changes_of_an_instance on belfry.db_account_changes (instance_id, id desc);
create index account_changes_of_a_run on belfry.db_account_changes (run_id, instance_id);

-- What one set of privileges grants and the other does not, as 'scope: privilege'.
create function belfry.privileges_beyond(p_these jsonb, p_those jsonb) returns jsonb language sql immutable as $$
  select coalesce(jsonb_agg(held order by held), '[]') from (
    select s.key || ': ' || g.value as held from jsonb_each(p_these) s cross join jsonb_array_elements_text(s.value) g
    except
    select s.key || ': ' || g.value from jsonb_each(p_those) s cross join jsonb_array_elements_text(s.value) g) x $$;

-- ---------------------------------------------------------------- sizes, a partition a month
create table belfry.database_size_stats (
  instance_id bigint not null,
  database_name text not null,
  collected_date date not null,
  size_mb bigint not null check (size_mb >= 0),
  data_size_mb bigint check (data_size_mb >= 0),
  log_size_mb bigint check (log_size_mb >= 0),
  collected_at timestamptz not null,
  primary key (instance_id, database_name, collected_date)) partition by range (collected_date);
create index database_sizes_of_a_day on belfry.database_size_stats (collected_date);
create table belfry.database_size_stats_default partition of belfry.database_size_stats default;

create table belfry.instance_size_stats (
  instance_id bigint not null,
  collected_date date not null,
  total_size_mb bigint not null check (total_size_mb >= 0),
  database_count int not null check (database_count >= 0),
  collected_at timestamptz not null,
  primary key (instance_id, collected_date)) partition by range (collected_date);
create table belfry.instance_size_stats_default partition of belfry.instance_size_stats default;

-- Percentages are wide: from 0.01 MB to a petabyte is no error.
create table belfry.database_size_aggregations (
  instance_id bigint not null,
  database_name text not null,
  period_type text not null check (period_type in ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY')),
  period_start date not null,
  period_end date not null,
  is_final boolean not null default true,
  avg_size_mb numeric(18,2) not null,
  max_size_mb bigint not null,
  min_size_mb bigint not null,
  avg_data_size_mb numeric(18,2),
  max_data_size_mb bigint,
  min_data_size_mb bigint,
  data_count int not null,
  expected_count int not null,
  size_change_mb numeric(18,2),
  size_change_percent numeric(24,2),
  data_size_change_mb numeric(18,2),
  data_size_change_percent numeric(24,2),
  growth_rate numeric(24,2),
  trend text check (trend in ('GROWING', 'SHRINKING', 'STABLE')),
  calculated_at timestamptz not null,
  primary key (instance_id, database_name, period_type, period_start)) partition by range (period_start);
create index database_aggregations_of_a_period on belfry.database_size_aggregations (period_type, period_start);
create table belfry.database_size_aggregations_default partition of belfry.database_size_aggregations default;

create table belfry.instance_size_aggregations (
  instance_id bigint not null,
  period_type text not null check (period_type in ('DAILY', 'WEEKLY', 'MONTHLY', 'QUARTERLY')),
  period_start date not null,
  period_end date not null,
  is_final boolean not null default true,
  avg_total_mb numeric(18,2) not null,
  max_total_mb bigint not null,
  min_total_mb bigint not null,
  avg_size_per_db_mb numeric(18,2),
  avg_database_count numeric(10,2),
  max_database_count int,
  min_database_count int,
  data_count int not null,
  expected_count int not null,
  total_change_mb numeric(18,2),
  total_change_percent numeric(24,2),
  database_count_change numeric(10,2),
  database_count_change_percent numeric(24,2),
  trend text check (trend in ('GROWING', 'SHRINKING', 'STABLE')),
  calculated_at timestamptz not null,
  primary key (instance_id, period_type, period_start)) partition by range (period_start);
create index instance_aggregations_of_a_period on belfry.instance_size_aggregations (period_type, period_start);
create table belfry.instance_size_aggregations_default partition of belfry.instance_size_aggregations default;

-- ---------------------------------------------------------------- partitions
-- Mirrors the catalog; what happened to a partition stays here after the partition is gone.
create table belfry.partition_registry (
  parent_table text not null,                           -- with its schema, as partition_name
  partition_name text primary key,
  range_start date not null,
  range_end date not null,
  status text not null check (status in ('ACTIVE', 'DETACHED', 'DROPPED')),
  row_estimate bigint,
  size_bytes bigint,
  checked_at timestamptz not null,
  announced_at timestamptz,                             -- when its end was told; nothing is detached untold
  detached_at timestamptz,
  exported_at timestamptz,                              -- set by whoever took a copy, where one is asked for before it is dropped
  dropped_at timestamptz);
create index partitions_of_a_table on belfry.partition_registry (parent_table, range_start);

-- A bound of a range partition as a day: of a date key as it stands, of an instant in the factory's zone. Null for any other key.
create function belfry.partition_bounds(p_bound text, out range_start date, out range_end date) language sql stable as $$
  select case when m[1] ~ '^\d{4}-\d\d-\d\d$' then m[1]::date else (m[1]::timestamptz at time zone 'Asia/Shanghai')::date end,
         case when m[2] ~ '^\d{4}-\d\d-\d\d$' then m[2]::date else (m[2]::timestamptz at time zone 'Asia/Shanghai')::date end
  from regexp_match(p_bound, '^FOR VALUES FROM \(''(\d{4}-\d\d-\d\d[^'']*)''\) TO \(''(\d{4}-\d\d-\d\d[^'']*)''\)$') m $$;

create view belfry.v_partitions as
  select i.inhparent as parent_id, pn.nspname || '.' || p.relname as parent_table, c.oid as partition_id,
         cn.nspname || '.' || c.relname as partition_name, c.relname as short_name, p.relname as parent_short_name,
         pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT' as is_default, b.range_start, b.range_end,
         greatest(c.reltuples, 0)::bigint as row_estimate, pg_total_relation_size(c.oid) as size_bytes
  from pg_inherits i join pg_class p on p.oid = i.inhparent and p.relkind = 'p' join pg_namespace pn on pn.oid = p.relnamespace
  join pg_class c on c.oid = i.inhrelid join pg_namespace cn on cn.oid = c.relnamespace
  left join lateral belfry.partition_bounds(pg_get_expr(c.relpartbound, c.oid)) b on true;

create function belfry.has_rows(p_table regclass) returns boolean language plpgsql as $$
declare v_found boolean;
begin
  execute format('select exists (select from %s)', p_table) into v_found;
  return v_found;
end $$;

-- The month's partition of a table, made if it is not there: exists | created | healed (its rows waited in the default partition) | failed,
-- with the reason. A lock that is not free within 3 s is tried three times. Names are quoted; only tables partitioned by range over one
-- column of dates or instants have months.
create function belfry.make_partition(p_parent text, p_month date, out outcome text, out detail text)
language plpgsql set lock_timeout = '3s' as $$
declare
  v_parent regclass := to_regclass(p_parent);
  v_month date := date_trunc('month', p_month::timestamp)::date;
  v_next date := (date_trunc('month', p_month::timestamp) + interval '1 month')::date;
  v_zone text := 'Asia/Shanghai';
  v_schema text; v_name text; v_column text; v_type regtype; v_default regclass;
  v_from text; v_to text; v_waiting boolean := false; v_moved bigint;
begin
  select n.nspname, c.relname || to_char(v_month, '_YYYY_MM'), a.attname, a.atttypid::regtype, nullif(p.partdefid, 0)::regclass
    into v_schema, v_name, v_column, v_type, v_default
  from pg_partitioned_table p join pg_class c on c.oid = p.partrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum = p.partattrs[0]
  where p.partrelid = v_parent and p.partstrat = 'r' and p.partnatts = 1
    and a.atttypid in ('date'::regtype, 'timestamp with time zone'::regtype);
  if v_name is null then
    outcome := 'failed'; detail := 'is not partitioned by range over a column of days or instants'; return;
  end if;
  for attempt in 1..3 loop
    begin
      execute format('lock table %s in share update exclusive mode', v_parent);
      if exists (select from belfry.v_partitions v
                 where v.parent_id = v_parent and v.range_start <= v_month and v.range_end >= v_next) then
        outcome := 'exists'; return;
      end if;
      if to_regclass(format('%I.%I', v_schema, v_name)) is not null then
        outcome := 'failed'; detail := format('%I.%I is there and is not a partition of it', v_schema, v_name); return;
      end if;
      if v_type = 'date'::regtype then
        v_from := v_month; v_to := v_next;
      else
        -- Months begin where those that are there begin.
        if exists (select from pg_inherits i join pg_class c on c.oid = i.inhrelid
                   cross join regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''(\d{4}-[^'']*)''\)') m
                   where i.inhparent = v_parent and extract(hour from m[1]::timestamptz at time zone 'UTC') = 0) then
          v_zone := 'UTC';
        end if;
        v_from := v_month::timestamp at time zone v_zone; v_to := v_next::timestamp at time zone v_zone;
      end if;
      if v_default is not null then
        execute format('select exists (select from %s where %I >= %L and %I < %L)', v_default, v_column, v_from, v_column, v_to)
          into v_waiting;
      end if;
      if v_waiting then
        execute format('create table %I.%I (like %s including defaults including constraints)', v_schema, v_name, v_parent);
        execute format('with moved as (delete from %s where %I >= %L and %I < %L returning *) insert into %I.%I select * from moved',
                       v_default, v_column, v_from, v_column, v_to, v_schema, v_name);
        get diagnostics v_moved = row_count;
        execute format('alter table %s attach partition %I.%I for values from (%L) to (%L)', v_parent, v_schema, v_name, v_from, v_to);
        outcome := 'healed'; detail := v_moved || ' rows'; return;
      end if;
      execute format('create table %I.%I partition of %s for values from (%L) to (%L)', v_schema, v_name, v_parent, v_from, v_to);
      outcome := 'created'; return;
    exception
      when lock_not_available or deadlock_detected then
        outcome := 'failed'; detail := sqlerrm;
      when others then
        outcome := 'failed'; detail := sqlerrm; return;
    end;
  end loop;
end $$;

-- Takes a month's partition out of its table. Refused for any that is not exactly what its name says, and for the current month and later.
create function belfry.detach_partition(p_partition text) returns void language plpgsql set lock_timeout = '3s' as $$
declare v record;
begin
  select * into v from belfry.v_partitions where partition_id = to_regclass(p_partition);
  if v.partition_id is null or v.is_default or v.range_start is null
     or v.short_name <> v.parent_short_name || to_char(v.range_start, '_YYYY_MM')
     or v.range_end <> (v.range_start + interval '1 month')::date then
    raise exception '% is not the partition of one month', p_partition using errcode = 'BF010';
  end if;
  if v.range_end > date_trunc('month', belfry.clock() at time zone 'Asia/Shanghai')::date then
    raise exception '% is of this month or later', p_partition using errcode = 'BF010';
  end if;
  execute format('alter table %s detach partition %s', v.parent_id::regclass, v.partition_id::regclass);
end $$;

-- Drops a table that was a partition, and was detached at least so long ago. Answers false when somebody else already did.
create function belfry.drop_partition(p_partition text, p_kept interval) returns boolean language plpgsql set lock_timeout = '3s' as $$
declare v_table regclass := to_regclass(p_partition);
begin
  if not exists (select from belfry.partition_registry r where r.partition_name = p_partition and r.status = 'DETACHED'
                 and r.detached_at <= belfry.clock() - p_kept) then
    raise exception '% was not detached that long ago', p_partition using errcode = 'BF010';
  end if;
  if v_table is null then
    return false;
  end if;
  if exists (select from pg_class c where c.oid = v_table and (c.relispartition or c.relkind <> 'r')) then
    raise exception '% is in use again', p_partition using errcode = 'BF010';
  end if;
  execute format('drop table %s', v_table);
  return true;
end $$;

insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('PARTITION_MISSING', '{"zh": "分区异常", "en": "Partition trouble"}', 'PLATFORM', 'DB_TABLE', '{DBA,SYS_ADMIN}', true),
  ('DB_ACCOUNT_SYNC_FAILED', '{"zh": "账户同步失败", "en": "Account sync failed"}', 'PLATFORM', 'DB_INSTANCE', '{DBA}', true),
  ('DB_PRIVILEGED_ACCOUNT', '{"zh": "新增高权限账户", "en": "New privileged account"}', 'PLATFORM', 'DB_ACCOUNT', '{DBA}', true),
  ('DB_CAPACITY_COLLECT_FAILED', '{"zh": "容量采集失败", "en": "Capacity collection failed"}', 'PLATFORM', 'DB_INSTANCE', '{DBA}', true),
  ('DB_CAPACITY_GROWTH', '{"zh": "容量快速增长", "en": "Fast capacity growth"}', 'PLATFORM', 'DATABASE', '{DBA}', false);
