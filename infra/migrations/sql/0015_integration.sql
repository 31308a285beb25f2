-- Synchronisation with other systems: sources, what was brought from where, rows that wait for somebody, and its alert.

create table belfry.sync_sources (
  id bigint generated always as identity primary key,
  source_code text unique not null,
  source_name text not null,
  direction text not null check (direction in ('PULL', 'PUSH')),
  entity text not null,                      -- what shared/sync/entities.py knows under that name
  endpoint text not null,                    -- a URL; one that begins with / is served by this Belfry's own address
  credential_ref text,                       -- the environment's CREDENTIAL_<ref> holds the bearer token, never this table
  position int not null default 100,         -- masters before what points to them
  batch_size int not null default 500 check (batch_size between 1 and 10000),
  enabled boolean not null default true,
  conflict_policy text not null default 'SOURCE_WINS' check (conflict_policy in ('SOURCE_WINS', 'LOCAL_WINS', 'NEWEST')),
  time_zone text not null default 'Asia/Shanghai',   -- of the source's times that name none
  owner_id bigint,
  watermark text,                            -- how far it is read: the source's time of change, or the local one of a push
  watermark_at timestamptz,                  -- the last tick after which nothing was left to bring
  last_full_at timestamptz,                  -- the last comparison of all keys
  stopped_at timestamptz,                    -- a guard said stop: nothing moves until somebody accepts it
  stop_reason text,
  failed_runs int not null default 0,
  last_error text,
  next_try_at timestamptz,                   -- the other side asked for patience
  created_at timestamptz not null default belfry.clock());

create table belfry.sync_external_refs (
  source_id bigint not null references belfry.sync_sources,
  external_key text not null,
  local_table text not null,
  local_id bigint not null,
  row_hash text not null,                    -- of the other system's row as it was last seen
  local_hash text,                           -- of the local row as it was last written; null: not written from here
  synced_at timestamptz not null,
  is_deleted boolean not null default false,
  primary key (source_id, external_key));
create index sync_refs_of_a_row on belfry.sync_external_refs (local_table, local_id);

create table belfry.sync_errors (
  id bigint generated always as identity primary key,
  source_id bigint not null references belfry.sync_sources,
  external_key text not null,
  payload jsonb,
  error text not null,
  attempts int not null default 1,
  next_retry_at timestamptz,                 -- null: somebody must look at it
  resolved_at timestamptz,
  first_seen_at timestamptz not null default belfry.clock(),
  execution_id uuid,
  unique (source_id, external_key));
create index sync_errors_to_retry on belfry.sync_errors (source_id, next_retry_at) where resolved_at is null;

-- What a push reads: shortages in the order in which they changed.
create index shortages_by_change on belfry.material_shortages (updated_at, id);

insert into belfry.alert_rules (rule_code, name, rule_type, target_type, notify_roles, escalates) values
  ('SYNC_FAILED', '{"zh": "数据同步失败", "en": "Synchronisation failed"}', 'PLATFORM', 'SYNC_SOURCE', '{SYS_ADMIN}', true);
