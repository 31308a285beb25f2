"""Makes the jobs table and Cloud Scheduler equal to cron.yaml, custom jobs and overrides: a plan first, then apply.

Nothing is changed while one entry is invalid; overrides and pauses stay unless told otherwise; what is new is there
before what is gone goes; and a new or returning job starts now, so that no old tick is ever fired.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from shared.config import config
from shared.cronfile.specs import CronFile
from shared.db import transaction
from shared.errors import BelfryError
from shared.operator import declared, reload_rows
from shared.schedule import ScheduleError
from shared.scheduler_api import Ring, SchedulerApi

Pair = tuple[Any, Any]
Row = Mapping[str, Any]
Progress = Callable[[int, int, str], None]  # done, of how many, the job


@dataclass(frozen=True)
class Change:
    """What one job needs: columns of its row and fields of its Cloud Scheduler job, each (is, shall be).

    `reason` is what the file says why the job is as it is.
    """

    job_id: str
    table: Mapping[str, Pair] = field(default_factory=dict)
    live: Mapping[str, Pair] = field(default_factory=dict)
    reason: str | None = None

    @property
    def of_the_file(self) -> bool:
        """Whether what the file says changed, and not an override or Cloud Scheduler alone."""
        return not declared.COLUMNS.keys().isdisjoint(self.table)

    def as_dict(self) -> dict[str, Any]:
        said = {"reason": self.reason} if self.reason and self.of_the_file else {}
        return {"job_id": self.job_id, "table": _listed(self.table), "live": _listed(self.live), **said}


@dataclass(frozen=True)
class Plan:
    """What a reload would do."""

    added: tuple[Change, ...] = ()
    updated: tuple[Change, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    invalid: tuple[tuple[str, str], ...] = ()
    switch: Pair | None = None  # the whole scheduler, off or on

    @property
    def empty(self) -> bool:
        return not (self.added or self.updated or self.removed or self.invalid or self.switch)

    @property
    def reasons(self) -> dict[str, str]:
        """What the file says of the jobs that it makes or changes."""
        changed = (*self.added, *(one for one in self.updated if one.of_the_file))
        return {one.job_id: one.reason for one in changed if one.reason}

    def as_dict(self) -> dict[str, Any]:
        """For JSON answers; the last four are the names that the older systems answered with."""
        reloaded = [change.job_id for change in (*self.added, *self.updated)]
        return {
            "added": [change.job_id for change in self.added],
            "updated": [change.as_dict() for change in self.updated],
            "removed": list(self.removed),
            "unchanged": list(self.unchanged),
            "invalid": [{"job_id": job_id, "message": message} for job_id, message in self.invalid],
            **({"enabled": list(self.switch)} if self.switch else {}),
            "deleted": list(self.removed),
            "reloaded": reloaded,
            "deleted_count": len(self.removed),
            "reloaded_count": len(reloaded),
        }


class InvalidReload(BelfryError):
    """One entry is invalid, so nothing was changed."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("; ".join(f"{job_id}: {message}" for job_id, message in plan.invalid))
        self.plan = plan


def plan(
    connection: Connection,
    file: CronFile,
    scheduler: SchedulerApi | None,
    *,
    reset_overrides: bool = False,
    targets: Mapping[str, str] | None = None,
) -> Plan:
    """What `apply` would do now; reads only. `scheduler` None: the table alone is looked at."""
    return _Look(connection, file, scheduler, reset_overrides=reset_overrides, targets=targets).plan()


