"""Which minutes are crowded: five or more jobs that start together, before the change and after it?"""

from __future__ import annotations

from collections import defaultdict
from zoneinfo import ZoneInfo

from infra.check.report import Section
from shared.cronfile.specs import CronFile
from shared.cronfile.warnings import CROWDED, starts

SHOWN = 3
Crowds = dict[str, tuple[str, ...]]  # minute of the day -> the most jobs that ever start then


def section(was: CronFile | None, now: CronFile) -> Section:
    zone = now.usual_zone
    after = by_minute(now, zone)
    before = by_minute(was, zone) if was else after
    worse, better = list[str](), list[str]()
    for minute in sorted({*before, *after}):
        old, new = before.get(minute, ()), after.get(minute, ())
        if max(len(old), len(new)) >= CROWDED and len(old) != len(new):
            line = f"{minute}: {len(old)} -> {len(new)} jobs start together, {_moves(old, new)}"
            (worse if len(new) > len(old) else better).append(line)
    crowded = {minute: list(jobs) for minute, jobs in after.items() if len(jobs) >= CROWDED}
    busiest = sorted(after.items(), key=lambda one: (-len(one[1]), one[0]))[:SHOWN]
    lines = [f"worse {line}" for line in worse] + [f"better {line}" for line in better]
    if busiest:
        lines.append(f"the busiest: {', '.join(f'{minute} ({len(jobs)} jobs)' for minute, jobs in busiest)}")
    title = f"collisions: {len(crowded) or 'no'} minute{'s' if len(crowded) != 1 else ''} with {CROWDED} or more jobs"
    if was:
        title += ", as before" if not worse and not better else f" ({len(worse)} worse, {len(better)} better)"
    facts = {"crowded": crowded, "worse": len(worse), "better": len(better)}
    return Section("collisions", f"{title}, {zone}", tuple(lines), facts)


def _moves(old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """Who came and who left, then who was there all along."""
    came, left = (f"+ {one}" for one in new if one not in old), (f"- {one}" for one in old if one not in new)
    stay = [one for one in new if one in old]
    return ", ".join([*came, *left]) + (f" (beside {', '.join(stay)})" if stay else "")


def by_minute(file: CronFile, zone: str) -> Crowds:
    """For each minute of the day, in that zone, the fullest of a month's."""
    there, found = ZoneInfo(zone), defaultdict[str, tuple[str, ...]](tuple)
    for moment, jobs in starts(file).items():
        minute = f"{moment.astimezone(there):%H:%M}"
        if len(jobs) > len(found[minute]):
            found[minute] = tuple(jobs)
    return dict(found)
