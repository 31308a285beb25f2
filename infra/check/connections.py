"""How many database connections may all functions open at once, of how many that there are?"""

from __future__ import annotations

from infra.check.changes import entries
from infra.check.report import Section
from shared.cronfile.specs import CronFile

SHOWN = 5


def section(was: CronFile | None, now: CronFile) -> Section:
    used, there = now.connections_used, now.connections
    title = f"connections: {used} of {there} ({used / there:.0%}) when every function runs at its most"
    if was and (was.connections_used, was.connections) != (used, there):
        title += f", before {was.connections_used} of {was.connections}"
    mine = {one: spec.max_instances * spec.pool for one, spec in entries(now).items()}
    theirs = {one: spec.max_instances * spec.pool for one, spec in entries(was or now).items()}
    moved = [one for one in {**theirs, **mine} if mine.get(one, 0) != theirs.get(one, 0)]
    lines = [f"{one}: {theirs.get(one, 0)} -> {mine.get(one, 0)}" for one in moved[:SHOWN]]
    lines += [f"and {len(moved) - SHOWN} more"] if len(moved) > SHOWN else []
    biggest = sorted(mine, key=lambda one: -mine[one])[:SHOWN]
    if biggest:
        lines.append(f"the most: {', '.join(f'{one} {mine[one]}' for one in biggest)}")
    facts = {"used": used, "there": there, "before": was.connections_used if was else None}
    return Section("connections", title, tuple(lines), facts)
