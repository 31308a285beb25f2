"""Which tables do the jobs of the task board own? How tasks come back, the cycles that are over, what was archived.

The DDL is infra/migrations/sql/0013_tasks.sql. Keys are erp ids without foreign keys, because erp may be views.
"""

from sqlalchemy import MetaData

from shared.erp.columns import table

belfry = MetaData(schema="belfry")

task_recurrence = table(
    belfry, "task_recurrence", key="task_id", ids="task_id", words="frequency", counts="every day month missed_count",
    times="at_time", days="end_date", flags="is_active", instants="missed_at updated_at", uuids="execution_id",
)
task_cycles = table(
    belfry, "task_cycles", key="task_id cycle_no", ids="task_id", words="status",
    counts="cycle_no progress missed_count",
    instants="expected_start expected_end actual_start actual_end closed_at", uuids="execution_id",
)
work_tasks_archive = table(
    belfry, "work_tasks_archive", ids="id", documents="payload", instants="archived_at", uuids="execution_id"
)