def apply(
    connection: Connection,
    file: CronFile,
    scheduler: SchedulerApi | None,
    *,
    actor: str = "cron.yaml",
    reason: str | None = None,
    reset_overrides: bool = False,
    targets: Mapping[str, str] | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
) -> Plan:
    """Carries the plan out and answers it: the table in one transaction, then Cloud Scheduler.

    `targets` says where functions listen (id -> URL; Terraform's output); else they are asked of BELFRY_URL. `now` is
    when new schedules begin (None: belfry.clock()). Raises InvalidReload, or Unavailable when Cloud Scheduler does not
    answer: then the next reload does what is left. A run that is under way ends as it began; its next tick is the new
    schedule's.
    """
    look = _Look(connection, file, scheduler, reset_overrides=reset_overrides, targets=targets)
    with transaction(connection):
        reload_rows.lock(connection)
        made = look.plan()
        if made.invalid:
            raise InvalidReload(made)
        if not made.empty:
            touched = [
                look.wanted[one.job_id] for one in (*made.added, *made.updated) if one in made.added or one.table
            ]
            reload_rows.upsert(connection, touched, actor=actor, now=now)
            if reset_overrides:
                reload_rows.clear_overrides(connection, (row["job_id"] for row in touched), actor=actor)
            reload_rows.orphan(connection, made.removed, actor=actor)
            reload_rows.link(connection)
            reload_rows.revise(connection, actor=actor, reason=reason, reasons=made.reasons, now=now)
            if made.switch:
                reload_rows.turn(connection, file.enabled)
            reload_rows.note(connection, made.as_dict(), actor=actor, reason=reason)
    look.reach(progress or (lambda done, of, job: None))
    return made


