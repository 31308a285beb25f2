"""What must hold between the fields of an entry, and between entries, for cron.yaml to be taken."""

import ast
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared.cronfile.checks import listed, meant
from shared.cronfile.positions import Node, Problem
from shared.cronfile.specs import JobSpec
from shared.schedule import Schedule, ScheduleError

RISKY = ("HIGH", "CRITICAL")
RESERVED = ("history", "reload", "drift", "by-func")
_SECRET_NAME = re.compile(r"passw|secret|token|api_?key|access_?key|private_?key|credential|webhook", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"-----BEGIN|\bAKIA[0-9A-Z]{16}\b|\bAIza[0-9A-Za-z_-]{30,}|\bgh[pousr]_[0-9A-Za-z]{20,}|\bxox[abprs]-"
    r"|\bsk[-_][0-9A-Za-z_-]{16,}"
    r"|\beyJ[0-9A-Za-z_-]{8,}\.eyJ|://[^/\s:@]+:[^/\s@]+@|[?&](?:key|token|secret|sign|password)=[^&\s]{6,}"
)
_LONG_WORD = re.compile(r"[0-9A-Za-z+/_=-]{32,}")


@dataclass(frozen=True)
class Entry:
    """One job or function as read: its own fields in `found`, with the defaults in `merged`."""

    id: str
    kind: str
    node: Node
    place: tuple[int, int]
    found: Mapping[str, Any]
    merged: Mapping[str, Any]

    def problem(self, field: str, message: str, node: Node | None = None) -> Problem:
        at = node or (self.node.value.get(field.split(".")[0]) if self.node.is_mapping else None) or self.node
        return Problem(at.line, at.column, f"{self.id}.{field}" if field else self.id, message)


def broken(entry: Entry, others: Mapping[str, Entry]) -> Iterator[Problem]:
    """Every rule that one entry breaks, read beside the others."""
    yield from _identity(entry)
    if entry.kind == "job":
        if entry.merged.get("risk") in RISKY and "runbook" not in entry.node.value:
            says = f"is missing; a job of risk {entry.merged['risk']} says what to do when it fails"
            yield entry.problem("runbook", says, entry.node)
        yield from _firing(entry)
        yield from _upstreams(entry, others)
        yield from _params(entry)
        sla, timeout = entry.merged.get("sla", {}), entry.merged.get("timeout", JobSpec.timeout)
        if sla.get("max_duration", 0) > timeout:
            yield entry.problem("sla.max_duration", f"is longer than the timeout of {timeout} s; write at most that")


def _identity(entry: Entry) -> Iterator[Problem]:
    if entry.id in RESERVED:
        yield Problem(*entry.place, entry.id, f"is a reserved id; {listed(RESERVED)} name pages of the API")
    elif not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", entry.id):
        says = "write 1 to 63 of a-z, 0-9 and _, beginning with a letter"
        yield Problem(*entry.place, entry.id[:80], f"is no {entry.kind} id; {says}")


def _firing(entry: Entry) -> Iterator[Problem]:
    merged, schedule = entry.merged, entry.found.get("schedule")
    upstreams = entry.found.get("depends_on", ())
    if not entry.node.is_mapping:
        return
    if "schedule" not in entry.node.value and len(upstreams) != 1:
        yield entry.problem(
            "schedule", "is missing; write a schedule, or exactly one upstream in depends_on", entry.node
        )
    if merged.get("catchup") == "all" and "catchup_window" not in merged:
        yield entry.problem("catchup", "all needs a catchup_window: how far back ticks are made up for")
    for field in ("wait", "on_wait_over"):
        if field in entry.found and not (upstreams and schedule):
            yield entry.problem(field, "only means something with a schedule and depends_on")
    window = entry.found.get("window", 0)
    if window % 60:
        yield entry.problem("window", "must be whole minutes")
    if window and schedule:
        try:
            Schedule(schedule, "UTC").shifted(timedelta(seconds=window))
        except ScheduleError as wrong:
            yield entry.problem("window", str(wrong))


def _upstreams(entry: Entry, others: Mapping[str, Entry]) -> Iterator[Problem]:
    node = entry.node.value.get("depends_on") if entry.node.is_mapping else None
    for place, upstream in enumerate(entry.found.get("depends_on", ())):
        at = node.value[place] if node else None
        if upstream == entry.id:
            yield entry.problem("depends_on", "a job cannot wait for itself", at)
        elif upstream not in others or others[upstream].kind != "job":
            yield entry.problem("depends_on", f"{upstream!r} is no job of this file{meant(upstream, others)}", at)
    circle = _circle(entry.id, others)
    if len(circle) > 2 and entry.id == min(circle):
        yield entry.problem("depends_on", f"goes round in a circle: {' -> '.join(circle)}")


