"""What does a month of a cron.yaml ask of the cloud? Ticks by the schedules, the rest as workload.yaml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_CEILING, Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from shared.cronfile.specs import CronFile, FunctionSpec, JobSpec
from shared.schedule import Schedule

DAYS = 31  # what Cloud Scheduler bills by
FIRST = date(2026, 12, 1)  # five Tuesdays to Thursdays, four of the other weekdays
HOURS = Decimal(24 * DAYS)
BILLED = Decimal("0.1")  # seconds: what is shorter costs as much
WORKLOAD = Path(__file__).with_name("workload.yaml")
GIB = Decimal(2**30)


@dataclass(frozen=True)
class Calls:
    """A function's requests in a month; `cold` of them meet no instance and pay for its start."""

    warm: int
    cold: int

    @property
    def all(self) -> int:
        return self.warm + self.cold


@dataclass(frozen=True)
class Workload:
    """workload.yaml: `work` is in seconds of one whole CPU."""

    raw: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path = WORKLOAD) -> Workload:
        return cls(yaml.safe_load(path.read_text("utf-8")))

    def number(self, name: str) -> Decimal:
        return Decimal(str(self.raw[name]))

    def share(self, spec: FunctionSpec, vcpu_of_memory: Mapping[str, Decimal]) -> Decimal:
        """CPUs of one instance: they follow from its memory, but where Terraform names them itself."""
        own = {} if isinstance(spec, JobSpec) else self._calls(spec.id)
        return Decimal(own["cpu"]) if "cpu" in own else vcpu_of_memory[spec.memory]

    def work(self, spec: FunctionSpec) -> Decimal:
        if isinstance(spec, JobSpec):
            return Decimal(str(self.raw["ticks"].get(spec.id, self.raw["ticks"]["default"])))
        return Decimal(str(self._calls(spec.id)["work"]))

    def calls(self, spec: FunctionSpec, file: CronFile) -> Calls:
        """How often a month a function is asked: a job by its schedule or its upstreams', another as assumed."""
        if isinstance(spec, JobSpec):
            return self._ticks(spec, file)
        assumed = self._calls(spec.id)
        cold = int(assumed["month"] * Decimal(str(assumed["cold"])))
        return Calls(assumed["month"] - cold, cold)

    def seconds(self, spec: FunctionSpec, share: Decimal, file: CronFile) -> Decimal:
        """Billed seconds of instance time a month, with `share` of a CPU; more than one CPU makes nothing faster."""
        calls, power = self.calls(spec, file), min(share, Decimal(1))
        work, start = self.work(spec), self.raw["start"]
        begun = (work + Decimal(start["work"])) / power + Decimal(start["wait"])
        return calls.warm * rounded(work / power) + calls.cold * rounded(begun)

    def _calls(self, function: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = {**self.raw["calls"]["default"], **self.raw["calls"].get(function, {})}
        return found

    def _ticks(self, job: JobSpec, file: CronFile) -> Calls:
        if not job.enabled:
            return Calls(0, 0)
        if job.schedule is not None:
            return ticks(job.schedule, job.time_zone, self.raw["idle"])
        upstreams = [self._ticks(file.jobs[upstream], file) for upstream in job.depends_on]
        return Calls(0, sum(upstream.all for upstream in upstreams))


def rounded(seconds: Decimal) -> Decimal:
    """As it is billed: every begun tenth of a second."""
    return (seconds / BILLED).to_integral_value(ROUND_CEILING) * BILLED


@cache
def ticks(expression: str, time_zone: str, idle: int) -> Calls:
    """The ticks of 31 days; one that comes `idle` seconds or more after the one before finds no instance."""
    schedule, zone = Schedule(expression, time_zone), ZoneInfo(time_zone)
    begin = datetime.combine(FIRST, time(), zone)
    last: datetime | None = None
    warm = cold = 0
    for tick in schedule.ticks(begin - timedelta(days=1, minutes=1), begin + timedelta(days=DAYS, minutes=-1)):
        if tick >= begin:
            near = last is not None and tick - last < timedelta(seconds=idle)
            warm, cold = warm + near, cold + (not near)
        last = tick
    return Calls(warm, cold)