class _Look:
    """The file, the table and Cloud Scheduler side by side. Cloud Scheduler is asked once, before any transaction."""

    def __init__(
        self,
        connection: Connection,
        file: CronFile,
        scheduler: SchedulerApi | None,
        *,
        reset_overrides: bool,
        targets: Mapping[str, str] | None,
    ) -> None:
        self._connection, self._file, self._scheduler = connection, file, scheduler
        self._reset, self._targets = reset_overrides, targets
        self._live: Mapping[str, Ring] = scheduler.all() if scheduler else {}
        self._stored: Mapping[str, Row] = {}
        self._rings: dict[str, Ring] = {}
        self.wanted: dict[str, Row] = {}

    def plan(self) -> Plan:
        """Reads the table anew and compares."""
        self._stored = reload_rows.stored(self._connection)
        custom = {one: row for one, row in self._stored.items() if row["origin"] == "custom" and not row["orphan"]}
        clashes = custom.keys() & self._file.jobs.keys()
        invalid = [(one, "a custom job has this id; rename one of them") for one in sorted(clashes)]
        self.wanted = {job_id: self._declared(job_id) for job_id in self._file.jobs} | {
            job_id: {**row, "target_uri": self._target(row["func"], row)} for job_id, row in custom.items()
        }
        for job_id, row in self.wanted.items():
            invalid += [(job_id, message) for message in self._judge(row)]
        changes = [self._change(job_id) for job_id in self.wanted]
        gone = [one for one, row in self._stored.items() if one not in self.wanted and not row["orphan"]]
        gone += [one for one in self._silent() if one not in gone and one not in self.wanted]
        was_on = reload_rows.switched_on(self._connection)
        return Plan(
            added=tuple(change for change in changes if change.job_id not in self._stored),
            updated=tuple(one for one in changes if one.job_id in self._stored and (one.table or one.live)),
            removed=tuple(gone),
            unchanged=tuple(
                one.job_id for one in changes if one.job_id in self._stored and not (one.table or one.live)
            ),
            invalid=tuple(invalid),
            switch=(was_on, self._file.enabled) if was_on != self._file.enabled else None,
        )

    def reach(self, progress: Progress) -> None:
        """Brings Cloud Scheduler to what was planned: first all that rings, then what shall not."""
        if self._scheduler is None:
            return
        work: list[tuple[str, Callable[[], None]]] = []
        for job_id, ring in self._rings.items():
            if job_id not in self._live:
                work.append((job_id, partial(self._scheduler.create, ring)))
            elif self._live[job_id].differences(ring):
                work.append((job_id, partial(self._scheduler.change, self._live[job_id], ring)))
        for job_id in self._silent():
            # What Terraform made only Terraform takes away.
            end = self._scheduler.remove if self._made_here(self._stored.get(job_id, {})) else self._scheduler.silence
            work.append((job_id, partial(end, self._live[job_id])))
        for number, (job_id, act) in enumerate(work, 1):
            act()
            progress(number, len(work), job_id)

    def _silent(self) -> list[str]:
        """Jobs that Cloud Scheduler rings, that are Belfry's, and that shall not ring any more."""
        if self._scheduler is None:
            return []
        local, account = self._scheduler.owns_targets, self._scheduler.account
        ours = [one for one, ring in self._live.items() if one in self._stored or (local and ring.account == account)]
        gone = [one for one in ours if one not in self._rings]
        return [one for one in gone if self._made_here(self._stored.get(one, {})) or not self._live[one].paused]

    def _made_here(self, row: Row) -> bool:
        """Whether Belfry makes this job in Cloud Scheduler with its target; else Terraform does."""
        return row.get("origin") == "custom" or (self._scheduler is not None and self._scheduler.owns_targets)

    def _declared(self, job_id: str) -> Row:
        before = self._stored.get(job_id, {})
        declares = declared.row(self._file.jobs[job_id], self._target(job_id, before))
        cleared = dict.fromkeys(declared.OVERRIDES) if self._reset else {}
        return {**declared.NEW_ROW, **before, **declares, **cleared, "job_id": job_id, "orphan": False}

    def _target(self, function: str, before: Row) -> str | None:
        """Where the function listens: as told, locally by its name, else as it was."""
        if self._targets is not None and function in self._targets:
            return self._targets[function]
        settings = config()
        return before.get("target_uri") if settings.in_cloud else f"{settings.belfry_url}/functions/{function}"

    def _judge(self, row: Row) -> Iterator[str]:
        """What is wrong with a row and its overrides; notes the ring of one that is right."""
        job_id = row["job_id"]
        self._rings.pop(job_id, None)
        yield from _misfits(row)
        made_here = self._made_here(row)
        if row["target_uri"] is None and self._scheduler is not None and not self._scheduler.owns_targets:
            yield "nobody said where its function listens; the targets of Terraform's output do"
            return
        try:
            ring = declared.ring(row, self._scheduler.account if self._scheduler else "", made_here=made_here)
        except ScheduleError as wrong:
            yield f"the schedule in force does not fit: {wrong}"
            return
        if ring is None or self._scheduler is None:
            return
        if job_id not in self._live and not made_here:
            yield "Cloud Scheduler has no such job; Terraform makes it"
            return
        self._rings[job_id] = ring

    def _change(self, job_id: str) -> Change:
        after = self.wanted[job_id]
        before = self._stored.get(job_id, after)
        names = (*declared.COLUMNS, *declared.OVERRIDES, "orphan")
        table = {name: (before[name], after[name]) for name in names if before[name] != after[name]}
        is_now, shall_be = self._live.get(job_id), self._rings.get(job_id)
        live: Mapping[str, Pair]
        if shall_be is None:
            live = {"job": (is_now.schedule, None)} if is_now else {}
        else:
            live = is_now.differences(shall_be) if is_now else {"job": (None, shall_be.schedule)}
        spec = self._file.jobs.get(job_id)
        return Change(job_id, table, live, spec.reason if spec else None)


def _misfits(row: Row) -> Iterator[str]:
    """Overridden params that the schema, as declared now, does not take."""
    if not row["override_params"]:
        return
    from jsonschema import Draft202012Validator  # only where somebody overrode something

    params = {**row["params"], **row["override_params"]}
    for error in Draft202012Validator(row["params_schema"]).iter_errors(params):
        yield f"the override of params does not fit: {'.'.join(map(str, error.absolute_path))} {error.message[:200]}"


def _listed(pairs: Mapping[str, Pair]) -> dict[str, list[Any]]:
    return {name: list(pair) for name, pair in pairs.items()}
