"""Keeps a running execution's lease alive from a thread of its own, and tells the body when it is no longer allowed to
go on.

The heartbeat stops itself at the run's timeout, so that a body that hangs is taken over (P8).
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from shared import db, executions, logs
from shared.errors import Cancelled, DeadlineExceeded, LeaseLost


class Lease:
    """The hold of one attempt on its execution.

    A lease that outlives the run's timeout needs no thread; a shorter one is renewed at every two ninths of its length
    (20 s of 90 s).
    """

    def __init__(self, execution_id: UUID, fence: int, *, seconds: float, timeout: float) -> None:
        self.execution_id, self.fence, self.seconds, self.timeout = execution_id, fence, seconds, timeout
        self._began = time.monotonic()
        self._deadline = self._began + timeout
        self._held_until = self._began + seconds
        self._lost = self._cancelled = False
        self._stop = threading.Event()
        self._thread = (
            threading.Thread(target=self._beat, name="heartbeat", daemon=True) if seconds < timeout + 5 else None
        )

    def __enter__(self) -> Lease:
        if self._thread:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()

    @property
    def remaining(self) -> float:
        """Seconds until the run's deadline, at least a tenth of one."""
        return max(0.1, self._deadline - time.monotonic())

    @property
    def elapsed_ms(self) -> int:
        """Milliseconds since the claim, on a clock that nobody can set."""
        return int((time.monotonic() - self._began) * 1000)

    def check(self) -> None:
        """Raise LeaseLost, Cancelled or DeadlineExceeded when the body must not go on."""
        if self._lost:
            raise LeaseLost
        if self._cancelled:
            raise Cancelled
        if time.monotonic() > self._deadline:
            raise DeadlineExceeded
        if time.monotonic() > self._held_until:  # the renewals do not come through
            raise LeaseLost

    def _beat(self) -> None:
        while not self._stop.wait(self.seconds * 2 / 9) and time.monotonic() < self._deadline:
            asked = time.monotonic()
            try:
                with db.connect() as connection:
                    held, cancelled = executions.heartbeat(connection, self.execution_id, self.fence, self.seconds)
            except SQLAlchemyError as error:
                # A database that is away for a moment may be back before the lease ends; the fence decides either way.
                logs.event(
                    "heartbeat_failed", level=30, execution_id=str(self.execution_id), error=type(error).__name__
                )
                continue
            self._cancelled = cancelled
            if not held:
                self._lost = True
                return
            self._held_until = asked + self.seconds
