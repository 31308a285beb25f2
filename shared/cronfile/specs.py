"""What cron.yaml says, as frozen values: a job, a function, the file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from functools import cached_property
from typing import Any

from shared.cronfile.positions import Problem
from shared.schedule import Schedule, window_offset

CATEGORIES = (
    "projects", "issues", "materials", "purchasing", "production", "tasks", "finance", "sales", "changes", "alerting",
    "databases", "integration", "platform", "notify", "console",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """A deployed function that no schedule fires."""

    id: str
    category: str
    name: Mapping[str, str] = field(default_factory=dict)
    description: Mapping[str, str] = field(default_factory=dict)
    owner: str | None = None
    timeout: int = 300
    memory: str = "512Mi"
    max_instances: int = 2
    pool: int = 2

    @property
    def source(self) -> str:
        """The path of its file in the repository."""
        return f"functions/{self.category}/{self.id}.py"


@dataclass(frozen=True, kw_only=True)
class JobSpec(FunctionSpec):
    """A function with a schedule, and the policies of its runs. Durations are in seconds."""

    risk: str = "MEDIUM"
    runbook: str | None = None
    reason: str | None = None
    schedule: str | None = None
    time_zone: str = "Asia/Shanghai"
    calendar: str = "every_day"
    enabled: bool = True
    params: Mapping[str, Any] = field(default_factory=dict)
    params_schema: Mapping[str, Any] = field(default_factory=dict)
    overlap: str = "skip"
    catchup: str = "last"
    catchup_window: int = 3600
    grace: int = 300
    max_attempts: int = 3
    backoff: tuple[int, ...] = (30, 120, 300)
    breaker_failures: int = 5
    breaker_open: int = 1800
    sla_max_duration: int | None = None
    sla_finish_by: time | None = None
    depends_on: tuple[str, ...] = ()
    wait: int = 3600
    on_wait_over: str = "run"
    priority: str = "normal"
    window: int = 0
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    @cached_property
    def timetable(self) -> Schedule | None:
        """The nominal grid; None for a job that its upstream alone fires."""
        return Schedule(self.schedule, self.time_zone) if self.schedule else None

    @cached_property
    def offset(self) -> timedelta:
        """How much later than its tick Cloud Scheduler fires it."""
        return window_offset(self.id, self.window)


@dataclass(frozen=True, kw_only=True)
class CronFile:
    """The whole file: every job and function by id, in the file's order.

    `places` says where an entry (`job`), its field (`job.field`) or a default (`defaults.field`) stands: line, column.
    """

    path: str
    enabled: bool = True
    connections: int = 100
    jobs: Mapping[str, JobSpec] = field(default_factory=dict)
    functions: Mapping[str, FunctionSpec] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def usual_zone(self) -> str:
        """The zone that most jobs have; pages say it once."""
        zones = [job.time_zone for job in self.jobs.values()]
        return max(zones, key=zones.count) if zones else JobSpec.time_zone

    @property
    def connections_used(self) -> int:
        """What all functions at once may open: the sum of max_instances x pool."""
        return sum(one.max_instances * one.pool for one in (*self.jobs.values(), *self.functions.values()))


class CronFileError(ValueError):
    """cron.yaml is wrong; every error is listed, none of the file is used."""

    def __init__(self, errors: list[Problem]) -> None:
        super().__init__("\n".join(map(str, errors)))
        self.errors = errors
