"""How fast may another party be asked? At most so many calls within any window; who comes too fast waits his turn."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable


class Pace:
    """So many calls in any `window` seconds. A quota by the minute and one by a sliding minute are both kept."""

    def __init__(
        self,
        calls: int,
        window: float = 60.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._window, self._clock, self._wait = window, clock, wait
        self._taken: deque[float] = deque(maxlen=calls)

    def take(self) -> None:
        """Returns when the next call may be made."""
        full = len(self._taken) == self._taken.maxlen
        rest = self._taken[0] + self._window - self._clock() if full else 0
        if rest > 0:
            self._wait(rest)
        self._taken.append(self._clock())

    def rest(self, seconds: float) -> None:
        """Wait, for a reason of the other party's."""
        self._wait(seconds)
