"""What can go wrong, as one small tree.

BelfryError
├── ConfigError            the environment is wrong; said at start, never the value
├── InvalidRequest         the caller is wrong: a 4xx with code, field and what is allowed
├── InvalidText            text that Postgres cannot store; refused before it reaches the wire
├── PermanentError         a job says: trying again will not help
├── LeaseLost              another holder has this execution: roll back, commit nothing
├── Cancelled              an operator asked the run to stop
├── DeadlineExceeded       the run is over its timeout
└── Unavailable            a service that must answer did not: the caller tries again (503)
"""

from typing import Any


class BelfryError(Exception):
    """Something went wrong in Belfry."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class ConfigError(BelfryError):
    """The environment of this process is wrong."""


class InvalidRequest(BelfryError):
    """The request is not one this entrance takes."""

    def __init__(self, status: int, code: str, message: str, *, field: str | None = None, allowed: Any = None) -> None:
        super().__init__(message)
        self.status, self.code, self.field, self.allowed = status, code, field, allowed


class InvalidText(BelfryError):
    """Text holds a lone surrogate or a NUL character, which Postgres cannot store."""


class PermanentError(BelfryError):
    """The job cannot succeed by trying again."""


class LeaseLost(BelfryError):
    """Another holder took this execution over; nothing of this run is committed."""


class Cancelled(BelfryError):
    """An operator asked this run to stop."""


class DeadlineExceeded(BelfryError):
    """The run took longer than its timeout."""


class Unavailable(BelfryError):
    """A service that this request needs did not answer."""
