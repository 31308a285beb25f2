"""How many calls does Cloud Scheduler take in a minute? 500 that write, 1,250 that read; then it refuses."""

from dataclasses import dataclass, field
from datetime import datetime

import grpc

from infra.local.scheduler.rules import RefusedError

READS = ("ListJobs", "GetJob")


@dataclass
class Quota:
    """Counts by the minute of the clock; pause, resume and run are writes."""

    writes: int = 500
    reads: int = 1250
    most: dict[str, int] = field(default_factory=lambda: {"writes": 0, "reads": 0})  # in one minute, so far
    refused: int = 0
    _minute: datetime | None = None
    _used: dict[str, int] = field(default_factory=dict)

    def use(self, method: str, now: datetime) -> None:
        """Counts a call. Raises RefusedError when this minute's are used up."""
        minute = now.replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._used = minute, {"writes": 0, "reads": 0}
        kind = "reads" if method in READS else "writes"
        if self._used[kind] >= getattr(self, kind):
            self.refused += 1
            raise RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"Quota exceeded: {getattr(self, kind)} {kind} per minute."
            )
        self._used[kind] += 1
        self.most[kind] = max(self.most[kind], self._used[kind])
