"""How does another system fail, when it is told to? Faults by system, switched over HTTP, gone after a restart."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from infra.local.sinks.faults import FaultError


@dataclass(frozen=True)
class SourceFaults:
    """Of one system; every one is off at first."""

    http_status: int = 0  # instead of 200
    retry_after: int = 0  # seconds: 429 with this patience asked for
    after_pages: int = 0  # the two above only from the page after so many; 0: from the first
    cut: bool = False  # half of the JSON
    hang: bool = False  # no answer
    bad_percent: int = 0  # of the rows of a page lose their code
    vanish_percent: int = 0  # of all rows are gone
    reject_percent: int = 0  # of what is pushed is refused
    skew_minutes: int = 0  # its clock is so far ahead (below 0: behind)

    def json(self) -> dict[str, Any]:
        return asdict(self)


def asked(content: Mapping[str, Any]) -> SourceFaults:
    """Raises FaultError naming the field and what is allowed."""
    known = {field.name: type(field.default) for field in fields(SourceFaults)}
    for name, value in content.items():
        if name not in known:
            raise FaultError(f"{name}: there is no such fault; allowed: {', '.join(known)}")
        if known[name] is bool and not isinstance(value, bool):
            raise FaultError(f"{name}: true or false is expected")
        if known[name] is int and (isinstance(value, bool) or not isinstance(value, int)):
            raise FaultError(f"{name}: a whole number is expected")
        if name.endswith("_percent") and not 0 <= value <= 100:
            raise FaultError(f"{name}: 0 to 100 are expected")
        if name == "http_status" and value and value not in range(300, 600):
            raise FaultError("http_status: 300 to 599 are expected, or 0")
    return SourceFaults(**content)
