"""What would a reload change of what is live: the local cloud that is up, or a deployed console's jobs?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.check import changes
from infra.check.report import Section
from infra.commands.deployed import Deployed
from infra.commands.outcome import OutOfReachError
from infra.commands.running import database
from shared import scheduler_api
from shared.cronfile.specs import CronFile
from shared.errors import Unavailable
from shared.operator import declared, drift

Item = dict[str, Any]
_STATES = {"new": "added", "gone": "removed", "invalid": "invalid", "in_step": "unchanged"}


def at_home(file: CronFile, folder: Path) -> Section:
    """Against the local cloud of a home. Raises OutOfReachError when it is not up."""
    try:
        with database(folder) as connection, scheduler_api.connect() as live:
            items = drift.drift(connection, file, live)["items"]
    except Unavailable as error:
        raise OutOfReachError(str(error)) from error
    return _section(f"the local cloud of {folder}", items)


def at_console(file: CronFile, console: Deployed) -> Section:
    """Against the table of a deployed console, as far as its API shows it: schedule, zone, enabled and parameters.

    Raises OutOfReachError when it does not answer, BadInputError when it refuses.
    """
    known = {item["id"]: item for item in console.get("/api/v1/jobs/drift")["items"]}
    items = [_compared(job_id, file, known.get(job_id, {"stored": None})) for job_id in file.jobs]
    items += [
        {**item, "state": "gone", "differences": []}
        for job_id, item in known.items()
        if job_id not in file.jobs and item["declared"]  # what no file declares there is a custom job
    ]
    return _section(console.url, items)


def _compared(job_id: str, file: CronFile, item: Item) -> Item:
    stored = item["stored"]
    if stored is None:
        return {"id": job_id, "state": "new", "differences": [], "override": None, "pause": None}
    wanted = declared.row(file.jobs[job_id], None)
    found = [
        {"where": "table", "field": name, "is": stored[name], "shall_be": wanted[name]}
        for name in drift.SHOWN
        if stored[name] != wanted[name]
    ]
    return {**item, "id": job_id, "state": "declared" if found else "in_step", "differences": found}


def _section(where: str, items: list[Item]) -> Section:
    counts: dict[str, int] = {}
    for item in items:
        word = _STATES.get(item["state"], "updated")
        counts[word] = counts.get(word, 0) + 1
    told = ", ".join(f"{count} {word}" for word, count in counts.items()) or "no job"
    lines = tuple(line for item in items for line in _lines(item))
    shown = [{"id": item["id"], "state": item["state"], "differences": item["differences"]} for item in items]
    facts = {"counts": counts, "items": [one for one in shown if one["state"] != "in_step"]}
    return Section("live", f"a reload of {where}: {told}", lines, facts)


def _lines(item: Item) -> Iterator[str]:
    """What a reload does to one job, and what somebody set by hand, which outlives it."""
    job_id, state, override, pause = item["id"], item["state"], item["override"], item["pause"]
    if state == "new":
        yield f"+ {job_id}"
    elif state == "gone":
        yield f"- {job_id}"
    elif state == "invalid":
        yield f"invalid {job_id}: {item['message']}; nothing would be changed"
    elif state != "in_step":
        yield f"~ {job_id}"
        for one in item["differences"]:
            where = "" if one["where"] == "table" else "Cloud Scheduler's "
            was, now = (dict(changes.leaves(one["field"], one[side])) for side in ("is", "shall_be"))
            for path, (before, after) in changes.difference(was, now).items():
                yield f"  {where}{path}: {_shown(before)} -> {_shown(after)}"
    if override:
        names = [name for name in ("schedule", "enabled", "params") if name in override]
        what = ", ".join(f"{name} {_shown(override[name])}" for name in names)
        why = f" ({override['reason']})" if override["reason"] else ""
        yield f"{job_id} stays overridden: {what}, by {override['by'] or 'nobody known'}{why}"
    if pause:
        until = f" until {pause['until']}" if pause["until"] else ""
        yield f"{job_id} stays paused{until}, by {pause['by'] or 'nobody known'}"


def _shown(value: Any) -> str:
    return "nothing" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
