"""Which databases are watched? This Postgres itself, some that cannot be read, a year of sizes, old partitions."""
# ruff: noqa: E501
# A case is a line, and its Chinese counts double.

from datetime import date, timedelta

from sqlalchemy import text

from infra.local.demo.rows import Factory
from shared.rules.partitions import add_months, month_of

# What the secrets CREDENTIAL_<these> open: this laptop's own Postgres, and a port where nobody listens.
HERE, CLOSED = "LOCAL_POSTGRES", "LOCAL_CLOSED"
NOBODY_LISTENS = "mysql://watch@127.0.0.1:1/"
# name (its case, and the level of its capacity alert), type, port, secret, watched,
# failed days of sizes and of accounts until yesterday
INSTANCES = (
    ("ERP 主库（本机 Postgres：不预警）", "POSTGRESQL", 0, HERE, True, 0, 0),
    ("MES 库（今天第一天连不上：WARNING）", "MYSQL", 1, CLOSED, True, 0, 0),
    ("PLM 库（第三天连不上，账户第二天：CRITICAL）", "MYSQL", 1, CLOSED, True, 2, 1),
    ("财务库（SQL Server 尚不支持：WARNING）", "SQLSERVER", 1433, CLOSED, True, 0, 0),
    ("旧 WMS 库（已停用，不再采集：不预警）", "POSTGRESQL", 0, HERE, False, 0, 0),
)
# MB yesterday, and by how much a day it grew; old_reports is not there any more.
MEASURED = {
    1: (("belfry", 64, 0.1), ("postgres", 7, 0.0), ("old_reports", 240, 0.3)),
    5: (("wms", 18_000, -6.0), ("wms_history", 210_000, 160.0)),
}
DAYS = 400  # of sizes
MONTHS = 16  # of partitions, the current one counted: three are past the retention of thirteen
SIZES = ("belfry.database_size_stats", "belfry.instance_size_stats")


def populate(factory: Factory) -> None:
    """Instances with their last looks, two accounts, sizes until yesterday, and partitions of which two have had notice."""
    url = factory.connection.engine.url
    factory.insert(
        "belfry.db_instances", "id name db_type host port credential_ref is_active",
        [(number, name, kind, url.host if secret == HERE else "127.0.0.1", port, secret, watched)
         for number, (name, kind, port, secret, watched, *_) in enumerate(INSTANCES, 1)],
    )
    factory.insert(
        "belfry.db_instance_checks", "instance_id kind attempted_at succeeded_at failed_on failed_days error",
        [(number, kind, factory.instant(-1, clock), factory.instant(-1 - days, clock), factory.date(-1) if days else None,
          days, "Can't connect to MySQL server on '127.0.0.1'" if days else None)
         for number, (*_, watched, sizes, accounts) in enumerate(INSTANCES, 1) if watched and number != 4
         for kind, clock, days in (("SIZES", "03:00", sizes), ("ACCOUNTS", "01:00", accounts))],
    )
    factory.insert(
        "belfry.db_instance_accounts",
        "instance_id username is_superuser is_locked privileges privileges_hash is_active first_seen_at last_seen_at last_change_type",
        [(1, username, False, False, {"*": ["LOGIN"]}, "", True, factory.instant(-90), factory.instant(-1), "ADD")
         for username in (url.username, "old_report")],
    )
    _partitions(factory)
    _sizes(factory)


def _partitions(factory: Factory) -> None:
    months = [add_months(month_of(factory.day), -number) for number in range(MONTHS)]
    for table in SIZES:
        for month in months:
            factory.connection.execute(text("select belfry.make_partition(:t, :m)"), {"t": table, "m": month})
    factory.insert(
        "belfry.partition_registry",
        "parent_table partition_name range_start range_end status checked_at announced_at",
        [(table, f"{table}_{months[-1]:%Y_%m}", months[-1], months[-2], "ACTIVE", factory.instant(-2), factory.instant(-2))
         for table in SIZES],
    )


def _sizes(factory: Factory) -> None:
    measured = [
        (instance, name, factory.day - timedelta(ago), _size(now, daily, ago))
        for instance, databases in MEASURED.items() for name, now, daily in databases
        for ago in range(1, DAYS + 1) if instance == 1 or ago > 40  # the one that is not watched any more was, until then
    ]
    factory.insert(
        "belfry.database_size_stats", "instance_id database_name collected_date size_mb data_size_mb collected_at",
        [(*row, row[3], _at_three(factory, row[2])) for row in measured],
    )
    totals: dict[tuple[int, date], list[int]] = {}
    for instance, _, day, size in measured:
        totals.setdefault((instance, day), []).append(size)
    factory.insert(
        "belfry.instance_size_stats", "instance_id collected_date total_size_mb database_count collected_at",
        [(instance, day, sum(sizes), len(sizes), _at_three(factory, day)) for (instance, day), sizes in totals.items()],
    )


def _size(now: int, daily: float, ago: int) -> int:
    """A database that grew by so much a day."""
    return max(1, round(now - daily * ago))


def _at_three(factory: Factory, day: date) -> object:
    return factory.instant((day - factory.day).days, "03:00")
