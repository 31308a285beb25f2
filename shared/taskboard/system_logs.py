"""Which lines of the company's own log have had their time, by whole months and by rows? (rulebook job W3)"""

from datetime import datetime

from sqlalchemy import TextClause, text


def ended_partitions(before: datetime) -> TextClause:
    """The monthly partitions that ended by then, oldest first: partition, estimated_rows."""
    return text("""select partition, estimated_rows from belfry.v_log_partitions
      where ends <= cast(:before as timestamptz) order by ends, partition""").bindparams(before=before)


def dropped(partition: str, before: datetime) -> TextClause:
    """Drop one of them: whether it was still there, and had ended."""
    return text("select belfry.drop_log_partition(cast(:partition as text), cast(:before as timestamptz))").bindparams(
        partition=partition, before=before
    )


def deleted(before: datetime, batch: int) -> TextClause:
    """Delete a batch of the lines before then, oldest first; how many."""
    return text("""with gone as (
        delete from erp.system_logs where (id, at) in (
          select id, at from erp.system_logs where at < cast(:before as timestamptz) order by at limit :batch)
        returning 1)
      select count(*)::int from gone""").bindparams(before=before, batch=batch)
