"""What differs between two cron.yaml: jobs and functions added, removed, renamed, and each field of those that stay."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from typing import Any

from shared.cronfile.specs import CronFile, FunctionSpec

Pair = tuple[Any, Any]
Difference = Mapping[str, Pair]
_WRITTEN = {  # as cron.yaml writes it
    "breaker_failures": "breaker.failures",
    "breaker_open": "breaker.open",
    "sla_max_duration": "sla.max_duration",
    "sla_finish_by": "sla.finish_by",
}


@dataclass(frozen=True)
class Changes:
    """Entries by id. `changed` holds each field's dotted path with (was, is); what is not written is None."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    changed: Mapping[str, Difference] = field(default_factory=dict)
    file: Difference = field(default_factory=dict)
    unchanged: int = 0

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.renamed or self.changed or self.file)

    def as_dict(self) -> dict[str, Any]:
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "renamed": [list(pair) for pair in self.renamed],
            "changed": {one: {path: list(pair) for path, pair in found.items()} for one, found in self.changed.items()},
            "file": {path: list(pair) for path, pair in self.file.items()},
            "unchanged": self.unchanged,
        }


def entries(file: CronFile) -> dict[str, FunctionSpec]:
    """Jobs and functions by id."""
    return {**file.functions, **file.jobs}


def between(was: CronFile, now: CronFile) -> Changes:
    old, new = entries(was), entries(now)
    flat_old, flat_new = ({one: flat(spec) for one, spec in side.items()} for side in (old, new))
    kept = {one: difference(flat_old[one], flat_new[one]) for one in new if one in old}
    changed = {one: found for one, found in kept.items() if found}
    added, removed = [one for one in new if one not in old], [one for one in old if one not in new]
    renamed = []
    for gone in tuple(removed):
        # The same in every field, and nothing else is: then it is the old one under a new name.
        same = [one for one in added if flat_new[one] == flat_old[gone] and type(new[one]) is type(old[gone])]
        twins = [one for one in removed if flat_old[one] == flat_old[gone]]
        if len(same) == 1 and len(twins) == 1:
            renamed.append((gone, same[0]))
            added.remove(same[0])
            removed.remove(gone)
    top = difference(
        {"enabled": was.enabled, "database.connections": was.connections},
        {"enabled": now.enabled, "database.connections": now.connections},
    )
    return Changes(tuple(added), tuple(removed), tuple(renamed), changed, top, len(kept) - len(changed))


def difference(was: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Pair]:
    """Paths whose values differ, in the order in which the entry has them now."""
    paths = (*now, *(path for path in was if path not in now))
    return {path: (was.get(path), now.get(path)) for path in paths if _other(was.get(path), now.get(path))}


def _other(one: Any, two: Any) -> bool:
    return one != two or isinstance(one, bool) is not isinstance(two, bool)  # 1 and true are equal to Python alone


def flat(spec: FunctionSpec) -> dict[str, Any]:
    """Every field but the id as dotted path -> JSON value, defaults filled in."""
    found: dict[str, Any] = {}
    for one in fields(spec):
        if one.name != "id":
            found.update(leaves(_WRITTEN.get(one.name, one.name), getattr(spec, one.name)))
    return found


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The values below, each with its dotted path."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from leaves(f"{path}.{key}", below)
    elif isinstance(value, time):
        yield path, f"{value:%H:%M}"
    elif value is not None:
        yield path, list(value) if isinstance(value, tuple) else value
