"""Which fields the sections of cron.yaml have, and what each may hold."""

from shared.cronfile.checks import (
    Field,
    bilingual,
    block,
    boolean,
    duration,
    integer,
    list_of,
    mapping,
    matching,
    one_of,
    runbook,
    schedule,
    text,
    time_of_day,
    time_zone,
    values,
)
from shared.cronfile.specs import CATEGORIES

MEMORY = ("128Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi", "8Gi", "16Gi", "32Gi")
job_id = matching(r"[a-z][a-z0-9_]{0,62}", "write the id of a job")
table = matching(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,2}", "write a table name in lower case, as schema.table")

RESOURCES = {
    "timeout": Field(integer(1, 1740)),
    "memory": Field(one_of(*MEMORY)),
    "max_instances": Field(integer(1, 100)),
    "pool": Field(integer(1, 20)),
}
BREAKER = {"failures": Field(integer(1, 100), required=True), "open": Field(duration("1m", "7d"), required=True)}
POLICIES = {
    **RESOURCES,
    "time_zone": Field(time_zone),
    "calendar": Field(one_of("every_day", "cn_workdays")),
    "overlap": Field(one_of("skip", "buffer_one", "allow")),
    "catchup": Field(one_of("none", "last", "all")),
    "catchup_window": Field(duration("1m", "35d")),
    "grace": Field(integer(60, 86400)),
    "max_attempts": Field(integer(1, 5)),
    "backoff": Field(list_of(duration("1s", "24h"), 10, unique=False)),
    "breaker": Field(mapping(BREAKER)),
    "priority": Field(one_of("low", "normal", "high")),
}
IDENTITY = {
    "name": Field(bilingual(60)),
    "description": Field(bilingual(500)),
    "category": Field(one_of(*CATEGORIES), required=True),
    "owner": Field(text()),
}
FUNCTION = {**RESOURCES, **IDENTITY}
JOB = {
    **POLICIES,
    **IDENTITY,
    "name": Field(bilingual(60), required=True),
    "description": Field(bilingual(500), required=True),
    "owner": Field(text(), required=True),
    "risk": Field(one_of("LOW", "MEDIUM", "HIGH", "CRITICAL")),
    "runbook": Field(runbook),
    "reason": Field(text(500)),
    "schedule": Field(schedule),
    "enabled": Field(boolean),
    "params": Field(values),
    "params_schema": Field(values),
    "sla": Field(mapping({"max_duration": Field(integer(1, 1740)), "finish_by": Field(time_of_day)})),
    "depends_on": Field(list_of(job_id, 10)),
    "wait": Field(duration("1m", "24h")),
    "on_wait_over": Field(one_of("run", "skip")),
    "window": Field(duration("0m", "59m")),
    "reads": Field(list_of(table, 100)),
    "writes": Field(list_of(table, 100)),
}
FILE = {
    "version": Field(integer(1, 1), required=True),
    "enabled": Field(boolean),
    "database": Field(mapping({"connections": Field(integer(1, 100_000), required=True)})),
    "defaults": Field(block),
    "functions": Field(block),
    "jobs": Field(block, required=True),
}
