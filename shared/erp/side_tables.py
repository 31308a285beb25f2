"""Which tables do the jobs own? Health, snapshots, kit checks and shortages.

The DDL is infra/migrations/sql/0004_job_tables.sql. Keys are erp ids without foreign keys, because erp may be views.
"""

from sqlalchemy import MetaData

from shared.erp.columns import table

belfry = MetaData(schema="belfry")

project_health = table(
    belfry, "project_health", key="project_id", ids="project_id", words="health", documents="reasons",
    instants="updated_at", uuids="execution_id",
)
project_status_logs = table(
    belfry, "project_status_logs", ids="id project_id changed_by",
    words="change_type old_health new_health old_status new_status remark", documents="reasons",
    instants="changed_at", uuids="execution_id",
)
project_health_snapshots = table(
    belfry, "project_health_snapshots", key="project_id snapshot_date", ids="project_id", days="snapshot_date",
    words="overall_health schedule_health cost_health quality_health resource_health",
    counts="health_score open_alerts blocking_issues milestone_delayed milestone_on_track",
    numbers="schedule_variance cost_variance budget_used_pct kit_rate", documents="top_risks",
    uuids="execution_id", instants="created_at",
)
project_progress_summary = table(
    belfry, "project_progress_summary", key="project_id", ids="project_id",
    numbers="progress_pct planned_pct variance_pct",
    counts="tasks_total tasks_done tasks_blocked tasks_overdue milestones_total milestones_done milestones_overdue",
    instants="calculated_at", uuids="execution_id",
)
labor_cost_periods = table(
    belfry, "labor_cost_periods", key="period", days="period", words="status", counts="projects users",
    numbers="hours amount overhead_hours overhead_amount", uuids="execution_id", instants="calculated_at",
)
kit_checks = table(
    belfry, "kit_checks", ids="id work_order_id bom_id", days="check_date", instants="check_time",
    words="method kit_status", counts="total_items fulfilled_items in_transit_items shortage_items",
    numbers="kit_rate start_kit_rate", flags="can_start", uuids="execution_id",
)
kit_check_items = table(
    belfry, "kit_check_items", key="kit_check_id material_id", ids="kit_check_id material_id",
    numbers="required_qty on_hand_alloc in_transit_alloc shortage_qty", days="eta_date", words="item_status",
)
# Stock and quality (0011)
spec_match_records = table(
    belfry, "spec_match_records", ids="id project_id requirement_id match_target_id",
    words="match_type match_status input_hash candidates_hash", numbers="match_score", documents="differences",
    instants="checked_at", uuids="execution_id",
)
shortage_daily_reports = table(
    belfry, "shortage_daily_reports", key="report_date", days="report_date",
    counts="new_alerts resolved_alerts pending_alerts overdue_alerts level1_count level2_count level3_count "
    "level4_count new_reports resolved_reports total_work_orders kit_complete_count expected_arrivals "
    "actual_arrivals delayed_arrivals avg_response_minutes stoppage_count",
    numbers="kit_rate on_time_rate avg_resolve_hours stoppage_hours", uuids="execution_id", instants="calculated_at",
)
inventory_checks = table(
    belfry, "inventory_checks", ids="id warehouse_id owner_id approved_by", words="check_no period_key scope status",
    instants="snapshot_at posted_at", days="due_date", counts="lines diff_lines", numbers="diff_value",
    flags="needs_approval", uuids="execution_id",
)
inventory_check_lines = table(
    belfry, "inventory_check_lines", key="check_id inventory_id", ids="check_id inventory_id",
    numbers="book_qty recomputed_qty counted_qty diff_qty diff_value", lists="flags", instants="counted_at",
    flags="recounted", words="next_step",
)
material_shortages = table(
    belfry, "material_shortages", ids="id project_id work_order_id bom_item_id material_id handler_id",
    numbers="required_qty available_qty in_transit_qty shortage_qty", days="required_date eta_date",
    words="impact_type status", counts="est_delay_days", instants="handle_start_at resolved_at created_at updated_at",
    uuids="execution_id",
)
approval_overdue = table(
    belfry, "approval_overdue", key="approval_id", ids="approval_id", instants="overdue_since", uuids="execution_id",
)

# Issues and engineering changes (0008_issues_changes.sql)
issue_escalations = table(
    belfry, "issue_escalations", key="issue_id", ids="issue_id", words="priority",
    instants="priority_changed_at last_auto_escalated_at", counts="escalation_tier", uuids="execution_id",
)
issue_statistics_snapshots = table(
    belfry, "issue_statistics_snapshots", key="snapshot_date", days="snapshot_date",
    counts="total blocking overdue new_count resolved_count closed_count",
    documents="by_status by_severity by_priority by_type by_category by_project",
    numbers="avg_response_h avg_resolve_h", uuids="execution_id",
)

# Production (0010_production.sql)
production_daily_reports = table(
    belfry, "production_daily_reports", key="", ids="workshop_id", days="report_date",
    numbers="plan_qty completed_qty completion_rate plan_hours actual_hours earned_hours overtime_hours efficiency"
    " total_qty qualified_qty defect_qty pass_rate",
    counts="should_attend actual_attend leave_count new_exception_count resolved_exception_count",
    documents="summary", words="status", uuids="execution_id", instants="calculated_at",
)
planned_orders = table(
    belfry, "planned_orders", ids="id material_id", words="plan_version order_type status exception_code",
    numbers="qty", days="release_date due_date", documents="pegging", uuids="execution_id",
)
plan_exceptions = table(
    belfry, "plan_exceptions", key="plan_version code subject", ids="material_id workshop_id",
    words="plan_version code subject", numbers="qty", days="day wanted", documents="facts", uuids="execution_id",
)

# Synchronisation (0015_integration.sql)
sync_sources = table(
    belfry, "sync_sources", ids="id owner_id", counts="position batch_size failed_runs", flags="enabled",
    words="source_code source_name direction entity endpoint credential_ref conflict_policy time_zone watermark"
          " stop_reason last_error",
    instants="watermark_at last_full_at stopped_at next_try_at created_at",
)
sync_external_refs = table(
    belfry, "sync_external_refs", key="source_id external_key", ids="source_id local_id",
    words="external_key local_table row_hash local_hash", instants="synced_at", flags="is_deleted",
)
sync_errors = table(
    belfry, "sync_errors", ids="id source_id", words="external_key error", documents="payload", counts="attempts",
    instants="next_retry_at resolved_at first_seen_at", uuids="execution_id",
)
