"""Which tables do the jobs that watch databases own? The DDL is infra/migrations/sql/0014_databases.sql."""

from sqlalchemy import MetaData

from shared.erp.columns import table

belfry = MetaData(schema="belfry")

db_instances = table(
    belfry, "db_instances", ids="id", words="name db_type host credential_ref main_version", counts="port",
    flags="is_active",
)
db_instance_checks = table(
    belfry, "db_instance_checks", key="instance_id kind", ids="instance_id", words="kind error",
    instants="attempted_at succeeded_at", days="failed_on", counts="failed_days",
)
db_instance_accounts = table(
    belfry, "db_instance_accounts", ids="id instance_id", words="username privileges_hash last_change_type",
    flags="is_superuser is_locked is_active", documents="privileges",
    instants="first_seen_at last_seen_at deleted_at",
)
db_account_changes = table(
    belfry, "db_account_changes", ids="id instance_id", words="username change_type", documents="diff", uuids="run_id",
    instants="changed_at",
)
database_size_stats = table(
    belfry, "database_size_stats", key="instance_id database_name collected_date",
    ids="instance_id size_mb data_size_mb log_size_mb", words="database_name", days="collected_date",
    instants="collected_at",
)
instance_size_stats = table(
    belfry, "instance_size_stats", key="instance_id collected_date", ids="instance_id total_size_mb",
    days="collected_date", counts="database_count", instants="collected_at",
)
database_size_aggregations = table(
    belfry, "database_size_aggregations", key="instance_id database_name period_type period_start",
    ids="instance_id max_size_mb min_size_mb max_data_size_mb min_data_size_mb",
    words="database_name period_type trend",
    days="period_start period_end", flags="is_final", counts="data_count expected_count",
    numbers="avg_size_mb avg_data_size_mb size_change_mb size_change_percent data_size_change_mb "
    "data_size_change_percent growth_rate",
    instants="calculated_at",
)
instance_size_aggregations = table(
    belfry, "instance_size_aggregations", key="instance_id period_type period_start",
    ids="instance_id max_total_mb min_total_mb", words="period_type trend", days="period_start period_end",
    flags="is_final", counts="max_database_count min_database_count data_count expected_count",
    numbers="avg_total_mb avg_size_per_db_mb avg_database_count total_change_mb total_change_percent "
    "database_count_change database_count_change_percent",
    instants="calculated_at",
)
partition_registry = table(
    belfry, "partition_registry", key="partition_name", words="parent_table partition_name status",
    days="range_start range_end", ids="row_estimate size_bytes",
    instants="checked_at announced_at detached_at exported_at dropped_at",
)
