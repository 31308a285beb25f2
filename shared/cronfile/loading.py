"""What should run: cron.yaml as frozen specs, or every error at once with its line and column."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.cronfile import rules, warnings
from shared.cronfile.checks import section
from shared.cronfile.fields import FILE, FUNCTION, JOB, POLICIES, RESOURCES
from shared.cronfile.positions import Node, Problem, UnreadableError, read
from shared.cronfile.specs import CATEGORIES, CronFile, CronFileError, FunctionSpec, JobSpec
from shared.unix_cron import Expression

__all__ = ["CATEGORIES", "CronFile", "CronFileError", "FunctionSpec", "JobSpec", "Problem", "load", "parse"]

HOUR, DAY = 3600, 86400


def load(
    path: str | Path, *, sources: Path | None = None, at: datetime | None = None, workdays_until: date | None = None
) -> CronFile:
    """Reads and judges the whole file.

    With `sources` (the repository) each function's file must exist and define it. With `at` the warnings say which
    ticks the clocks' changes of the year after `at` move or repeat, with `workdays_until` too when the published
    Chinese calendar ends soon. Raises CronFileError with every problem.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as unreadable:
        raise CronFileError([Problem(1, 1, "", f"cannot be read: {unreadable.strerror}", path.name)]) from unreadable
    return parse(data, path, sources=sources, at=at, workdays_until=workdays_until)


def parse(
    data: bytes,
    path: Path,
    *,
    sources: Path | None = None,
    at: datetime | None = None,
    workdays_until: date | None = None,
) -> CronFile:
    """The same of a file's content; `path` is what it is called."""
    problems: list[Problem] = []
    try:
        tree = read(data, problems)
    except UnreadableError as unreadable:
        raise _refusal([*problems, *unreadable.problems], path) from unreadable
    unread = list(problems)
    misread = {(one.line, one.column) for one in unread}  # what a field makes of such a value adds nothing
    top = section(FILE, tree, "", problems)
    defaults = section(POLICIES, top["defaults"], "defaults", problems) if "defaults" in top else {}
    entries = _entries("function", top.get("functions"), defaults, problems)
    for job_id, job in _entries("job", top.get("jobs"), defaults, problems).items():
        if job_id in entries:
            first = entries[job_id].place[0]
            problems.append(Problem(*job.place, job_id, f"is a function already, on line {first}; ids are unique"))
        entries[job_id] = job
    for entry in entries.values():
        problems += rules.broken(entry, entries)
        problems += rules.without_source(entry, sources) if sources else ()
    problems += rules.secrets(tree)
    if problems:
        raise _refusal([one for one in problems if one in unread or (one.line, one.column) not in misread], path)
    file = CronFile(
        path=str(path),
        enabled=top.get("enabled", True),
        connections=top.get("database", {}).get("connections", CronFile.connections),
        jobs=MappingProxyType({one.id: _job(one) for one in entries.values() if one.kind == "job"}),
        functions=MappingProxyType({one.id: _function(one) for one in entries.values() if one.kind == "function"}),
        places=MappingProxyType(dict(_places(entries, tree))),
    )
    return replace(file, warnings=tuple(warnings.found(file, entries, tree, at, workdays_until)))


def _refusal(problems: list[Problem], path: Path) -> CronFileError:
    ordered = sorted(dict.fromkeys(problems), key=lambda problem: (problem.line, problem.column, problem.where))
    return CronFileError([replace(problem, file=path.name) for problem in ordered])


def _entries(
    kind: str, block: Node | None, defaults: Mapping[str, Any], problems: list[Problem]
) -> dict[str, rules.Entry]:
    fields = JOB if kind == "job" else FUNCTION
    inherited = defaults if kind == "job" else {key: value for key, value in defaults.items() if key in RESOURCES}
    entries: dict[str, rules.Entry] = {}
    if block is None:
        return entries
    for entry_id, node in block.value.items():
        found = section(fields, node, entry_id, problems)
        entries[entry_id] = rules.Entry(entry_id, kind, node, block.keys[entry_id], found, {**inherited, **found})
    return entries


def _places(entries: Mapping[str, rules.Entry], tree: Node) -> Iterator[tuple[str, tuple[int, int]]]:
    """Where each entry and each of its fields stands, and each default."""
    for entry in entries.values():
        yield entry.id, entry.place
        yield from ((f"{entry.id}.{name}", (node.line, node.column)) for name, node in entry.node.value.items())
    if "defaults" in tree.value:
        yield from ((f"defaults.{name}", at) for name, at in tree.value["defaults"].keys.items())


def _function(entry: rules.Entry) -> FunctionSpec:
    return FunctionSpec(id=entry.id, **entry.merged)


def _job(entry: rules.Entry) -> JobSpec:
    fields = dict(entry.merged)
    breaker, sla = fields.pop("breaker", {}), fields.pop("sla", {})
    schema = fields.pop("params_schema", None)
    return JobSpec(
        id=entry.id,
        breaker_failures=breaker.get("failures", JobSpec.breaker_failures),
        breaker_open=breaker.get("open", JobSpec.breaker_open),
        sla_max_duration=sla.get("max_duration"),
        sla_finish_by=sla.get("finish_by"),
        params_schema=rules.closed(schema or {}),
        catchup_window=fields.pop("catchup_window", None) or _usual_window(fields.get("schedule")),
        **fields,
    )


def _usual_window(schedule: str | None) -> int:
    """How far back missed ticks are made up for, unless said: hourly 1 h, daily 24 h, weekly and monthly 7 d."""
    gap = Expression.parse(schedule).shortest_gap * 60 if schedule else DAY
    return HOUR if gap <= HOUR else DAY if gap <= DAY else 7 * DAY
