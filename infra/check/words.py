"""How is a value of cron.yaml, and what became of it, said to a reviewer?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from infra.check.changes import Difference, Pair
from shared import sentences
from shared.cronfile.specs import FunctionSpec, JobSpec

HEADLINE = ("schedule", "time_zone", "calendar", "owner")  # what the first line of a job says already
LONGEST_TEXT = 200


def rings(job: JobSpec, usual: str | None) -> str:
    """`daily at 10:00`; with its zone where that is not the usual one, or always where there is none."""
    said = sentences.of_job(job.schedule, job.calendar, job.depends_on, "en")
    return f"{said} {job.time_zone}" if job.schedule and job.time_zone != usual else said


def moved(was: JobSpec, now: JobSpec, usual: str) -> str:
    """`daily at 10:00 -> 10:30`; the sentence alone where nothing moved."""
    zone = usual if was.time_zone == now.time_zone else None
    before, after = rings(was, zone), rings(now, zone)
    if before == after:
        rewritten = was.schedule != now.schedule
        return f"{after}, written {now.schedule!r} instead of {was.schedule!r}" if rewritten else after
    return arrow(before, after)


def arrow(before: str, after: str) -> str:
    """Old -> new, without the words that both begin with where only the last one differs."""
    *start, last = after.split(" ")
    return f"{before} -> {last}" if before.split(" ")[:-1] == start else f"{before} -> {after}"


def of_fields(found: Difference) -> Iterator[str]:
    """A line for each field that differs, what the first line says left out."""
    for path, pair in found.items():
        root = path.partition(".")[0]
        if root in HEADLINE or root == "reason":
            continue
        yield _SAID.get(root, _simple)(path, pair)


def span(seconds: int) -> str:
    """`5 min`, `1 h 30 min`, `7 d`."""
    parts, left = [], seconds
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts) or "0 s"


def _simple(path: str, pair: Pair) -> str:
    return _arrow(path, _shown(pair[0]), _shown(pair[1]))


def _arrow(path: str, before: str, after: str) -> str:
    return f"{path}: {before} -> {after}"


def _spans(path: str, pair: Pair) -> str:
    return _arrow(path, *(", ".join(map(span, _many(one))) if one is not None else "not set" for one in pair))


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    return value if isinstance(value, str) and value.strip() else json.dumps(value, ensure_ascii=False)


def _breaker(path: str, pair: Pair) -> str:
    return _spans(path, pair) if path == "breaker.open" else _simple(path, pair)


def _sla(path: str, pair: Pair) -> str:
    return _spans(path, pair) if path == "sla.max_duration" else _simple(path, pair)


def _list(path: str, pair: Pair) -> str:
    was, now = (list(one or ()) for one in pair)
    gone, new = [one for one in was if one not in now], [one for one in now if one not in was]
    if not gone and not new:
        return f"{path}: the same in another order"
    return f"{path}: {', '.join([*(f'+ {one}' for one in new), *(f'- {one}' for one in gone)])}"


def _text(path: str, pair: Pair) -> str:
    if pair[1] is None:
        return f"{path}: removed"
    said = " / ".join(str(pair[1]).splitlines())
    said = said if len(said) <= LONGEST_TEXT else f"{said[: LONGEST_TEXT - 3]}..."
    return f"{path}: {'new' if pair[0] is None else 'now'} “{said}”"


def _window(path: str, pair: Pair) -> str:
    return _arrow(path, *(span(one) if one else "none" for one in pair))


def _enabled(path: str, pair: Pair) -> str:
    if pair[1]:
        return "enabled: it was switched off and rings now"
    return "enabled: switched off; its ticks are recorded as skipped"


def _category(path: str, pair: Pair) -> str:
    return f"category: {pair[0]} -> {pair[1]}; its file stands in functions/{pair[1]}/ now"


def _many(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


_SAID: dict[str, Callable[[str, Pair], str]] = {
    **dict.fromkeys(("timeout", "grace", "catchup_window", "wait", "backoff"), _spans),
    **dict.fromkeys(("reads", "writes", "depends_on"), _list),
    **dict.fromkeys(("name", "description", "runbook"), _text),
    "breaker": _breaker,
    "sla": _sla,
    "window": _window,
    "enabled": _enabled,
    "category": _category,
}


def offset(job: JobSpec) -> str:
    """How much later than its tick a job is rung; nothing where it is not."""
    late = job.offset // timedelta(minutes=1)
    return f", {late} min after its tick" if late else ""


def titled(spec: FunctionSpec) -> str:
    """The names that people know it by."""
    return " · ".join(spec.name[language] for language in ("zh", "en") if language in spec.name)
