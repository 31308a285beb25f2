"""What does the change do, told entry by entry?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from datetime import datetime

from infra.check import changes, effects, words
from infra.check.changes import Changes
from infra.check.report import Section
from shared.cronfile.specs import CronFile, FunctionSpec, JobSpec

MANY = 5  # jobs with one and the same change are told in one line
TIMING = {"schedule", "time_zone", "calendar", "window", "enabled", "depends_on", "wait", "on_wait_over"}


def section(was: CronFile, now: CronFile, said: str, at: datetime) -> Section:
    """The changes against `was`; a file that is the same says so in one line."""
    found = changes.between(was, now)
    if not found:
        return Section("changes", f"cron.yaml says what it said at {said}: nothing changes", (), found.as_dict())
    counts = {
        "added": len(found.added), "removed": len(found.removed), "renamed": len(found.renamed),
        "changed": len(found.changed), "as before": found.unchanged,
    }  # fmt: skip
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    lines = tuple(_lines(found, was, now, at))
    return Section("changes", f"cron.yaml against {said}: {told}", lines, found.as_dict())


def _lines(found: Changes, was: CronFile, now: CronFile, at: datetime) -> Iterator[str]:
    old, new, usual = changes.entries(was), changes.entries(now), now.usual_zone
    for path, (before, after) in found.file.items():
        if path == "enabled":
            yield "the whole scheduler: switched on" if after else "the whole scheduler: switched off, no job runs"
        else:
            yield f"{path}: {before} -> {after}"
    for one in found.added:
        yield f"+ {_headline(new[one], usual)}"
        yield from (f"  {line}" for line in _new(new[one], now, at))
    for one in found.removed:
        yield f"- {_headline(old[one], usual)}"
        if isinstance(old[one], JobSpec):
            yield "  rings no more and its function goes; its history stays"
    for before, after in found.renamed:
        yield f"~ {before} is called {after} now; else it is as it was"
        if isinstance(new[after], JobSpec):
            yield f"  history, overrides and pauses stay with {before}; {after} begins without"
    shared = _shared(found)
    for line, jobs in shared.items():
        shown = ", ".join(jobs[:3]) + (f" and {len(jobs) - 3} more" if len(jobs) > 3 else "")
        yield f"~ {len(jobs)} entries: {line} ({shown})"
    for one, fields in found.changed.items():
        below = [line for line in words.of_fields(fields) if line not in shared]
        if below or not fields.keys().isdisjoint({*words.HEADLINE, "reason"}):
            yield f"~ {_moved(old[one], new[one], usual)}"
            yield from (f"  {line}" for line in _consequences(old[one], new[one], fields.keys(), below, now, at))


def _shared(found: Changes) -> dict[str, list[str]]:
    """Lines that many entries have in common, as a changed default gives them."""
    jobs = defaultdict(list)
    for one, fields in found.changed.items():
        for line in words.of_fields(fields):
            jobs[line].append(one)
    return {line: named for line, named in jobs.items() if len(named) >= MANY}


def _headline(spec: FunctionSpec, usual: str) -> str:
    rings = words.rings(spec, usual) if isinstance(spec, JobSpec) else "a function that no schedule fires"
    return f"{spec.id}: {rings}, owner {spec.owner or 'nobody'}"


def _moved(was: FunctionSpec, now: FunctionSpec, usual: str) -> str:
    owner = now.owner or "nobody"
    owner = owner if was.owner == now.owner else f"{was.owner or 'nobody'} -> {owner}"
    if isinstance(was, JobSpec) and isinstance(now, JobSpec):
        return f"{now.id}: {words.moved(was, now, usual)}, owner {owner}"
    if isinstance(now, JobSpec):
        return f"{_headline(now, usual)}; it was a function that no schedule fires"
    kind = "it was a job, no schedule fires it now" if isinstance(was, JobSpec) else "a function that no schedule fires"
    return f"{now.id}: {kind}, owner {owner}"


def _new(spec: FunctionSpec, file: CronFile, at: datetime) -> Iterator[str]:
    if titled := words.titled(spec):
        yield titled
    yield from (f"“{spec.description[one]}”" for one in ("zh", "en") if one in spec.description)
    if isinstance(spec, JobSpec):
        yield f"risk {spec.risk}, timeout {words.span(spec.timeout)}, overlap {spec.overlap}, catch-up {spec.catchup}"
        yield from _times(spec, file, at)


def _consequences(
    was: FunctionSpec, now: FunctionSpec, paths: Set[str], below: list[str], file: CronFile, at: datetime
) -> Iterator[str]:
    if not isinstance(was, JobSpec) or not isinstance(now, JobSpec):
        yield from below
        return
    if "reason" in paths:
        yield f"reason: “{now.reason}”" if now.reason else "reason: removed"
    if often := effects.often(was, now, at):
        yield often
    yield from below
    if not TIMING.isdisjoint(paths) or "sla.finish_by" in paths:
        yield from _times(now, file, at)


def _times(job: JobSpec, file: CronFile, at: datetime) -> Iterator[str]:
    if following := effects.next_rings(job, at):
        yield following
    yield from effects.on_others(job, file, at)