def _circle(start: str, others: Mapping[str, Entry]) -> list[str]:
    """The way from a job through its upstreams back to itself, if there is one."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop()
        upstreams = others[way[-1]].found.get("depends_on", ()) if way[-1] in others else ()
        if start in upstreams:
            return [*way, start]
        ways += [[*way, upstream] for upstream in upstreams if upstream not in seen]
        seen.update(upstreams)
    return []


def _params(entry: Entry) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator  # 100 ms that only a file with parameters pays
    from jsonschema.exceptions import SchemaError

    params, declared = entry.found.get("params", {}), entry.found.get("params_schema")
    if declared is None:
        if params and "params_schema" not in entry.node.value:
            yield entry.problem("params", "need a params_schema that says what an operator may set them to")
        return
    references = [path for path, node in entry.node.value["params_schema"].walk() if path.endswith("$ref")]
    if references:
        yield entry.problem("params_schema", "$ref is not allowed; write the schema out")
        return
    schema = closed(declared)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as wrong:
        yield entry.problem(
            _dotted("params_schema", wrong.absolute_path),
            f"is no JSON Schema: {wrong.message[:200]}",
            _at(entry.node.value["params_schema"], wrong.absolute_path),
        )
        return
    holder = entry.node.value.get("params", entry.node.value["params_schema"])
    for error in sorted(
        Draft202012Validator(schema).iter_errors(params), key=lambda error: list(map(str, error.absolute_path))
    ):
        yield entry.problem(
            _dotted("params", error.absolute_path),
            f"does not fit params_schema: {error.message[:200]}",
            _at(holder, error.absolute_path),
        )


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A params_schema as it is enforced: an object that takes what it names, and nothing else unless it says so."""
    return {"type": "object", "additionalProperties": False, **schema}


def _dotted(start: str, path: Any) -> str:
    return ".".join([start, *map(str, path)])


def _at(node: Node, path: Iterable[str | int]) -> Node:
    """The node that a JSON path leads to, or the last one on the way that stands in the file."""
    for step in path:
        below = dict(enumerate(node.value)) if node.is_list else node.value if node.is_mapping else {}
        node = below.get(step, node)
    return node


def without_source(entry: Entry, root: Path) -> Iterator[Problem]:
    """What is wrong with the file that should hold the function; read, never imported."""
    category = entry.found.get("category")
    if category is None:
        return
    path = root / "functions" / category / f"{entry.id}.py"
    shown = path.relative_to(root).as_posix()
    if not path.is_file():
        elsewhere = sorted(found.parent.name for found in (root / "functions").glob(f"*/{entry.id}.py"))
        hint = f"; there is one in functions/{elsewhere[0]}" if elsewhere else ""
        yield entry.problem("category", f"the file {shown} does not exist{hint}")
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as broken_code:
        yield entry.problem("", f"{shown} is no Python: {broken_code}")
        return
    named = [one for one in tree.body if getattr(one, "name", None) == entry.id]
    if not named:
        yield entry.problem("", f"{shown} defines no function {entry.id}")
    elif not isinstance(named[-1], ast.FunctionDef):
        yield entry.problem("", f"{entry.id} in {shown} must be a plain function, neither async nor a class")


def secrets(tree: Node) -> Iterator[Problem]:
    """Values that look like a secret; never shown."""
    for path, node in tree.walk():
        if not isinstance(node.value, str) or not node.value:
            continue
        named = _SECRET_NAME.search(path.rsplit(".", 1)[-1]) and ".params." in f".{path}."
        if named or _SECRET_VALUE.search(node.value) or any(_random(word) for word in _LONG_WORD.findall(node.value)):
            where = path.removeprefix("jobs.")
            yield Problem(node.line, node.column, where, "looks like a secret; secrets come from the environment")


def _random(word: str) -> bool:
    """Long, with digits and letters, and as mixed as a key is: more than 3.3 bits a character."""
    if word.isdigit() or not any(letter.isdigit() for letter in word):
        return False
    counts = Counter(word)
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts.values()) > 3.3
