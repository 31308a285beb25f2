"""When do clocks and calendars move a job's ticks within the next year?"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from zoneinfo import ZoneInfo

from infra.check.report import Section
from shared.cronfile.specs import CronFile
from shared.cronfile.warnings import YEAR, moved_ticks
from shared.schedule import clock_changes


def section(now: CronFile, at: datetime, workdays_until: date) -> Section:
    """Each change of the clocks in a zone that a job has, and what it does to that job; where the workdays end."""
    zones: dict[str, list[str]] = defaultdict(list)
    for job in now.jobs.values():
        if job.timetable:
            zones[job.time_zone].append(job.id)
    changing = {zone: list(clock_changes(ZoneInfo(zone), at, at + YEAR)) for zone in zones}
    lines, facts = [], dict[str, dict[str, str]]()
    for zone, changes in changing.items():
        for moment, shift in changes:
            there = moment.astimezone(ZoneInfo(zone))
            minutes = int(abs(shift).total_seconds()) // 60
            way = "forward" if shift.total_seconds() > 0 else "back"
            lines.append(f"{there:%Y-%m-%d %H:%M} {zone}: the clocks go {way} by {minutes} min")
            for one in zones[zone]:
                timetable = now.jobs[one].timetable
                assert timetable  # only jobs that have one are grouped
                hit = next((pair for pair in moved_ticks(timetable, at) if pair[0].date() == there.date()), None)
                does = f"its {hit[0]:%H:%M} {hit[1]}" if hit else "rings as always by its zone's clock"
                lines.append(f"  {one}: {does}")
                facts.setdefault(one, {})[f"{there:%Y-%m-%d}"] = does
    counted = (f"{len(changes) or 'none'} in {zone}" for zone, changes in changing.items())
    title = f"clock changes to {at + YEAR:%Y-%m-%d}: {', '.join(counted)}"
    gated = [job.id for job in now.jobs.values() if job.calendar == "cn_workdays"]
    if gated:
        lines.append(f"Chinese workdays are published to {workdays_until}: {', '.join(gated)}")
    until = str(workdays_until) if gated else None
    return Section("clocks", title, tuple(lines), {"moved": facts, "workdays_until": until})
