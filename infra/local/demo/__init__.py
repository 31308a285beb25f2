"""Which factory does a laptop ring for? A maker of assembly lines with every rule's cases in it, as of one day.

Every date is relative to that day in Asia/Shanghai; the same day gives the same rows. A record that is there for a
rule says so in its own title, and what should come of it: 「夹具定位偏差（逾期 3 天：WARNING）」. Nothing here is real.
"""

from datetime import date

from sqlalchemy import Connection

from infra.local.demo import (
    alerts,
    changes,
    databases,
    duties,
    integration,
    issues,
    materials,
    milestones,
    notifications,
    outsourcing,
    people,
    production,
    project_work,
    projects,
    purchasing,
    receivables,
    sales,
    shopfloor,
    shortages,
    specifications,
    stale_issues,
    stock,
    system_logs,
    tasks,
    workload,
)
from infra.local.demo.rows import Factory
from shared.db import transaction


def populate(connection: Connection, day: date) -> None:
    """Fill an empty, migrated database with the factory as it stands on the morning of `day`: all of it or nothing."""
    with transaction(connection):
        factory = Factory(connection, day)
        people.populate(factory)
        projects.populate(factory)
        milestones.populate(factory)
        issues.populate(factory)
        stale_issues.populate(factory)
        changes.populate(factory)
        materials.populate(factory)
        production.populate(factory)
        purchasing.populate(factory)
        shopfloor.populate(factory)
        outsourcing.populate(factory)
        shortages.populate(factory)
        specifications.populate(factory)
        stock.populate(factory)
        receivables.populate(factory)
        sales.populate(factory)
        workload.populate(factory)
        project_work.populate(factory)
        notifications.populate(factory)
        integration.populate(factory)
        tasks.populate(factory)
        duties.populate(factory)
        system_logs.populate(factory)
        databases.populate(factory)
        alerts.populate(factory)
